// Named checks with a closing count, and small tools that the checks share.
const assert = require('node:assert/strict')
const { Kafka, logLevel } = require('kafkajs')
const { CompressionTypes } = require('./codecs')

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
let serial = 0
const unique = what => `js-${what}-${process.pid}-${Date.now()}-${serial++}`

class Suite {
  constructor(name, only) {
    Object.assign(this, { name, only, passed: 0, failed: 0 })
  }

  // run counts one check; it fails when it throws or takes longer than limit ms.
  async run(title, check, limit = 60000) {
    if (this.only && !title.includes(this.only)) return
    const start = Date.now()
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${limit} ms`)), limit)
    })
    try {
      await Promise.race([check(), late])
      this.passed++
      console.log(`ok   ${title} (${Date.now() - start}ms)`)
    } catch (e) {
      this.failed++
      console.log(`FAIL ${title} (${Date.now() - start}ms): ${e.message.split('\n').slice(0, 6).join(' ')}`)
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

class Broker {
  constructor(bootstrap, clientId = 'kafkajs') {
    this.kafka = new Kafka({
      clientId, brokers: [bootstrap], connectionTimeout: 10000, logLevel: logLevel[process.env.CONFORMANCE_LOG || 'ERROR'],
      logCreator: () => entry => console.error(JSON.stringify(entry)),
    })
  }

  async withAdmin(f) {
    const admin = this.kafka.admin({ retry: { retries: 3 } })
    await admin.connect()
    try {
      return await f(admin)
    } finally {
      await admin.disconnect()
    }
  }

  async topic(partitions = 1, config = {}) {
    const topic = unique('t')
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value: String(value) }))
    await this.withAdmin(a => a.createTopics({
      topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
    }))
    return topic
  }

  // send produces the messages in one call and returns the first offset.
  async send(topic, messages, options = {}, producerOptions = {}) {
    const producer = this.kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 2 }, ...producerOptions })
    await producer.connect()
    try {
      const [answer] = await producer.send({ topic, messages, ...options })
      return Number(answer.baseOffset)
    } finally {
      await producer.disconnect()
    }
  }

  fill(topic, n, base = Date.now()) {
    const messages = [...Array(n).keys()].map(i => ({ value: `${i}`, partition: 0, timestamp: `${base + i}` }))
    return this.send(topic, messages)
  }

  // read reads n records of a topic in a new group and returns them.
  async read(topic, n, { groupId = unique('g'), seek, ...options } = {}) {
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 300, ...options })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const got = []
    try {
      await new Promise((resolve, reject) => {
        consumer.on(consumer.events.CRASH, e => reject(e.payload.error))
        consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            for (const m of batch.messages) got.push({ ...m, partition: batch.partition, codec: batch })
            if (got.length >= n) resolve()
          },
        }).catch(reject)
        if (seek !== undefined) consumer.seek({ topic, partition: 0, offset: `${seek}` })
        setTimeout(() => reject(new Error(`${got.length} of ${n} records after 30 s`)), 30000).unref()
      })
    } finally {
      await consumer.disconnect()
    }
    return got
  }
}

// until waits for a condition.
async function until(what, holds, limit = 30000) {
  const end = Date.now() + limit
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
    await sleep(20)
  }
}

// fails expects the call to be refused with the protocol's error.
async function fails(type, call) {
  try {
    await call()
  } catch (e) {
    const types = []
    const collect = x => {
      if (!x) return
      types.push(x.type, x.code)
      collect(x.cause)
      for (const inner of x.errors || x.groups || []) collect(inner.error || inner)
      for (const inner of x.partitions || []) collect(inner.error || inner)
    }
    collect(e)
    assert.ok(types.includes(type), `got ${e.name} ${types.filter(Boolean)} (${e.message}), want ${type}`)
    return
  }
  assert.fail(`it was accepted, want ${type}`)
}

module.exports = { assert, Broker, CompressionTypes, fails, sleep, Suite, unique, until }
