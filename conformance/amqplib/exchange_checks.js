// Exchanges, their bindings, and where messages go.
const assert = require('node:assert/strict')
const { bodies, get, publish, refused } = require('./harness.js')

module.exports = async suite => {
  await suite.run('exchange: direct, fanout, topic', kinds)
  await suite.run('exchange: headers', headers)
  await suite.run('exchange: to exchange', toExchange)
  await suite.run('exchange: alternate', alternate)
  await suite.run('exchange: internal, auto-delete, in use', lifetimes)
  await suite.run('exchange: declared otherwise', inequivalent)
  await suite.run('exchange: CC and BCC', carbonCopies)
}

const send = (ch, x, key, body, options) => ch.publish(x, key, Buffer.from(body), options)

async function kinds(t) {
  const ch = await t.channel()
  for (const [kind, key, want] of [['direct', 'a.b', ['a.b']], ['fanout', '', ['a.b', 'a', 'x.b', 'a.b.c']], ['topic', '#.b.#', ['a.b', 'x.b', 'a.b.c']]]) {
    const x = await t.exchange(ch, kind)
    const q = await t.queue(ch)
    await ch.bindQueue(q, x, key)
    for (const k of ['a.b', 'a', 'x.b', 'a.b.c']) send(ch, x, k, k)
    await bodies(ch, q, ...want)
    await ch.unbindQueue(q, x, key)
    send(ch, x, 'a.b', 'unbound')
    await bodies(ch, q)
  }
}

async function headers(t) {
  const ch = await t.channel()
  const x = await t.exchange(ch, 'headers')
  const [all, any] = [await t.queue(ch), await t.queue(ch)]
  await ch.bindQueue(all, x, '', { 'x-match': 'all', a: 1, b: 'two' })
  await ch.bindQueue(any, x, '', { 'x-match': 'any', a: 1, b: 'two' })
  ;[{ a: 1, b: 'two' }, { a: 1 }, { b: 'three' }, {}].forEach((h, i) => send(ch, x, '', `${i}`, { headers: h }))
  await bodies(ch, all, '0')
  await bodies(ch, any, '0', '1')
}

async function toExchange(t) {
  const ch = await t.channel()
  const [a, b, q] = [await t.exchange(ch, 'topic'), await t.exchange(ch, 'fanout'), await t.queue(ch)]
  await ch.bindExchange(b, a, 'k.*')
  await ch.bindQueue(q, b, '')
  send(ch, a, 'k.1', '1')
  await ch.unbindExchange(b, a, 'k.*')
  send(ch, a, 'k.2', '2')
  await bodies(ch, q, '1')
}

async function alternate(t) {
  const ch = await t.channel()
  const other = await t.exchange(ch, 'fanout')
  const x = await t.exchange(ch, 'direct', { alternateExchange: other })
  const q = await t.queue(ch)
  await ch.bindQueue(q, other, '')
  send(ch, x, 'unbound', 'found')
  const m = await get(ch, q)
  assert.deepEqual([m.content.toString(), m.fields.exchange, m.fields.routingKey], ['found', x, 'unbound'])
}

async function lifetimes(t) {
  const c = await t.connect()
  const ch = await t.channelOf(c)
  const internal = await t.exchange(ch, 'fanout', { internal: true })
  await refused(await t.channelOf(c), [403, 60, 40], /ACCESS_REFUSED - cannot publish to internal exchange/, bad => send(bad, internal, '', 'no'))
  const [auto, q] = [await t.exchange(ch, 'fanout', { autoDelete: true }), await t.queue(ch)]
  await ch.bindQueue(q, auto, '')
  await refused(await t.channelOf(c), [406, 40, 20], /PRECONDITION_FAILED - exchange '.*' in vhost '\/' in use/, bad => bad.deleteExchange(auto, { ifUnused: true }))
  await ch.unbindQueue(q, auto, '')
  await refused(await t.channelOf(c), [404, 40, 10], /NOT_FOUND/, bad => bad.checkExchange(auto))
}

async function inequivalent(t) {
  const c = await t.connect()
  const x = await t.exchange(await t.channelOf(c), 'direct')
  for (const [arg, received, current, kind, options] of [['type', 'topic', 'direct', 'topic', {}], ['durable', 'true', 'false', 'direct', { durable: true }],
    ['auto_delete', 'true', 'false', 'direct', { autoDelete: true }], ['internal', 'true', 'false', 'direct', { internal: true }]]) {
    await refused(await t.channelOf(c), [406, 40, 10], new RegExp(`PRECONDITION_FAILED - inequivalent arg '${arg}' for exchange '${x}' in vhost '/': received '${received}' but current is '${current}'`),
      ch => ch.assertExchange(x, kind, { durable: false, ...options }))
  }
  const ch = await t.channelOf(c)
  await ch.assertExchange(x, 'direct', { durable: false })
  await ch.deleteExchange(x)
  await ch.deleteExchange(x)
}

async function carbonCopies(t) {
  const ch = await t.channel()
  const x = await t.exchange(ch, 'direct')
  const queues = []
  for (const key of ['to', 'cc', 'bcc']) {
    queues.push(await t.queue(ch))
    await ch.bindQueue(queues.at(-1), x, key)
  }
  send(ch, x, 'to', 'x', { CC: ['cc'], BCC: ['bcc'] })
  for (const q of queues) assert.deepEqual((await get(ch, q, { noAck: true })).properties.headers, { CC: ['cc'] })
  publish(ch, queues[0], 'alone')
  await bodies(ch, queues[0], 'alone')
}
