// Dead letters and what x-death says.
const assert = require('node:assert/strict')
const { bodies, get, publish, ready, sleep } = require('./harness.js')

module.exports = async suite => {
  await suite.run('dead letters: rejected, expired, maxlen', reasons)
  await suite.run('dead letters: counts in a retry loop', counts)
  await suite.run('dead letters: a circle without rejection is cut', cycle)
  await suite.run('dead letters: quorum queue at its delivery limit', limit)
}

// deaths are the entries of x-death, the latest first, without their times.
function deaths(m) {
  return (m.properties.headers['x-death'] || []).map(({ time, ...d }) => {
    assert.equal(time['!'], 'timestamp')
    return d
  })
}

async function reasons(t) {
  const ch = await t.channel()
  const [x, dead] = [await t.exchange(ch, 'fanout'), await t.queue(ch)]
  await ch.bindQueue(dead, x, '')
  const q = await t.queue(ch, { 'x-dead-letter-exchange': x })
  publish(ch, q, 'rejected')
  ch.reject(await get(ch, q), false)
  for (const [reason, more] of [['rejected', {}], ['expired', { 'original-expiration': '100' }]]) {
    if (reason === 'expired') ch.sendToQueue(q, Buffer.from('expired'), { expiration: 100 })
    const m = await get(ch, dead, { noAck: true })
    assert.deepEqual(deaths(m), [{ count: 1, reason, queue: q, exchange: '', 'routing-keys': [q], ...more }])
    const h = m.properties.headers
    assert.deepEqual([h['x-first-death-reason'], h['x-first-death-queue'], h['x-first-death-exchange']], [reason, q, ''])
    assert.equal(m.properties.expiration, undefined)
  }
  const { queue: short } = await ch.assertQueue(t.name('q'), { exclusive: true, maxLength: 1, deadLetterExchange: x, deadLetterRoutingKey: 'k' })
  publish(ch, short, '1', '2')
  const m = await get(ch, dead, { noAck: true })
  assert.deepEqual([m.fields.routingKey, deaths(m)[0].reason], ['k', 'maxlen'])
}

async function counts(t) {
  const ch = await t.channel()
  const [work, wait] = [t.name('work'), t.name('wait')]
  await ch.assertQueue(work, { exclusive: true, deadLetterExchange: '', deadLetterRoutingKey: wait })
  await ch.assertQueue(wait, { exclusive: true, deadLetterExchange: '', deadLetterRoutingKey: work, messageTtl: 50 })
  publish(ch, work, 'again')
  for (let turn = 0; turn < 4; turn++) {
    const m = await get(ch, work)
    assert.deepEqual(deaths(m).map(d => [d.count, d.reason, d.queue]), turn ? [[turn, 'expired', wait], [turn, 'rejected', work]] : [])
    ch.nack(m, false, false)
  }
}

async function cycle(t) {
  const ch = await t.channel()
  const q = t.name('own')
  await ch.assertQueue(q, { exclusive: true, deadLetterExchange: '', messageTtl: 50 })
  publish(ch, q, 'round')
  await ready(ch, q, 0)
  await sleep(200)
  await bodies(ch, q)
}

async function limit(t) {
  const ch = await t.channel()
  const [x, dead] = [await t.exchange(ch, 'fanout'), await t.queue(ch)]
  await ch.bindQueue(dead, x, '')
  const q = await t.shared(ch, { 'x-queue-type': 'quorum', 'x-delivery-limit': 1, 'x-dead-letter-exchange': x })
  publish(ch, q, 'poison')
  for (const count of [undefined, 1]) {
    const m = await get(ch, q)
    assert.equal(m.properties.headers['x-delivery-count'] || undefined, count)
    ch.nack(m)
  }
  assert.deepEqual(deaths(await get(ch, dead)).map(d => [d.count, d.reason, d.queue]), [[1, 'delivery_limit', q]])
}
