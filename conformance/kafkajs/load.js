// A group member and a producer for the rebalance judge, and topic digests.
// The lines that they print are described in package events.
const crypto = require('node:crypto')
const fs = require('node:fs')
const { Broker, sleep } = require('./harness')

// emit writes one line at once: a killed process must not hold lines back.
function emit(word, ...fields) {
  const time = BigInt(Date.now()) * 1000000n
  fs.writeSync(1, [word, time, ...fields].join('\t') + '\n')
}

async function member(o) {
  const consumer = new Broker(o.bootstrap, o.id).kafka.consumer({
    groupId: o.group, sessionTimeout: 6000, heartbeatInterval: 500, rebalanceTimeout: 10000, maxWaitTimeInMs: 200,
    maxBytesPerPartition: 8192,
  })
  let owned = []
  const give = () => owned.splice(0).forEach(p => emit('revoke', p))
  consumer.on(consumer.events.GROUP_JOIN, e => {
    give()
    owned = [...(e.payload.memberAssignment[o.topic] || [])]
    owned.forEach(p => emit('assign', p))
  })
  consumer.on(consumer.events.CRASH, e => {
    console.error(e.payload.error)
    if (!e.payload.restart) process.exit(1)
  })
  process.once('SIGTERM', async () => {
    await consumer.disconnect()
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topic: o.topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat, isRunning, isStale, resolveOffset }) => {
      let next = null
      for (const m of batch.messages) {
        if (!isRunning() || isStale()) break
        emit('poll', batch.partition, m.offset, m.value)
        resolveOffset(m.offset)
        next = BigInt(m.offset) + 1n
      }
      if (next === null) return
      await consumer.commitOffsets([{ topic: o.topic, partition: batch.partition, offset: `${next}` }])
      emit('commit', batch.partition, next)
      await heartbeat()
    },
  })
}

async function producer(o) {
  const client = new Broker(o.bootstrap, o.id).kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await client.connect()
  const start = Date.now()
  for (let i = 0; i < o.records;) {
    // All that are due go out in one request, partition by partition.
    const due = Math.min(o.records, Math.floor(((Date.now() - start) / 1000) * o.rate) + 1)
    const messages = []
    for (; i < due; i++) {
      const partition = i % o.partitions
      emit('send', partition, `${o.id}:${i}`)
      messages.push({ partition, value: `${o.id}:${i}` })
    }
    if (messages.length === 0) {
      await sleep(2)
      continue
    }
    for (const answer of await client.send({ topic: o.topic, messages })) {
      messages.filter(m => m.partition === answer.partition)
        .forEach((m, n) => emit('ack', m.partition, BigInt(answer.baseOffset) + BigInt(n), m.value))
    }
  }
  await client.disconnect()
}

// digest prints a hash of each partition; the Go program's digest says over what.
async function digest(o) {
  const broker = new Broker(o.bootstrap)
  const offsets = await broker.withAdmin(a => a.fetchTopicOffsets(o.topic))
  const sums = new Map(offsets.map(p => [p.partition, { hash: crypto.createHash('sha256'), count: 0, end: Number(p.high) }]))
  const left = new Set(offsets.filter(p => Number(p.high) > 0).map(p => p.partition))
  const consumer = broker.kafka.consumer({ groupId: `digest-${process.pid}-${Date.now()}` })
  await consumer.connect()
  await consumer.subscribe({ topic: o.topic, fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, e => reject(e.payload.error))
    consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const sum = sums.get(batch.partition)
        for (const m of batch.messages) {
          add(sum.hash, m)
          sum.count++
          if (Number(m.offset) + 1 >= sum.end) left.delete(batch.partition)
        }
        if (left.size === 0) resolve()
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  for (const p of [...sums.keys()].sort((a, b) => a - b)) {
    console.log(['digest', p, sums.get(p).count, sums.get(p).hash.digest('hex')].join('\t'))
  }
}

function add(hash, m) {
  const stamp = Buffer.alloc(8)
  stamp.writeBigInt64BE(BigInt(m.timestamp))
  hash.update(stamp)
  field(hash, m.key)
  field(hash, m.value)
  const headers = Object.entries(m.headers || {}).flatMap(([k, v]) => (Array.isArray(v) ? v : [v]).map(x => [k, x]))
  size(hash, headers.length)
  for (const [k, v] of headers) {
    field(hash, Buffer.from(k))
    field(hash, v)
  }
}

function size(hash, n) {
  const b = Buffer.alloc(4)
  b.writeInt32BE(n)
  hash.update(b)
}

function field(hash, bytes) {
  size(hash, bytes === null || bytes === undefined ? -1 : bytes.length)
  if (bytes) hash.update(bytes)
}

module.exports = { member, producer, digest }
