// Topics: made, written to, looked at, followed, trimmed and deleted.
const { assert, unique, until } = require('./harness')

module.exports = async (suite, desk) => {
  const topic = unique('orders')
  const page = () => desk.page
  const rows = () => page().locator('table[aria-label="Records"] tbody tr:not(.detail)')

  async function produce(values) {
    await desk.press('Produce')
    await desk.fill(values)
    await desk.press('Produce')
    await desk.closed()
  }

  await suite.run('a topic is created in the console', desk, async () => {
    await desk.go('topics')
    await desk.press('New topic')
    await desk.fill({ Name: topic, Partitions: '3' })
    await desk.press('Create topic')
    await page().locator('h1', { hasText: topic }).waitFor()
    await desk.tile('Partitions', '3')
    await desk.says(`echo hi | naru produce ${topic}`)
    const there = await (await fetch(`${desk.base}/v1/topics/${topic}`)).json()
    assert.equal(there.partitionCount, 3)
  })

  await suite.run('a topic that exists already is refused in words, and the dialog stays', desk, async () => {
    desk.allowed = ['409']
    await desk.go('topics')
    await desk.press('New topic')
    await desk.fill({ Name: topic })
    await desk.press('Create topic')
    await page().locator('dialog .problem', { hasText: 'It exists already' }).waitFor()
    assert.equal(await page().locator('dialog input[name=topic]').inputValue(), topic)
    await page().keyboard.press('Escape')
    await desk.closed()
    desk.allowed = []
  })

  await suite.run('records are produced in the console and seen there', desk, async () => {
    await desk.go(`topics/${topic}`)
    await produce({ Value: '{"drink":"flat white","n":2}', Key: 'anna', Headers: 'trace=4bf9\nkind=order' })
    await produce({ Value: 'just text ünï' })
    await until('two rows', async () => await rows().count() === 2)
    await desk.tile('Records', '2')
    const { records } = await (await fetch(`${desk.base}/v1/topics/${topic}/records?filter=kind%3Dorder`)).json()
    assert.deepEqual(records.map(r => [r.keyText, r.text]), [['anna', '{"drink":"flat white","n":2}']])
  })

  await suite.run('a record is shown as text, JSON and hex', desk, async () => {
    await desk.go(`topics/${topic}`)
    await rows().filter({ hasText: 'anna' }).getByRole('button').click()
    const value = page().locator('tr.detail pre.payload').last()
    await desk.press('JSON')
    await until('indented JSON', async () => (await value.textContent()).includes('{\n  "drink": "flat white",'))
    await desk.press('Hex')
    await until('a hex dump', async () => (await value.textContent()).startsWith('00000000  7b 22 64 72 69 6e 6b 22'))
    assert.match(await value.textContent(), /\{"drink":"flat w/)
    await desk.shot('topic-hex')
    await desk.press('Text')
    await until('text', async () => await value.textContent() === '{"drink":"flat white","n":2}')
    await page().locator('tr.detail dl.headers', { hasText: '4bf9' }).waitFor()
    await desk.shot('topic')
  })

  await suite.run('what is in records is never HTML', desk, async () => {
    await desk.go(`topics/${topic}`)
    await produce({ Value: '<img src=x onerror="document.title=1"><script>document.title=1</script>', Key: '<b>key</b>' })
    await rows().filter({ hasText: '<b>key</b>' }).getByRole('button').click()
    await page().locator('pre.payload', { hasText: '<img src=x' }).waitFor()
    assert.equal(await page().locator('main img, main b:text("key"), main script').count(), 0)
  })

  await suite.run('bytes that are no text, nulls and emptiness are told apart', desk, async () => {
    const records = [{ keyText: 'binary', bytes: Buffer.from([0, 255, 254, 65]).toString('base64') }, { keyText: 'tombstone' }, { keyText: 'nothing', text: '' }]
    await fetch(`${desk.base}/v1/topics/${topic}/records`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ records }) })
    await desk.go(`topics/${topic}`)
    for (const [key, shown] of [['tombstone', 'null'], ['nothing', 'empty']]) await rows().filter({ hasText: key }).locator('.null', { hasText: shown }).waitFor()
    await desk.press('Hex')
    await rows().filter({ hasText: '62 69 6e 61 72 79' }).filter({ hasText: '00 ff fe 41' }).waitFor()
    await desk.press('Text')
  })

  await suite.run('browsing by offset, by time and by filter', desk, async () => {
    await desk.go(`topics/${topic}`)
    const where = page().getByLabel('Where to begin')
    const filter = page().getByLabel('Filter by header or key')
    await where.selectOption('earliest')
    await until('all rows', async () => await rows().count() === 6)
    await filter.fill('trace=4bf9')
    await desk.press('Read')
    await until('one row', async () => await rows().count() === 1)
    await filter.fill('')
    await where.selectOption('offset')
    desk.allowed = ['400']
    await page().getByLabel('Position').fill('1000')
    await desk.press('Read')
    await page().locator('.problem', { hasText: 'Out of range' }).waitFor()
    desk.allowed = []
    const { partitions } = await (await fetch(`${desk.base}/v1/topics/${topic}`)).json()
    const first = partitions.find(p => p.end !== '0')
    await page().getByLabel('Position').fill(String(first.end - 1))
    await page().getByLabel('Partition', { exact: true }).selectOption(String(first.partition))
    await desk.press('Read')
    await until('the last row of a partition', async () => await rows().count() === 1)
    await page().getByLabel('Partition', { exact: true }).selectOption('')
    await where.selectOption('time')
    await page().getByLabel('Position').fill('2020-01-01T00:00:00')
    await desk.press('Read')
    await until('all rows', async () => await rows().count() === 6)
    await page().getByLabel('Position').fill('')
    await desk.press('Read')
    await page().locator('.problem', { hasText: 'Fill in the day' }).waitFor()
    await where.selectOption('ago')
    await until('all rows', async () => await rows().count() === 6)
  })

  await suite.run('records show up while one follows', desk, async () => {
    await desk.go(`topics/${topic}`)
    await desk.press('Follow live')
    await until('what was there', async () => await rows().count() === 6)
    for (let i = 0; i < 20; i++) {
      await fetch(`${desk.base}/v1/topics/${topic}/records?key=live`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: `live ${i}` })
    }
    await rows().filter({ hasText: 'live 19' }).waitFor()
    assert.equal(await rows().filter({ hasText: 'live ' }).count(), 20)
    await desk.shot('topic-live')
    await desk.press('Follow live')
  })

  await suite.run('a setting is changed and goes back to its default', desk, async () => {
    await desk.go(`topics/${topic}`)
    const setting = page().locator('table[aria-label="Settings"] tr', { has: page().getByText('retention.ms', { exact: true }) })
    const change = async value => {
      await setting.getByRole('button', { name: 'Change' }).click()
      await desk.fill({ Value: value })
      await desk.press('Save')
      await desk.closed()
    }
    await change('3600000')
    await setting.getByText('own', { exact: true }).waitFor()
    await setting.getByText('3600000').waitFor()
    await change('')
    await setting.getByText('own', { exact: true }).waitFor({ state: 'detached' })
  })

  await suite.run('deleting a topic says what will be gone, and can be called off', desk, async () => {
    await desk.go(`topics/${topic}`)
    await desk.press('Delete')
    const dialog = page().locator('dialog[open]')
    await dialog.getByText('26 records').first().waitFor()
    assert.equal(await dialog.getByRole('button', { name: 'Cancel' }).evaluate(b => b === document.activeElement), true, 'the safe button has the focus')
    await desk.shot('topic-delete')
    await page().keyboard.press('Escape')
    await desk.closed()
    assert.equal((await fetch(`${desk.base}/v1/topics/${topic}`)).status, 200)
    await desk.press('Delete')
    await desk.press('Delete 26 records')
    await page().locator('h1', { hasText: 'Topics' }).waitFor()
    assert.equal((await fetch(`${desk.base}/v1/topics/${topic}`)).status, 404)
  })
}
