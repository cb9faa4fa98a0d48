// Properties, returns and confirms.
const assert = require('node:assert/strict')
const crypto = require('node:crypto')
const { bodies, get, publish, ready, refused, until } = require('./harness.js')

module.exports = async suite => {
  await suite.run('publish: properties and headers come back', properties)
  await suite.run('publish: empty, binary and large bodies', allSizes)
  await suite.run('publish: mandatory returns', mandatory)
  await suite.run('publish: the wrong user-id', userId)
  await suite.run('publish: faster than the socket takes it', drain)
  await suite.run('confirms: a thousand', confirms)
  await suite.run('confirms: nack when the queue is full', nack)
  await suite.run('confirms: a return comes before its ack', returnFirst)
}

async function properties(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  const headers = {
    yes: true, no: false, small: 5, negative: -70000, large: 2 ** 40, fraction: 2.25, text: '나루 🛶', none: null, list: [1, 'two', null, [true]],
    table: { deep: { deeper: 'x' } }, bytes: Buffer.from([0, 1, 255]), time: { '!': 'timestamp', value: 1700000000 }, decimal: { '!': 'decimal', value: { digits: 314, places: 2 } }
  }
  const sent = {
    contentType: 'a/b', contentEncoding: 'gzip', deliveryMode: 2, priority: 3, correlationId: 'c', replyTo: 'r', expiration: '60000',
    messageId: 'm', timestamp: 1700000001, type: 't', userId: 'guest', appId: 'a'
  }
  ch.sendToQueue(q, Buffer.from('b'), { headers, ...sent })
  const { properties: got, fields } = await get(ch, q)
  for (const [k, v] of Object.entries(sent)) assert.deepEqual(got[k], v, k)
  assert.deepEqual(got.headers, headers)
  assert.deepEqual([fields.exchange, fields.routingKey, fields.redelivered, fields.deliveryTag], ['', q, false, 1])
  publish(ch, q, 'bare')
  const bare = (await get(ch, q)).properties
  for (const k of Object.keys(sent)) assert.equal(bare[k], undefined, k)
}

async function allSizes(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  for (const size of [0, 1, 131064, 131065, 1 << 20]) {
    const body = crypto.randomBytes(size)
    ch.sendToQueue(q, body)
    assert.ok(body.equals((await get(ch, q, { noAck: true })).content), `${size} bytes`)
  }
}

async function mandatory(t) {
  const ch = await t.channel()
  const back = []
  ch.on('return', m => back.push(m))
  const no = t.name('no')
  ch.sendToQueue(no, Buffer.from('dropped'))
  ch.sendToQueue(no, Buffer.from('back'), { mandatory: true, messageId: 'm' })
  await until('the return', () => back.length)
  const { fields, properties: p, content } = back[0]
  assert.deepEqual([fields.replyCode, fields.replyText, fields.exchange, fields.routingKey, p.messageId, content.toString()], [312, 'NO_ROUTE', '', no, 'm', 'back'])
  assert.equal(back.length, 1)
}

async function userId(t) {
  await refused(await t.channel(), [406, 60, 40], /PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'/,
    ch => ch.sendToQueue('q', Buffer.from('x'), { userId: 'somebody' }))
}

async function drain(t) {
  const ch = await t.channel()
  const q = await t.queue(ch)
  let full = 0
  for (let i = 0; i < 3000; i++) {
    if (ch.sendToQueue(q, Buffer.alloc(2000))) continue
    full++
    await new Promise(resolve => ch.once('drain', resolve))
  }
  assert.ok(full > 0, 'it never was too fast')
  await ready(ch, q, 3000)
}

async function confirms(t) {
  const ch = await t.channel(true)
  const q = await t.shared(ch)
  let acked = 0
  for (let i = 0; i < 1000; i++) ch.sendToQueue(q, Buffer.from(`${i}`), { persistent: true }, e => { acked += e ? 0 : 1 })
  await ch.waitForConfirms()
  assert.equal(acked, 1000)
  await ready(ch, q, 1000)
}

async function nack(t) {
  const ch = await t.channel(true)
  const q = await t.queue(ch, { 'x-max-length': 1, 'x-overflow': 'reject-publish' })
  const send = body => new Promise(resolve => ch.sendToQueue(q, Buffer.from(body), {}, e => resolve(e ? 'nack' : 'ack')))
  assert.deepEqual([await send('1'), await send('2'), await send('3')], ['ack', 'nack', 'nack'])
  await bodies(ch, q, '1')
  assert.equal(await send('4'), 'ack')
}

async function returnFirst(t) {
  const ch = await t.channel(true)
  const heard = []
  ch.on('return', () => heard.push('return'))
  ch.sendToQueue(t.name('no'), Buffer.from('x'), { mandatory: true }, e => heard.push(e ? 'nack' : 'ack'))
  await until('both', () => heard.length === 2)
  assert.deepEqual(heard, ['return', 'ack'])
}
