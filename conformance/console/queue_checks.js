// Queues: sent to in the console, received by SQS, dead-lettered and redriven.
const { SQS } = require('@aws-sdk/client-sqs')
const { assert, unique, until } = require('./harness')

module.exports = async (suite, desk) => {
  const queue = unique('mails'), dead = `${queue}-dead`, body = '{"to":"anna","order":17}'
  const sqs = new SQS({ maxAttempts: 1 })
  const page = () => desk.page
  const messages = () => page().locator('table[aria-label="Messages"] tbody tr:not(.detail)')
  let url, got

  const receive = async more => (await sqs.receiveMessage({ QueueUrl: url, WaitTimeSeconds: 20, ...more })).Messages ?? []
  const giveBack = ({ ReceiptHandle }) => sqs.changeMessageVisibility({ QueueUrl: url, ReceiptHandle, VisibilityTimeout: 0 })

  await suite.run('a queue is created with its dead-letter queue', desk, async () => {
    await desk.go('queues')
    await desk.press('New queue')
    await desk.fill({ Name: queue, Lease: '2m', Attempts: '2', 'Dead-letter queue': dead })
    await desk.press('Create queue')
    await page().locator('h1', { hasText: queue }).waitFor()
    await desk.says(`naru send ${queue} hi`)
    const { settings } = await (await fetch(`${desk.base}/v1/queues/${queue}`)).json()
    assert.deepEqual([settings.lease, settings.attemptsMax, settings.deadLetter], ['120s', 2, dead])
    url = (await sqs.getQueueUrl({ QueueName: queue })).QueueUrl
  })

  await suite.run('a form that lacks something says what', desk, async () => {
    await desk.go('queues')
    await desk.press('New queue')
    await desk.fill({ Name: unique('q'), Lease: 'soon' })
    await desk.press('Create queue')
    await page().locator('dialog .problem', { hasText: '“soon” is not a duration' }).waitFor()
    await page().keyboard.press('Escape')
    await desk.closed()
  })

  await suite.run('a message is sent in the console and peeked at', desk, async () => {
    await desk.go(`queues/${queue}`)
    await desk.press('Send')
    await desk.fill({ Message: body, Headers: 'tenant=nine' })
    await desk.press('Send')
    await desk.closed()
    await desk.tile('Ready', '1')
    await messages().getByRole('button').click()
    await page().locator('tr.detail pre.payload', { hasText: body }).waitFor()
  })

  await suite.run('SQS receives it, and the console shows it in flight', desk, async () => {
    ;[got] = await receive({ MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['ApproximateReceiveCount'] })
    assert.equal(got?.Body, body)
    assert.equal(got.Attributes.ApproximateReceiveCount, '1')
    await desk.go(`queues/${queue}`)
    await desk.tile('In flight', '1')
    await desk.tile('Ready', '0')
    await until('one attempt', async () => await messages().locator('td').nth(2).textContent() === '1')
    await desk.shot('queue-in-flight')
    await desk.go('queues')
    const row = page().locator('table[aria-label="Queues"] tr', { has: page().getByRole('link', { name: queue, exact: true }) }).first()
    await until('in flight in the list', async () => await row.locator('td').nth(2).textContent() === '1')
  })

  await suite.run('it fails as often as allowed, and is a dead letter', desk, async () => {
    await desk.go(`queues/${queue}`)
    await giveBack(got)
    await desk.tile('Ready', '1')
    ;[got] = await receive()
    assert.equal(got?.Body, body)
    await giveBack(got)
    assert.deepEqual(await receive({ WaitTimeSeconds: 1 }), [])
    await desk.tile('Ready', '0')
    await desk.go(`queues/${dead}`)
    await desk.tile('Ready', '1')
    await desk.says(`dead letters of ${queue}`)
    await messages().filter({ hasText: '"order":17' }).waitFor()
  })

  await suite.run('the dead letter is redriven in the console and is back', desk, async () => {
    await desk.go(`queues/${dead}`)
    await desk.press('Redrive')
    await page().locator('dialog[open]').getByText('the 1 message that is ready', { exact: false }).waitFor()
    await desk.shot('queue-redrive-dialog')
    await desk.press('Move 1 message')
    await desk.closed()
    await page().locator('table[aria-label="Redrives"] tr', { hasText: 'completed' }).getByText('1 of 1').waitFor()
    await desk.tile('Ready', '0')
    await desk.shot('queue-redrive')
    await desk.go(`queues/${queue}`)
    await desk.tile('Ready', '1')
    ;[got] = await receive({ MessageSystemAttributeNames: ['ApproximateReceiveCount'] })
    assert.equal(got?.Body, body)
    assert.equal(got.Attributes.ApproximateReceiveCount, '1', 'attempts begin again')
    await sqs.deleteMessage({ QueueUrl: url, ReceiptHandle: got.ReceiptHandle })
    await desk.tile('In flight', '0')
    await desk.tile('Acked', '1')
  })

  await suite.run('settings of a queue are changed', desk, async () => {
    await desk.go(`queues/${queue}`)
    await desk.press('Change')
    await desk.fill({ Lease: '45s', Attempts: '9' })
    await desk.press('Save')
    await desk.closed()
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ['All'] })
    assert.equal(Attributes.VisibilityTimeout, '45')
    assert.equal(JSON.parse(Attributes.RedrivePolicy).maxReceiveCount, 9)
  })

  await suite.run('purging says how many messages will be gone', desk, async () => {
    for (const m of ['a', 'b', 'c']) await sqs.sendMessage({ QueueUrl: url, MessageBody: m })
    await receive({ WaitTimeSeconds: 1 })
    await desk.go(`queues/${queue}`)
    await desk.tile('Ready', '2')
    await desk.press('Purge')
    await page().locator('dialog[open]').getByText('2 ready messages, 1 in flight and 0 delayed', { exact: false }).waitFor()
    await desk.shot('queue-purge')
    await desk.press('Purge 3 messages')
    await desk.closed()
    await desk.tile('Ready', '0')
    await desk.tile('In flight', '0')
  })

  await suite.run('queues are deleted', desk, async () => {
    for (const q of [queue, dead]) {
      await desk.go(`queues/${q}`)
      await desk.press('Delete')
      await desk.press('Delete queue and 0 messages')
      await page().locator('h1', { hasText: 'Queues' }).waitFor()
      assert.equal((await fetch(`${desk.base}/v1/queues/${q}`)).status, 404)
    }
  })
}
