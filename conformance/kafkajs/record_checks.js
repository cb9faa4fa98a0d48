// Produce and consume.
const crypto = require('node:crypto')
const { assert, CompressionTypes, fails, unique } = require('./harness')

const binary = Buffer.from([...Array(256).keys()])

function samples(n) {
  const kinds = [
    { key: Buffer.from('나루'), value: Buffer.from('강을 건너는 모든 배가 닿는 곳 — 한글 메시지') },
    { key: binary, value: Buffer.concat(Array(8).fill(binary)) },
    { key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { key: null, value: null },
    { key: Buffer.from('tombstone'), value: null },
    { key: null, value: Buffer.from('x'), headers: { 제목: Buffer.from('머리글'), twice: [Buffer.from('1'), Buffer.from('2')], binary } },
    { key: Buffer.from('text'), value: Buffer.from('compressible '.repeat(300)) },
  ]
  const base = Date.now()
  return [...Array(n).keys()].map(i => ({ headers: {}, ...kinds[i % kinds.length], partition: 0, timestamp: `${base + i}` }))
}

function same(sent, got, first) {
  assert.equal(got.length, sent.length, 'number of records')
  sent.forEach((s, i) => {
    const g = got[i]
    assert.equal(Number(g.offset), first + i, `offset of record ${i}`)
    assert.deepEqual(g.key, s.key, `key of record ${i}`)
    assert.deepEqual(g.value, s.value, `value of record ${i}`)
    assert.equal(g.timestamp, s.timestamp, `timestamp of record ${i}`)
    assert.deepEqual({ ...g.headers }, s.headers, `headers of record ${i}`)
  })
}

module.exports = async (suite, broker) => {
  const roundTrip = async (options, producerOptions) => {
    const topic = await broker.topic()
    const sent = samples(210)
    same(sent, await sendAndRead(topic, sent, options, producerOptions), 0)
  }
  const sendAndRead = async (topic, sent, options, producerOptions) => {
    assert.equal(await broker.send(topic, sent, options, producerOptions), 0, 'first offset')
    return broker.read(topic, sent.length)
  }

  for (const [name, compression] of Object.entries(CompressionTypes)) {
    if (name === 'LZ4') continue // read in the corpus run, written by the Java client
    await suite.run(`produce, ${name}: every shape of record comes back as it went`, () => roundTrip({ compression }))
  }
  await suite.run('produce, acks=1', () => roundTrip({ acks: 1 }))
  await suite.run('produce, idempotent', () => roundTrip({}, { idempotent: true, maxInFlightRequests: 1 }))

  await suite.run('produce, idempotent: 200 requests stay in order', async () => {
    const topic = await broker.topic()
    const producer = broker.kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (let i = 0; i < 200; i++) {
      const [answer] = await producer.send({ topic, messages: [{ value: `${i}` }] })
      assert.equal(Number(answer.baseOffset), i, 'offset')
    }
    await producer.disconnect()
    const got = await broker.read(topic, 200)
    assert.deepEqual(got.map(m => m.value.toString()), [...Array(200).keys()].map(String))
  })

  await suite.run('produce, acks=0: the records arrive', async () => {
    const topic = await broker.topic()
    const producer = broker.kafka.producer()
    await producer.connect()
    for (let i = 0; i < 20; i++) await producer.send({ topic, acks: 0, messages: [{ value: `${i}` }] })
    const got = await broker.read(topic, 20)
    await producer.disconnect()
    assert.deepEqual(got.map(m => m.value.toString()), [...Array(20).keys()].map(String))
  })

  await suite.run('produce, a record just below max.message.bytes', async () => {
    const topic = await broker.topic()
    const value = crypto.randomBytes(2 ** 20 - 200)
    await broker.send(topic, [{ value }])
    const [got] = await broker.read(topic, 1)
    assert.ok(got.value.equals(value), 'the value changed on the way')
  })

  await suite.run('produce, a record over max.message.bytes: MESSAGE_TOO_LARGE', async () => {
    const topic = await broker.topic()
    await fails('MESSAGE_TOO_LARGE', () => broker.send(topic, [{ value: crypto.randomBytes(2 ** 20 + 200) }]))
  })

  await suite.run('produce, the topic is created on the way', async () => {
    const topic = unique('auto')
    await broker.send(topic, [{ value: '첫 소식' }], {}, { allowAutoTopicCreation: true, retry: { retries: 8 } })
    assert.equal((await broker.read(topic, 1))[0].value.toString(), '첫 소식')
  })

  await suite.run('consume, from an offset in the middle', async () => {
    const topic = await broker.topic()
    await broker.fill(topic, 100)
    const got = await broker.read(topic, 43, { seek: 57 })
    assert.deepEqual(got.map(m => Number(m.offset)), [...Array(43).keys()].map(i => i + 57))
  })

  await suite.run('consume, tiny fetch limits still make progress', async () => {
    const topic = await broker.topic()
    for (let i = 0; i < 10; i++) await broker.send(topic, [{ value: 'v'.repeat(20000) }])
    const got = await broker.read(topic, 10, { maxBytesPerPartition: 1000, maxBytes: 1000 })
    assert.deepEqual(got.map(m => Number(m.offset)), [...Array(10).keys()])
  })

  await suite.run('consume, 20 partitions, each in order', async () => {
    const topic = await broker.topic(20)
    const messages = [...Array(2000).keys()].map(i => ({ value: `${i}`, partition: i % 20 }))
    await broker.send(topic, messages)
    const got = await broker.read(topic, 2000)
    const next = Array(20).fill(0)
    for (const m of got) {
      assert.equal(Number(m.offset), next[m.partition], 'offset')
      assert.equal(Number(m.value), next[m.partition]++ * 20 + m.partition, 'value')
    }
  })
}
