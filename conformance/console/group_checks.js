// Groups as a Kafka client makes them, and triggers.
const { createServer } = require('node:http')
const { Kafka, logLevel } = require('kafkajs')
const { assert, unique, until } = require('./harness')

const rest = async (desk, method, path, body) => {
  const answer = await fetch(desk.base + path, { method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) })
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`)
  return answer.json()
}

module.exports = async (suite, desk) => {
  const topic = unique('reads'), group = unique('billing')
  const page = () => desk.page
  const row = partition => page().locator('table[aria-label="Offsets"] tbody tr').nth(partition)
  const { endpoints } = await rest(desk, 'GET', '/v1/status')
  const kafka = new Kafka({ brokers: [endpoints.find(e => e.name === 'kafka').address], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: group })
  const produce = n => rest(desk, 'POST', `/v1/topics/${topic}/records`, { records: Array.from({ length: n }, (_, i) => ({ text: `${i}`, partition: i % 2 })) })

  await suite.run('a group shows its member and its lag', desk, async () => {
    await rest(desk, 'POST', '/v1/topics', { topic, partitions: 2 })
    await produce(10)
    let read = 0
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({ autoCommitThreshold: 1, eachMessage: async () => { read++ } })
    await until('ten records read', () => read === 10, 90000)
    await desk.go('groups')
    await page().locator('table[aria-label="Groups"] tr', { hasText: group }).getByText('Stable').waitFor()
    await desk.go(`groups/${group}`)
    await desk.tile('Members', '1')
    await desk.tile('Lag', '0')
    await page().locator('.chart canvas').waitFor()
  })

  await suite.run('offsets of a group with members are not moved', desk, async () => {
    await desk.go(`groups/${group}`)
    await desk.press('Reset offsets')
    await page().locator('dialog[open]').getByText('stop the consumers first', { exact: false }).waitFor()
    await page().keyboard.press('Escape')
    await desk.closed()
  })

  await suite.run('offsets are reset after a look at what would be', desk, async () => {
    await consumer.disconnect()
    await produce(4)
    await desk.go(`groups/${group}`)
    await desk.tile('Members', '0')
    await desk.tile('Lag', '4')
    await desk.press('Reset offsets')
    await page().locator('dialog[open] select[name=topic]').selectOption(topic)
    await page().locator('dialog[open] select[name=kind]').selectOption('offset')
    await desk.fill({ Where: '2' })
    await desk.press('Preview')
    await page().locator('dialog[open]').getByText('will consume 6 records', { exact: false }).waitFor()
    await desk.shot('group-reset')
    assert.equal((await rest(desk, 'GET', `/v1/groups/${group}`)).lag, '4', 'a look moves nothing')
    await desk.press('Reset 2 partitions')
    await desk.closed()
    await desk.tile('Lag', '10')
    await until('offset 2', async () => await row(0).locator('td').nth(2).textContent() === '2')
    await desk.shot('group')
  })

  await suite.run('a partition is trimmed, and one more is added', desk, async () => {
    await desk.go(`topics/${topic}`)
    const partition = page().locator('table[aria-label="Partitions"] tbody tr').nth(1)
    await partition.getByRole('button', { name: 'Trim' }).click()
    await desk.fill({ 'First offset to keep': '5' })
    await desk.press('Delete records')
    await desk.closed()
    await until('the first offset is 5', async () => await partition.locator('td').nth(1).textContent() === '5')
    await desk.press('Add partitions')
    await desk.press('Add partitions')
    await desk.closed()
    await desk.tile('Partitions', '3')
  })

  await suite.run('connections and settings are listed', desk, async () => {
    const client = kafka.producer()
    await client.connect()
    await desk.go('connections')
    await page().locator('table[aria-label="Connections"] tr', { hasText: 'Kafka' }).first().waitFor()
    await client.disconnect()
    await desk.go('settings')
    await page().getByLabel('Filter settings').fill('segment-bytes')
    await page().locator('table[aria-label="Settings"] tr', { hasText: '--segment-bytes' }).waitFor()
  })

  await suite.run('a group is deleted', desk, async () => {
    await desk.go(`groups/${group}`)
    await desk.press('Delete')
    await page().locator('dialog[open]').getByText('2 committed offsets', { exact: false }).waitFor()
    await desk.press('Delete group')
    await page().locator('h1', { hasText: 'Groups' }).waitFor()
    assert.equal((await rest(desk, 'GET', '/v1/groups')).groups.filter(g => g.group === group).length, 0)
  })

  await suite.run('a trigger shows its runs, and is deleted', desk, async () => {
    const queue = unique('images'), trigger = unique('resize')
    let called = 0
    const hook = createServer((request, response) => {
      called++
      request.resume().on('end', () => response.end('{}'))
    })
    await new Promise(resolve => hook.listen(0, '127.0.0.1', resolve))
    try {
      await rest(desk, 'POST', '/v1/queues', { queue })
      const spec = { trigger, queue, conditions: [{ on: 'depth', depth: 2 }], webhook: { url: `http://127.0.0.1:${hook.address().port}/` } }
      await rest(desk, 'POST', '/v1/triggers', { spec })
      await desk.go('triggers')
      await page().locator('table[aria-label="Triggers"] tr', { hasText: trigger }).getByText('when 2 messages are ready').waitFor()
      await rest(desk, 'POST', `/v1/queues/${queue}/messages`, { messages: [{ text: 'a' }, { text: 'b' }] })
      await desk.go(`triggers/${trigger}`)
      await desk.tile('Succeeded', '1')
      assert.equal(called, 1)
      await page().locator('table[aria-label="Last runs"]').getByText('succeeded').waitFor()
      await desk.shot('trigger')
      await desk.press('Delete')
      await desk.press('Delete trigger')
      await page().locator('h1', { hasText: 'Triggers' }).waitFor()
      assert.equal((await fetch(`${desk.base}/v1/triggers/${trigger}`)).status, 404)
    } finally {
      hook.close()
    }
  })
}
