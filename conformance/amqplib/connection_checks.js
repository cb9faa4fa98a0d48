// Connections and channels: how they open, and what ends them.
const assert = require('node:assert/strict')
const { amqp, url, sleep, publish, bodies, ready, refused, cutOff } = require('./harness.js')

module.exports = async suite => {
  await suite.run('connection: server properties', serverProperties)
  await suite.run('connection: wrong password', password)
  await suite.run('connection: unknown virtual host', virtualHost)
  await suite.run('connection: AMQPLAIN', amqplain)
  await suite.run('connection: heartbeats keep an idle one', heartbeat)
  await suite.run('connection: small frames', smallFrames)
  await suite.run('connection: a consumer tag used twice', tagTwice)
  await suite.run('connection: update-secret', updateSecret)
  await suite.run('channel: many at once', many)
  await suite.run('channel: errors have code, class and method, and leave the connection', errors)
}

async function serverProperties(t) {
  const p = (await t.connect()).connection.serverProperties
  assert.ok(p.product && p.version, 'product and version')
  for (const name of ['publisher_confirms', 'basic.nack', 'consumer_cancel_notify', 'connection.blocked', 'exchange_exchange_bindings']) assert.equal(p.capabilities[name], true, name)
}

async function password() {
  const u = new URL(url)
  u.password = 'wrong'
  await assert.rejects(amqp.connect(u.toString()), /403.*ACCESS_REFUSED|ACCESS-REFUSED/)
}

async function virtualHost() {
  await assert.rejects(amqp.connect(new URL('/nowhere', url).toString()), /Expected ConnectionOpenOk; got <ConnectionClose/)
}

async function amqplain(t) {
  const u = new URL(url)
  const ch = await t.channelOf(await t.connect('', { credentials: amqp.credentials.amqplain(u.username, u.password) }))
  await t.queue(ch)
}

async function heartbeat(t) {
  const c = await t.connect('?heartbeat=2')
  await sleep(6000)
  await t.queue(await t.channelOf(c))
}

async function smallFrames(t) {
  const ch = await t.channelOf(await t.connect('?frameMax=4096&channelMax=5'))
  const q = await t.queue(ch)
  publish(ch, q, 'x'.repeat(50000))
  await bodies(ch, q, 'x'.repeat(50000))
}

async function tagTwice(t) {
  const c = await t.connect()
  const ch = await t.channelOf(c)
  const q = await t.queue(ch)
  await ch.consume(q, () => {}, { consumerTag: 'mine' })
  ch.consume(q, () => {}, { consumerTag: 'mine' }).catch(() => {})
  await cutOff(c, 530, /NOT_ALLOWED - attempt to reuse consumer tag 'mine'/, () => {})
}

async function updateSecret(t) {
  const c = await t.connect()
  await c.updateSecret(Buffer.from('guest'), 'rotation')
  await t.queue(await t.channelOf(c))
}

async function many(t) {
  const c = await t.connect()
  const first = await t.channelOf(c)
  const q = await t.queue(first)
  const channels = await Promise.all(Array.from({ length: 200 }, () => t.channelOf(c)))
  for (const ch of channels) publish(ch, q, 'x')
  await ready(first, q, 200)
}

async function errors(t) {
  const c = await t.connect()
  const keep = await t.channelOf(c)
  const q = await t.queue(keep)
  const no = t.name('no')
  const other = await t.connect()
  for (const [on, at, pattern, call] of [
    [c, [404, 50, 10], /NOT_FOUND - no queue '.*' in vhost '\/'/, ch => ch.checkQueue(no)],
    [c, [404, 40, 10], /NOT_FOUND - no exchange '.*' in vhost '\/'/, ch => ch.checkExchange(no)],
    [c, [404, 50, 20], /NOT_FOUND - no exchange/, ch => ch.bindQueue(q, no, 'k')],
    [c, [404, 40, 30], /NOT_FOUND - no exchange/, ch => ch.bindExchange(no, 'amq.direct', 'k')],
    [c, [404, 50, 30], /NOT_FOUND - no queue/, ch => ch.purgeQueue(no)],
    [c, [404, 60, 70], /NOT_FOUND - no queue/, ch => ch.get(no)],
    [c, [404, 60, 20], /NOT_FOUND - no queue/, ch => ch.consume(no, () => {})],
    [c, [404, 60, 40], /NOT_FOUND - no exchange/, ch => ch.publish(no, 'k', Buffer.alloc(0))],
    [c, [403, 40, 10], /ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix/, ch => ch.assertExchange('amq.mine', 'direct')],
    [c, [403, 50, 20], /ACCESS_REFUSED - operation not permitted on the default exchange/, ch => ch.bindQueue(q, '', 'k')],
    [c, [406, 50, 10], /PRECONDITION_FAILED - inequivalent arg 'auto_delete' for queue/, ch => ch.assertQueue(q, { exclusive: true, durable: false, autoDelete: true })],
    [c, [406, 60, 80], /PRECONDITION_FAILED - unknown delivery tag 9/, ch => ch.ack({ fields: { deliveryTag: 9 } })],
    [c, [406, 60, 120], /PRECONDITION_FAILED - unknown delivery tag 9/, ch => ch.nack({ fields: { deliveryTag: 9 } })],
    [c, [406, 60, 90], /PRECONDITION_FAILED - unknown delivery tag 9/, ch => ch.reject({ fields: { deliveryTag: 9 } })],
    [other, [405, 50, 10], /RESOURCE_LOCKED - cannot obtain exclusive access to locked queue/, ch => ch.checkQueue(q)]
  ]) await refused(await t.channelOf(on), at, pattern, call)
  publish(keep, q, 'still open')
  await bodies(keep, q, 'still open')
}
