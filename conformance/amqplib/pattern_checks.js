// What programs build of it.
const assert = require('node:assert/strict')
const { consume, get, publish, ready, received, text } = require('./harness.js')

module.exports = async suite => {
  await suite.run('pattern: requests and direct replies', directReplies)
  await suite.run('pattern: logs by topic to temporary queues', logs)
  await suite.run('pattern: a work queue whose worker dies', workerDies)
  await suite.run('pattern: a stream read twice', stream)
}

async function directReplies(t) {
  const [server, client] = [await t.channel(), await t.channel()]
  const q = await t.queue(server)
  const addresses = new Set()
  await server.consume(q, m => {
    addresses.add(m.properties.replyTo)
    server.sendToQueue(m.properties.replyTo, Buffer.from(text(m).toUpperCase()), { correlationId: m.properties.correlationId })
    server.ack(m)
  })
  const got = await consume(client, 'amq.rabbitmq.reply-to', { noAck: true })
  for (let i = 0; i < 20; i++) client.sendToQueue(q, Buffer.from(`ask ${i}`), { replyTo: 'amq.rabbitmq.reply-to', correlationId: `${i}` })
  await received(got, 20)
  assert.deepEqual(got.map(m => m.properties.correlationId + text(m)), Array.from({ length: 20 }, (_, i) => `${i}ASK ${i}`))
  assert.equal(addresses.size, 1)
  assert.match([...addresses][0], /^amq\.rabbitmq\.reply-to\../)
}

async function logs(t) {
  const ch = await t.channel()
  const x = await t.exchange(ch, 'topic')
  const read = {}
  for (const pattern of ['#', '*.error', 'billing.*']) {
    const { queue } = await ch.assertQueue('', { exclusive: true })
    await ch.bindQueue(queue, x, pattern)
    read[pattern] = await consume(ch, queue, { noAck: true })
  }
  for (const key of ['billing.info', 'billing.error', 'shipping.error']) ch.publish(x, key, Buffer.from(key))
  await Promise.all([received(read['#'], 3), received(read['*.error'], 2), received(read['billing.*'], 2)])
  assert.deepEqual(Object.values(read).map(l => l.map(text)), [['billing.info', 'billing.error', 'shipping.error'], ['billing.error', 'shipping.error'], ['billing.info', 'billing.error']])
}

async function workerDies(t) {
  const producer = await t.channel()
  const q = await t.shared(producer)
  const first = await t.channel()
  await first.prefetch(2)
  const held = await consume(first, q)
  publish(producer, q, '1', '2', '3')
  await received(held, 2)
  first.connection.stream.destroy()
  await ready(producer, q, 3)
  const got = []
  for (let i = 0; i < 3; i++) got.push(await get(producer, q, { noAck: true }))
  assert.deepEqual(got.map(m => [text(m), m.fields.redelivered]), [['1', true], ['2', true], ['3', false]])
}

async function stream(t) {
  const ch = await t.channel(true)
  const q = await t.shared(ch, { 'x-queue-type': 'stream' })
  publish(ch, q, '0', '1', '2', '3')
  await ch.waitForConfirms()
  for (const start of ['first', 2]) {
    const reader = await t.channel()
    await reader.prefetch(10)
    const got = await consume(reader, q, { arguments: { 'x-stream-offset': start } })
    const from = start === 'first' ? 0 : start
    await received(got, 4 - from)
    assert.deepEqual(got.map(m => [text(m), m.properties.headers['x-stream-offset']]), [0, 1, 2, 3].slice(from).map(i => [`${i}`, i]))
  }
}
