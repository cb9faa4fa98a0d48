// Streams and their shards.
const { assert, fails, first, text, unique, until } = require('./harness')
const { waitUntilStreamExists, waitUntilStreamNotExists, paginateListStreams } = require('@aws-sdk/client-kinesis')

async function lifecycle(k) {
  const client = k.client, StreamName = unique('s')
  await client.createStream({ StreamName, ShardCount: 2 })
  await waitUntilStreamExists({ client, maxWaitTime: 50, minDelay: 0.1, maxDelay: 0.2 }, { StreamName })
  const d = (await client.describeStream({ StreamName })).StreamDescription
  assert.deepEqual([d.StreamName, d.StreamStatus, d.HasMoreShards, d.RetentionPeriodHours, d.Shards.map(s => s.ShardId)],
    [StreamName, 'ACTIVE', false, 24, [first, 'shardId-000000000001']])
  assert.ok(Math.abs(d.StreamCreationTimestamp - Date.now()) < 60000, `created at ${d.StreamCreationTimestamp}`)
  assert.equal((await client.describeStreamSummary({ StreamARN: d.StreamARN })).StreamDescriptionSummary.OpenShardCount, 2)
  await client.deleteStream({ StreamName })
  await waitUntilStreamNotExists({ client, maxWaitTime: 50, minDelay: 0.1, maxDelay: 0.2 }, { StreamName })
  await fails('ResourceNotFoundException', client.describeStream({ StreamName }), `Stream ${StreamName} under account `)
}

async function listing(k) {
  const names = [await k.stream(), await k.stream(), await k.stream()]
  const got = []
  for await (const page of paginateListStreams({ client: k.client, pageSize: 2 }, {})) got.push(...page.StreamNames)
  assert.deepEqual(got.filter(n => names.includes(n)), names.toSorted())
}

async function settings(k) {
  const StreamName = await k.stream()
  await k.client.addTagsToStream({ StreamName, Tags: { 이름: '나루' } })
  assert.deepEqual((await k.client.listTagsForStream({ StreamName })).Tags, [{ Key: '이름', Value: '나루' }])
  await k.client.increaseStreamRetentionPeriod({ StreamName, RetentionPeriodHours: 72 })
  await k.active(StreamName)
  assert.equal((await k.summary(StreamName)).RetentionPeriodHours, 72)
}

async function refusals(k) {
  const StreamName = await k.stream()
  await fails('ResourceInUseException', k.client.createStream({ StreamName, ShardCount: 1 }), `Stream ${StreamName} under account `)
  await fails('ValidationException', k.client.createStream({ StreamName: '', ShardCount: 0 }), "Value '0' at 'shardCount' failed to satisfy constraint: Member must have value greater than or equal to 1")
  await fails('InvalidArgumentException', k.client.getRecords({ ShardIterator: 'none' }))
}

async function reshard(k) {
  const StreamName = await k.stream()
  await k.put(StreamName, '0')
  await k.client.splitShard({ StreamName, ShardToSplit: first, NewStartingHashKey: (1n << 127n).toString() })
  await k.active(StreamName)
  const [parent, ...children] = await k.shards(StreamName)
  assert.ok(parent.SequenceNumberRange.EndingSequenceNumber)
  assert.deepEqual(children.map(c => [c.ParentShardId, c.HashKeyRange.StartingHashKey]), [[first, '0'], [first, (1n << 127n).toString()]])
  let answer, ShardIterator = await k.iterator(StreamName)
  const got = []
  while (ShardIterator) {
    answer = await k.client.getRecords({ ShardIterator })
    got.push(...answer.Records.map(r => text(r.Data)))
    ShardIterator = answer.NextShardIterator
  }
  assert.deepEqual(got, ['0'])
  assert.deepEqual(answer.ChildShards.map(c => c.ShardId).toSorted(), children.map(c => c.ShardId))
  await k.client.mergeShards({ StreamName, ShardToMerge: children[0].ShardId, AdjacentShardToMerge: children[1].ShardId })
  await k.active(StreamName)
  const merged = (await k.shards(StreamName))[3]
  assert.deepEqual([merged.ParentShardId, merged.AdjacentParentShardId], children.map(c => c.ShardId))
  await k.client.updateShardCount({ StreamName, TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' })
  await until('two open shards', async () => (await k.summary(StreamName)).OpenShardCount === 2)
}

module.exports = async (suite, k) => {
  for (const [title, check] of Object.entries({ 'create, describe, delete': lifecycle, 'list in pages': listing, settings, refusals, 'split and merge': reshard })) {
    await suite.run(`${k.http}: stream: ${title}`, check, k)
  }
}
