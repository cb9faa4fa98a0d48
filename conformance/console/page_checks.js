// The other pages, light and dark, wide and narrow.
const { assert, unique, until } = require('./harness')

const places = ['', 'topics', 'queues', 'groups', 'triggers', 'connections', 'settings']

module.exports = async (suite, desk) => {
  const page = () => desk.page
  const topic = unique('coffee')
  const produce = () => fetch(`${desk.base}/v1/topics/${topic}/records`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'espresso' })

  await suite.run('the overview moves: what is produced shows in the charts', desk, async () => {
    // It shows what comes to this broker's partitions: of many, some are at each.
    const partitions = 24, name = unique('wide')
    await fetch(`${desk.base}/v1/topics`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ topic: name, partitions }) })
    let sent = 0
    const spread = () => fetch(`${desk.base}/v1/topics/${name}/records?partition=${sent++ % partitions}`, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: 'espresso' })
    await produce() // for what follows
    await desk.go('')
    await page().locator('.chart canvas').nth(1).waitFor()
    const records = page().locator('[data-tile="Records in"] dd').first()
    await until('records in', async () => { await spread(); return Number(await records.textContent()) > 0 }, 60000)
    await until('an append latency', async () => { await spread(); return /\d (ms|µs)/.test(await page().locator('[data-tile="Append p99"] dd').first().textContent()) }, 60000)
  })

  await suite.run('snippets have this server’s address and can be copied', desk, async () => {
    await desk.go('')
    const snippet = page().locator('.snippet pre')
    const { endpoints } = await (await fetch(`${desk.base}/v1/status`)).json()
    const at = name => endpoints.find(e => e.name === name).address.replace(/^\w+:\/\//, '')
    for (const [protocol, name, languages] of [['Kafka', 'kafka', ['kcat', 'Python', 'Java', 'Go', 'JavaScript']], ['SQS', 'aws', ['AWS CLI', 'Python', 'JavaScript', 'Java']],
      ['HTTP', 'http', ['curl', 'Python', 'JavaScript']], ['gRPC', 'http', ['grpcurl', 'Go', 'Python']]]) {
      await page().getByRole('group', { name: 'Protocol' }).getByRole('button', { name: protocol, exact: true }).click()
      for (const language of languages) {
        await page().getByRole('group', { name: 'Language' }).getByRole('button', { name: language, exact: true }).click()
        await until(`${protocol} in ${language}`, async () => (await snippet.textContent()).includes(at(name)))
      }
    }
    const shown = await snippet.textContent()
    await page().getByText('Copy snippet').click()
    await desk.says('Copied.')
    assert.equal(await page().evaluate(() => navigator.clipboard.readText()), shown)
  })

  const brokers = Number(process.env.BROKERS ?? 1)
  if (brokers === 1) {
    await suite.run('a server that is alone has no page for its cluster', desk, async () => {
      await desk.go('cluster')
      await page().getByText('This server is alone').waitFor()
      assert.equal(await page().getByRole('link', { name: 'Cluster', exact: true }).count(), 0)
    })
  } else {
    await suite.run('the page of the cluster shows all brokers, and that every slot has an owner', desk, async () => {
      await desk.go('')
      await page().getByRole('link', { name: 'Cluster', exact: true }).click()
      await page().getByText('all have owners').waitFor()
      await until('the brokers', async () => await page().getByRole('table', { name: 'Brokers' }).locator('tbody tr').count() === brokers)
      assert.ok(await page().getByRole('table', { name: 'Slots' }).locator('tbody tr').count() > brokers)
    })
  }

  await suite.run('every page opens, and empty ones teach the next command', desk, async () => {
    for (const place of places) {
      await desk.go(place)
      assert.equal(await page().locator('#side a[aria-current]').count(), 1)
    }
    await desk.go('triggers')
    await desk.says('naru trigger create')
    await desk.go('nosuch/page')
    await desk.says('There is no such page')
  })

  await suite.run('what does not exist is said in words', desk, async () => {
    desk.allowed = ['404']
    await page().goto(`${desk.base}/#/topics/${unique('nosuch')}`)
    await page().getByRole('alert').filter({ hasText: 'Not found' }).waitFor()
    await desk.go('')
    desk.allowed = []
  })

  await suite.run('dark by preference, light by choice, and remembered', desk, async () => {
    const theme = () => page().evaluate(() => document.documentElement.dataset.theme)
    await desk.renew({ colorScheme: 'dark' })
    await desk.go('')
    assert.equal(await theme(), 'dark')
    await page().getByRole('button', { name: 'Light or dark' }).click()
    assert.equal(await theme(), 'light')
    await page().reload()
    assert.equal(await theme(), 'light')
    await page().getByRole('button', { name: 'Light or dark' }).click()
    assert.equal(await theme(), 'dark')
  })

  await suite.run('every page in light, dark and on a phone, nothing wider than the window', desk, async () => {
    const looks = { light: {}, dark: { colorScheme: 'dark' }, phone: { width: 390, height: 844, hasTouch: true } }
    for (const [look, preferences] of Object.entries(looks)) {
      await desk.renew(preferences)
      for (const place of [...places, `topics/${topic}`]) {
        await desk.go(place)
        await page().waitForLoadState('networkidle').catch(() => {})
        const { wide, window } = await page().evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }))
        assert.ok(wide <= window, `${place || 'overview'} is ${wide} wide in a window of ${window}`)
        await desk.shot(`${place.split('/').length > 1 ? 'topic-page' : place || 'overview'}-${look}`)
      }
    }
    await desk.renew()
  })

  await suite.run('the server’s headers forbid scripts from elsewhere and frames', desk, async () => {
    const { headers } = await fetch(`${desk.base}/`)
    assert.match(headers.get('content-security-policy'), /default-src 'self'/)
    assert.doesNotMatch(headers.get('content-security-policy'), /unsafe|\*/)
    assert.equal(headers.get('x-frame-options'), 'DENY')
  })
}
