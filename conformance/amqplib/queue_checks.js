// Queues: lifetimes, counts, arguments, bounds.
const assert = require('node:assert/strict')
const { bodies, consume, get, publish, ready, refused, sleep, until } = require('./harness.js')

module.exports = async suite => {
  await suite.run('queue: named by the server', serverNamed)
  await suite.run('queue: durable, read over another connection', durable)
  await suite.run('queue: exclusive and auto-delete', lifetimes)
  await suite.run('queue: counts, purge, delete', counts)
  await suite.run('queue: declared otherwise', inequivalent)
  await suite.run('queue: arguments that make no sense', invalid)
  await suite.run('queue: time to live of queue and message', timeToLive)
  await suite.run('queue: max-length', maxLength)
  await suite.run('queue: priorities', priorities)
  await suite.run('queue: expires', expires)
}

async function serverNamed(t) {
  const ch = await t.channel()
  const { queue } = await ch.assertQueue('', { exclusive: true })
  assert.match(queue, /^amq\.gen-/)
  publish(ch, queue, 'x')
  await bodies(ch, queue, 'x')
}

async function durable(t) {
  const ch = await t.channel(true)
  const q = await t.shared(ch)
  ch.sendToQueue(q, Buffer.from('kept'), { persistent: true })
  await ch.waitForConfirms()
  await ch.connection.close()
  const again = await t.channel()
  assert.equal((await again.assertQueue(q, { durable: true })).messageCount, 1)
  await bodies(again, q, 'kept')
}

async function lifetimes(t) {
  const ch = await t.channel()
  const mine = await t.queue(ch)
  await refused(await t.channel(), [405, 60, 70], /RESOURCE_LOCKED/, other => other.get(mine))
  const { queue: auto } = await ch.assertQueue(t.name('auto'), { autoDelete: true, durable: false })
  const got = await consume(ch, auto)
  assert.ok(await t.exists(auto), 'gone too early')
  await ch.cancel(got.tag)
  await until('the auto-delete queue is gone', async () => !(await t.exists(auto)))
  await ch.connection.close()
  await until('the exclusive queue is gone', async () => !(await t.exists(mine)))
}

async function counts(t) {
  const c = await t.connect()
  const ch = await t.channelOf(c)
  const q = await t.shared(ch)
  publish(ch, q, '1', '2', '3')
  await ready(ch, q, 3)
  const m = await get(ch, q)
  assert.equal(m.fields.messageCount, 2)
  assert.equal((await ch.purgeQueue(q)).messageCount, 2)
  ch.nack(m)
  await ready(ch, q, 1)
  await refused(await t.channelOf(c), [406, 50, 40], /not empty/, bad => bad.deleteQueue(q, { ifEmpty: true }))
  await consume(await t.channelOf(c), q)
  await refused(await t.channelOf(c), [406, 50, 40], /in use/, bad => bad.deleteQueue(q, { ifUnused: true }))
  await ch.deleteQueue(q)
  assert.equal((await ch.deleteQueue(q)).messageCount, 0)
}

async function inequivalent(t) {
  const c = await t.connect()
  const q = await t.shared(await t.channelOf(c), { 'x-max-length': 10 })
  const declare = options => ch => ch.assertQueue(q, { durable: true, arguments: { 'x-max-length': 10 }, ...options })
  await declare({})(await t.channelOf(c))
  const text = `PRECONDITION_FAILED - inequivalent arg '%' for queue '${q}' in vhost '/': received `
  await refused(await t.channelOf(c), [406, 50, 10], new RegExp(text.replace('%', 'durable') + "'false' but current is 'true'"), declare({ durable: false }))
  await refused(await t.channelOf(c), [406, 50, 10], new RegExp(text.replace('%', 'x-max-length') + "none but current is the value '10' of type"), declare({ arguments: {} }))
  await refused(await t.channelOf(c), [406, 50, 10], /inequivalent arg 'x-dead-letter-exchange'.*received the value 'x' of type 'longstr' but current is none/, declare({ deadLetterExchange: 'x' }))
}

async function invalid(t) {
  const c = await t.connect()
  for (const [name, value] of [['x-message-ttl', -1], ['x-expires', 0], ['x-max-length', 'ten'], ['x-overflow', 'explode'], ['x-max-priority', -3], ['x-queue-type', 'deque']]) {
    await refused(await t.channelOf(c), [406, 50, 10], new RegExp(`PRECONDITION_FAILED - .*${name}`), ch => ch.assertQueue(t.name('bad'), { exclusive: true, arguments: { [name]: value } }))
  }
}

async function timeToLive(t) {
  const ch = await t.channel()
  const { queue: q } = await ch.assertQueue(t.name('q'), { exclusive: true, messageTtl: 200 })
  const r = await t.queue(ch)
  publish(ch, q, '1')
  ch.sendToQueue(r, Buffer.from('short'), { expiration: 200 })
  publish(ch, r, 'stays')
  await ready(ch, q, 0)
  await ready(ch, r, 1)
  await bodies(ch, q)
  await bodies(ch, r, 'stays')
  await refused(ch, [406, 60, 40], /PRECONDITION_FAILED - invalid expiration 'soon'/, () => ch.sendToQueue(r, Buffer.from('x'), { expiration: 'soon' }))
}

async function maxLength(t) {
  const ch = await t.channel()
  const { queue: q } = await ch.assertQueue(t.name('q'), { exclusive: true, maxLength: 2 })
  publish(ch, q, '1', '2', '3')
  await ready(ch, q, 2)
  await bodies(ch, q, '2', '3')
}

async function priorities(t) {
  const ch = await t.channel()
  const { queue: q } = await ch.assertQueue(t.name('q'), { exclusive: true, maxPriority: 5 })
  for (const p of [0, 5, 2, 9, 1]) ch.sendToQueue(q, Buffer.from(`${p}`), { priority: p })
  await ready(ch, q, 5)
  await bodies(ch, q, '5', '9', '2', '1', '0')
}

async function expires(t) {
  const ch = await t.channel()
  const { queue: q } = await ch.assertQueue(t.name('q'), { expires: 300 })
  let wait = 800
  for (await sleep(wait); await t.exists(q); await sleep(wait)) { // to look is to use it
    wait *= 2
    assert.ok(wait < 20000, 'it is still there')
  }
}
