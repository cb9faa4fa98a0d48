// SubscribeToShard.
const { assert, fails, first, sleep, text, unique, until } = require('./harness')

async function register(k, name) {
  const { Consumer: { ConsumerARN } } = await k.client.registerStreamConsumer({ StreamARN: await k.arn(name), ConsumerName: unique('c') })
  await until('the consumer is active', async () => (await k.client.describeStreamConsumer({ ConsumerARN })).ConsumerDescription.ConsumerStatus === 'ACTIVE')
  return ConsumerARN
}

// subscribe tries again while the subscription before has not ended yet.
async function subscribe(k, ConsumerARN, StartingPosition, ShardId = first) {
  for (;;) {
    try {
      return await k.client.subscribeToShard({ ConsumerARN, ShardId, StartingPosition })
    } catch (e) {
      if (e.name !== 'ResourceInUseException') throw e
      await sleep(200)
    }
  }
}

// read collects n records, or all that come until the stream ends.
async function read(answer, n = Infinity, each = () => {}) {
  const records = []
  let last
  for await (const { SubscribeToShardEvent: event } of answer.EventStream) {
    if (!event) continue
    last = event
    records.push(...event.Records)
    if (records.length >= n) break
    await each(records)
  }
  return { records: records.map(r => text(r.Data)), last }
}

async function live(k) {
  const name = await k.stream(), consumer = await register(k, name)
  await k.put(name, '0')
  let more = false
  const got = await read(await subscribe(k, consumer, { Type: 'TRIM_HORIZON' }), 3, async records => {
    if (records.length && !more) {
      more = true
      await k.put(name, '1')
      await k.put(name, '나루')
    }
  })
  assert.deepEqual([got.records, got.last.MillisBehindLatest], [['0', '1', '나루'], 0])
  await k.put(name, '3')
  const next = await read(await subscribe(k, consumer, { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: got.last.ContinuationSequenceNumber }), 1)
  assert.deepEqual(next.records, ['3'])
}

async function shardEnd(k) {
  const name = await k.stream(), consumer = await register(k, name)
  await k.put(name, '0')
  await k.client.splitShard({ StreamName: name, ShardToSplit: first, NewStartingHashKey: '1000000' })
  await k.active(name)
  const got = await read(await subscribe(k, consumer, { Type: 'TRIM_HORIZON' }))
  assert.deepEqual(got.records, ['0'])
  assert.deepEqual(got.last.ChildShards.map(c => c.ShardId).toSorted(), ['shardId-000000000001', 'shardId-000000000002'])
}

async function refusals(k) {
  const consumer = await register(k, await k.stream())
  await fails('ResourceNotFoundException', subscribe(k, consumer, { Type: 'LATEST' }, 'shardId-000000000007'))
}

module.exports = async (suite, k) => {
  for (const [title, check] of Object.entries({ 'records there are and records to come': live, 'the end of a shard': shardEnd, refusals })) {
    await suite.run(`${k.http}: consumer: ${title}`, check, k)
  }
}
