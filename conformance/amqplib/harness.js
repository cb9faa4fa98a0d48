// Named checks with a closing count, and what each of them opens and declares.
const assert = require('node:assert/strict')
const amqp = require('amqplib')

const url = process.env.AMQP_URL || 'amqp://guest:guest@127.0.0.1:5672/'
const runName = `amqplib-${process.pid}-${Math.floor(Date.now() / 1000)}`
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// until polls; a broker has no call that waits for what it does in the background.
async function until(what, holds, limit = 30000) {
  for (const end = Date.now() + limit; !(await holds()); await sleep(20)) assert.ok(Date.now() < end, `not within ${limit} ms: ${what}`)
}

// Test is one check: what it opened and declared goes when it ends.
class Test {
  constructor(number) {
    Object.assign(this, { prefix: `${runName}-${number}-`, names: 0, connections: [], queues: [], exchanges: [] })
  }

  name(what) {
    return `${this.prefix}${what}${++this.names}`
  }

  // connect opens a connection; how it is closed is in its closedBy.
  async connect(query = '', options = {}) {
    const c = await amqp.connect(url + query, options)
    c.on('error', e => { c.closedBy = e })
    this.connections.push(c)
    return c
  }

  async channelOf(c, confirm = false) {
    const ch = await (confirm ? c.createConfirmChannel() : c.createChannel())
    ch.on('error', e => { ch.closedBy = e })
    return ch
  }

  async channel(confirm = false) {
    return this.channelOf(await this.connect(), confirm)
  }

  // queue declares an exclusive queue.
  async queue(ch, args) {
    return (await ch.assertQueue(this.name('q'), { exclusive: true, durable: false, arguments: args })).queue
  }

  // shared declares a durable queue that other connections see.
  async shared(ch, args) {
    const { queue } = await ch.assertQueue(this.name('q'), { durable: true, arguments: args })
    this.queues.push(queue)
    return queue
  }

  async exchange(ch, kind, options = {}) {
    const { exchange } = await ch.assertExchange(this.name('x'), kind, { durable: false, ...options })
    this.exchanges.push(exchange)
    return exchange
  }

  async exists(queue) {
    const ch = await this.channel()
    try {
      await ch.checkQueue(queue)
      return true
    } catch (e) {
      assert.equal(e.code, 404)
      return false
    } finally {
      await ch.connection.close()
    }
  }

  async end() {
    // Some are closed already, as their check meant it; of one cut off the client waits for an answer.
    for (const c of this.connections) await Promise.race([c.close().catch(() => {}), sleep(1000)])
    if (!this.queues.length && !this.exchanges.length) return
    const c = await amqp.connect(url)
    const ch = await c.createChannel()
    for (const q of this.queues) await ch.deleteQueue(q)
    for (const x of this.exchanges) await ch.deleteExchange(x)
    await c.close()
  }
}

class Suite {
  constructor(name, only) {
    Object.assign(this, { name, only, number: 0, passed: 0, failed: 0 })
  }

  // run counts one check; it fails when it throws or takes longer than two minutes.
  async run(title, check) {
    this.number++
    if (this.only && !title.includes(this.only)) return
    const start = Date.now()
    const t = new Test(this.number)
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('not done within two minutes')), 120000)
    })
    try {
      await Promise.race([check(t).finally(() => t.end()), late])
      this.passed++
      console.log(`ok   ${title} (${Date.now() - start}ms)`)
    } catch (e) {
      this.failed++
      console.log(`FAIL ${title} (${Date.now() - start}ms): ${e.message.split('\n').slice(0, 12).join(' ').slice(0, 400)}`)
      console.error(e.stack)
    } finally {
      clearTimeout(timer)
    }
  }

  finish() {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`)
    return this.failed || !this.passed ? 1 : 0
  }
}

function publish(ch, queue, ...bodies) {
  for (const b of bodies) ch.sendToQueue(queue, Buffer.from(b))
}

async function get(ch, queue, options = {}) {
  let m
  await until(`a message in ${queue}`, async () => (m = await ch.get(queue, options)))
  return m
}

// bodies takes the messages that are wanted, and sees that no other follows.
async function bodies(ch, queue, ...want) {
  const got = []
  for (const _ of want) got.push((await get(ch, queue, { noAck: true })).content.toString())
  assert.deepEqual(got, want)
  assert.equal(await ch.get(queue, { noAck: true }), false, `one more in ${queue}`)
}

const ready = (ch, queue, messages) => until(`${messages} messages ready in ${queue}`, async () => (await ch.checkQueue(queue)).messageCount === messages)

// consume returns the deliveries so far, a list that grows; null in it is a cancel.
async function consume(ch, queue, options = {}) {
  const got = []
  got.tag = (await ch.consume(queue, m => got.push(m), options)).consumerTag
  return got
}

const received = (got, n) => until(`${n} deliveries`, () => got.length >= n)

async function quiet(...lists) {
  const before = lists.map(l => l.length)
  await sleep(300)
  assert.deepEqual(lists.map(l => l.length), before, 'delivered what was not expected')
}

const text = m => m.content.toString()

// refused expects the channel to be closed with code, class, method and a text.
async function refused(ch, [code, classId, methodId], pattern, call) {
  try {
    await call(ch)
    await until('the channel is closed', () => ch.closedBy)
  } catch (e) {
    if (!ch.closedBy) throw e
  }
  const e = ch.closedBy
  assert.deepEqual([e.code, e.classId, e.methodId], [code, classId, methodId], e.message)
  assert.match(e.message, pattern)
}

// cutOff expects the connection to be closed with a code and a text.
async function cutOff(c, code, pattern, call) {
  try {
    await call()
  } catch {
    // the call failed with the connection
  }
  await until('the connection is closed', () => c.closedBy)
  assert.equal(c.closedBy.code, code, c.closedBy.message)
  assert.match(c.closedBy.message, pattern)
}

module.exports = { Suite, amqp, url, sleep, until, publish, get, bodies, ready, consume, received, quiet, text, refused, cutOff }
