// Consumer groups.
const { assert, unique, until } = require('./harness')

// Member is a consumer that remembers what it owns and counts what it reads.
class Member {
  constructor(broker, topic, group, options = {}) {
    this.topic = topic
    this.owned = []
    this.seen = []
    this.generations = 0
    this.consumer = broker.kafka.consumer({ groupId: group, sessionTimeout: 30000, heartbeatInterval: 200, maxWaitTimeInMs: 300, ...options })
    this.consumer.on(this.consumer.events.GROUP_JOIN, e => {
      this.owned = e.payload.memberAssignment[topic] || []
      this.generations++
    })
  }

  async start(config = {}) {
    await this.consumer.connect()
    await this.consumer.subscribe({ topic: this.topic, fromBeginning: true })
    await this.consumer.run({ eachMessage: async ({ message }) => { this.seen.push(Number(message.offset)) }, ...config })
    return this
  }

  leave() {
    return this.consumer.disconnect()
  }
}

module.exports = async (suite, broker) => {
  await suite.run('group, two members share all partitions', async () => {
    const topic = await broker.topic(6)
    const group = unique('g')
    const a = await new Member(broker, topic, group).start()
    await until('the first has 6', () => a.owned.length === 6)
    const b = await new Member(broker, topic, group).start()
    await until('each has 3', () => a.owned.length === 3 && b.owned.length === 3)
    assert.equal(new Set([...a.owned, ...b.owned]).size, 6, 'different partitions')
    await b.leave()
    await until('the first has 6 again', () => a.owned.length === 6)
    await a.leave()
  })

  await suite.run('group, commits and goes on where it was', async () => {
    const topic = await broker.topic()
    const group = unique('g')
    await broker.fill(topic, 50)
    const a = await new Member(broker, topic, group).start()
    await until('50 records', () => a.seen.length === 50)
    await a.leave() // commits what was processed
    await broker.fill(topic, 10)
    const b = await new Member(broker, topic, group).start()
    await until('10 records', () => b.seen.length >= 10)
    assert.deepEqual(b.seen, [...Array(10).keys()].map(i => i + 50))
    await b.leave()
  })

  await suite.run('group, manual commits', async () => {
    const topic = await broker.topic()
    const group = unique('g')
    await broker.fill(topic, 20)
    const a = await new Member(broker, topic, group).start({ autoCommit: false })
    await until('20 records', () => a.seen.length === 20)
    await a.consumer.commitOffsets([{ topic, partition: 0, offset: '7', metadata: '나루' }])
    await a.leave()
    const [got] = await broker.withAdmin(admin => admin.fetchOffsets({ groupId: group, topics: [topic] }))
    assert.equal(got.partitions[0].offset, '7')
    assert.equal(got.partitions[0].metadata, '나루')
    const b = await new Member(broker, topic, group).start()
    await until('13 records', () => b.seen.length >= 13)
    assert.equal(b.seen[0], 7, 'first offset')
    await b.leave()
  })

  await suite.run('group, a long poll answers as soon as there is a record', async () => {
    const topic = await broker.topic()
    const a = await new Member(broker, topic, unique('g'), { maxWaitTimeInMs: 12000 }).start()
    await until('assigned', () => a.owned.length === 1)
    await broker.fill(topic, 1)
    await until('first record', () => a.seen.length === 1)
    const start = Date.now()
    await broker.fill(topic, 1)
    await until('second record', () => a.seen.length === 2)
    assert.ok(Date.now() - start < 9000, `it took ${Date.now() - start} ms`)
    await Promise.all([a.leave(), broker.fill(topic, 1)]) // it leaves when its fetch is answered
  })

  await suite.run('group, seek in a running member', async () => {
    const topic = await broker.topic()
    await broker.fill(topic, 10)
    const a = await new Member(broker, topic, unique('g')).start()
    await until('10 records', () => a.seen.length === 10)
    a.consumer.seek({ topic, partition: 0, offset: '4' })
    await until('6 more', () => a.seen.length === 16)
    assert.deepEqual(a.seen.slice(10), [4, 5, 6, 7, 8, 9])
    await a.leave()
  })
}
