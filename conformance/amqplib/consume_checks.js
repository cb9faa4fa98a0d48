// Consumers and acknowledgements.
const assert = require('node:assert/strict')
const { bodies, consume, get, publish, quiet, ready, received, refused, text, until } = require('./harness.js')

module.exports = async suite => {
  await suite.run('consume: in order, redelivered after the channel closed', order)
  await suite.run('consume: ack, nack, reject, multiple, all', acknowledge)
  await suite.run('consume: recover', recover)
  await suite.run('consume: prefetch per consumer', prefetch)
  await suite.run('consume: prefetch per channel', globalPrefetch)
  await suite.run('consume: cancelled by us, and by the broker', cancel)
  await suite.run('consume: exclusive', exclusive)
  await suite.run('consume: priorities', priorities)
  await suite.run('consume: single active consumer', singleActive)
  await suite.run('consume: eight workers, each message once', workers)
  await suite.run('consume: get from an empty queue', empty)
}

async function order(t) {
  const c = await t.connect()
  const ch = await t.channelOf(c)
  const q = await t.queue(ch)
  const got = await consume(ch, q)
  const want = Array.from({ length: 300 }, (_, i) => `${i}`)
  publish(ch, q, ...want)
  await received(got, 300)
  assert.deepEqual(got.map(text), want)
  assert.deepEqual(got.map(m => m.fields.deliveryTag), want.map(i => +i + 1))
  assert.deepEqual([got[0].fields.consumerTag, got[0].fields.redelivered], [got.tag, false])
  await ch.close()
  const again = await get(await t.channelOf(c), q)
  assert.deepEqual([text(again), again.fields.redelivered], ['0', true])
}

async function acknowledge(t) {
  const [ch, other] = [await t.channel(), await t.channel()]
  const q = await t.shared(ch)
  publish(ch, q, '1', '2', '3', '4', '5', '6', '7')
  const m = []
  for (let i = 0; i < 7; i++) m.push(await get(ch, q))
  ch.ack(m[1], true)
  ch.reject(m[2], true)
  ch.reject(m[3], false)
  ch.nack(m[5], true, true)
  await ch.close()
  for (const want of ['3', '5', '6', '7']) assert.equal(text(await get(other, q)), want)
  other.ackAll()
  other.ackAll()
  await other.checkQueue(q)
  await other.close()
  assert.equal(await (await t.channel()).get(q), false)
}

async function recover(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  const got = await consume(ch, q)
  publish(ch, q, '1', '2')
  await received(got, 2)
  await ch.recover()
  await received(got, 4)
  assert.deepEqual(got.slice(2).map(m => [text(m), m.fields.redelivered, m.fields.deliveryTag]), [['1', true, 3], ['2', true, 4]])
}

async function prefetch(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  publish(ch, q, ...'123456789')
  await ch.prefetch(3)
  const one = await consume(ch, q)
  await received(one, 3)
  await ch.prefetch(1)
  const two = await consume(ch, q)
  await received(two, 1)
  await quiet(one, two)
  assert.deepEqual([one.length, two.length], [3, 1])
  ch.ack(one[0])
  await received(one, 4)
  await quiet(one, two)
}

async function globalPrefetch(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  publish(ch, q, ...'123456789')
  await ch.prefetch(3, true)
  const [one, two] = [await consume(ch, q), await consume(ch, q)]
  await until('three', () => one.length + two.length === 3)
  await quiet(one, two)
  ch.ackAll()
  await until('six', () => one.length + two.length === 6)
  await quiet(one, two)
}

async function cancel(t) {
  const [ch, other] = [await t.channel(), await t.channel()]
  const q = await t.shared(ch)
  const first = await consume(ch, q, { noAck: true })
  await ch.cancel(first.tag)
  publish(ch, q, '1')
  await quiet(first)
  const got = await consume(ch, q, { noAck: true })
  await received(got, 1)
  await other.deleteQueue(q)
  await until('basic.cancel', () => got.includes(null))
  await t.queue(ch)
}

async function exclusive(t) {
  const ch = await t.channel()
  const q = await t.shared(ch)
  await consume(ch, q, { exclusive: true })
  await refused(await t.channel(), [403, 60, 20], /ACCESS_REFUSED - queue '.*' in vhost '\/' in exclusive use/, other => other.consume(q, () => {}))
}

async function priorities(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  await ch.prefetch(1)
  const [low, high] = [await consume(ch, q, { priority: 1 }), await consume(ch, q, { priority: 9 })]
  publish(ch, q, '1')
  await received(high, 1)
  publish(ch, q, '2')
  await received(low, 1)
  publish(ch, q, '3')
  await quiet(high)
  ch.ack(high[0])
  await received(high, 2)
}

async function singleActive(t) {
  const [first, second] = [await t.channel(), await t.channel()]
  const q = await t.shared(first, { 'x-single-active-consumer': true })
  const [one, two] = [await consume(first, q), await consume(second, q)]
  publish(first, q, '1', '2')
  await received(one, 2)
  first.ack(one[0])
  await quiet(two)
  await first.close()
  await received(two, 1)
  assert.deepEqual(two.map(m => [text(m), m.fields.redelivered]), [['2', true]])
}

async function workers(t) {
  const producer = await t.channel()
  const q = await t.shared(producer)
  const all = []
  for (let i = 0; i < 8; i++) {
    const ch = await t.channel()
    await ch.prefetch(5)
    await ch.consume(q, m => {
      ch.ack(m)
      all.push(text(m))
    })
  }
  publish(producer, q, ...Array.from({ length: 800 }, (_, i) => `${i}`))
  await received(all, 800)
  assert.equal(new Set(all).size, 800)
  await ready(producer, q, 0)
}

async function empty(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  assert.equal(await ch.get(q), false)
  await bodies(ch, q)
}
