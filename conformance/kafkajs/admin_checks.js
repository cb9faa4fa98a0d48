// Administration with the admin client of KafkaJS.
const { ConfigResourceTypes } = require('kafkajs')
const { assert, fails, unique, until } = require('./harness')

module.exports = async (suite, broker) => {
  const admin = (title, check) => suite.run(`admin, ${title}`, () => broker.withAdmin(check))

  await admin('create, list, describe and delete a topic', async a => {
    const topic = await broker.topic(3)
    assert.ok((await a.listTopics()).includes(topic), 'listed')
    const { topics: [described] } = await a.fetchTopicMetadata({ topics: [topic] })
    assert.equal(described.partitions.length, 3, 'partitions')
    for (const p of described.partitions) assert.equal(p.isr.length, 1, 'ISR')
    assert.equal(await a.createTopics({ topics: [{ topic }] }), false, 'created again')
    await a.deleteTopics({ topics: [topic] })
    await until('it is gone', async () => !(await a.listTopics()).includes(topic))
    await fails('UNKNOWN_TOPIC_OR_PARTITION', () => a.deleteTopics({ topics: [topic] }))
  })

  await admin('bad topics are refused', async a => {
    await fails('INVALID_TOPIC_EXCEPTION', () => a.createTopics({ topics: [{ topic: 'a topic' }] }))
    await fails('INVALID_REPLICATION_FACTOR', () => a.createTopics({ topics: [{ topic: unique('three'), replicationFactor: 3 }] }))
    await fails('INVALID_CONFIG', () => a.createTopics({
      topics: [{ topic: unique('bad'), configEntries: [{ name: 'no.such.setting', value: '1' }] }],
    }))
  })

  await admin('validate only creates nothing', async a => {
    const topic = unique('validate')
    await a.createTopics({ validateOnly: true, waitForLeaders: false, topics: [{ topic }] })
    assert.ok(!(await a.listTopics()).includes(topic), 'exists')
  })

  await admin('add partitions', async a => {
    const topic = await broker.topic(2)
    await a.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
    await until('5 partitions', async () => (await a.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 5)
    await fails('INVALID_PARTITIONS', () => a.createPartitions({ topicPartitions: [{ topic, count: 3 }] }))
  })

  await admin('describe and change settings', async a => {
    const topic = await broker.topic(1, { 'retention.bytes': 1000000 })
    const get = async name => {
      const { resources: [r] } = await a.describeConfigs({ includeSynonyms: true, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
      return r.configEntries.find(c => c.configName === name)
    }
    assert.equal((await get('retention.bytes')).configValue, '1000000')
    assert.equal((await get('retention.ms')).isDefault, true)
    await a.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
    await until('retention.ms is changed', async () => (await get('retention.ms')).configValue === '7200000')
    assert.equal((await get('retention.bytes')).configValue, '-1', 'what the change did not name')
  })

  await admin('offsets: all, by time', async a => {
    const topic = await broker.topic()
    const base = Date.now() - 100000
    await broker.fill(topic, 50, base)
    const [all] = await a.fetchTopicOffsets(topic)
    assert.deepEqual({ ...all }, { partition: 0, offset: '50', high: '50', low: '0' })
    assert.equal((await a.fetchTopicOffsetsByTimestamp(topic, base + 20))[0].offset, '20')
    assert.equal((await a.fetchTopicOffsetsByTimestamp(topic, base + 99000))[0].offset, '50')
  })

  await admin('delete records', async a => {
    const topic = await broker.topic()
    await broker.fill(topic, 100)
    assert.equal((await a.fetchTopicOffsets(topic))[0].low, '0')
    await a.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '30' }] })
    assert.equal((await a.fetchTopicOffsets(topic))[0].low, '30')
    assert.equal(Number((await broker.read(topic, 70))[0].offset), 30, 'first record')
  })

  await admin('groups: set, fetch, reset offsets, list, describe, delete', async a => {
    const topic = await broker.topic()
    const groupId = unique('g')
    await broker.fill(topic, 10)
    await a.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '4' }] })
    const offset = async () => (await a.fetchOffsets({ groupId, topics: [topic], resolveOffsets: true }))[0].partitions[0].offset
    assert.equal(await offset(), '4')
    await a.resetOffsets({ groupId, topic, earliest: true })
    assert.equal(await offset(), '0')
    assert.ok((await a.listGroups()).groups.some(g => g.groupId === groupId), 'listed')
    const { groups: [described] } = await a.describeGroups([groupId])
    assert.equal(described.state, 'Empty')
    const [deleted] = await a.deleteGroups([groupId])
    assert.equal(deleted.errorCode || 0, 0)
    await fails('GROUP_ID_NOT_FOUND', () => a.deleteGroups([groupId]))
  })

  await admin('a group with a member', async a => {
    const topic = await broker.topic(3)
    const groupId = unique('g')
    const consumer = broker.kafka.consumer({ groupId, maxWaitTimeInMs: 300 })
    let joined = false
    consumer.on(consumer.events.GROUP_JOIN, () => { joined = true })
    await consumer.connect()
    await consumer.subscribe({ topic })
    await consumer.run({ eachMessage: async () => {} })
    await until('joined', () => joined)
    const { groups: [described] } = await a.describeGroups([groupId])
    assert.equal(described.state, 'Stable')
    assert.equal(described.members.length, 1)
    assert.equal(described.members[0].clientId, 'kafkajs')
    await fails('NON_EMPTY_GROUP', () => a.deleteGroups([groupId]))
    await consumer.disconnect()
  })

  await admin('describe the cluster', async a => {
    const got = await a.describeCluster()
    assert.equal(got.brokers.length, Number(process.env.BROKERS ?? 1))
    assert.ok(got.brokers.some(b => b.nodeId === got.controller), 'the controller is one of them')
    assert.ok(got.clusterId)
  })
}
