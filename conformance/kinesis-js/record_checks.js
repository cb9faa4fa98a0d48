// Records.
const agg = require('aws-kinesis-agg')
const { assert, bytes, first, sleep, text } = require('./harness')

async function everyByte(k) {
  const name = await k.stream()
  const every = Uint8Array.from({ length: 256 }, (_, i) => i)
  const put = await k.put(name, every, '주문 🛶')
  const [r] = await k.records(await k.iterator(name), 1)
  assert.deepEqual([...r.Data], [...every])
  assert.deepEqual([r.PartitionKey, r.SequenceNumber, put.ShardId], ['주문 🛶', put.SequenceNumber, first])
  assert.ok(Math.abs(r.ApproximateArrivalTimestamp - Date.now()) < 60000, `arrived at ${r.ApproximateArrivalTimestamp}`)
}

async function batch(k) {
  const name = await k.stream(3)
  const Records = Array.from({ length: 500 }, (_, i) => ({ PartitionKey: `k${i % 17}`, Data: bytes(`${i}`) }))
  const answer = await k.client.putRecords({ StreamName: name, Records })
  assert.deepEqual([answer.FailedRecordCount, answer.Records.length], [0, 500])
  for (const { ShardId } of await k.shards(name)) {
    const want = answer.Records.map((r, i) => ({ ...r, i })).filter(r => r.ShardId === ShardId)
    const got = await k.records(await k.iterator(name, 'TRIM_HORIZON', { ShardId }), want.length)
    assert.deepEqual(got.map(r => [r.SequenceNumber, text(r.Data)]), want.map(r => [r.SequenceNumber, `${r.i}`]))
  }
}

async function iterators(k) {
  const name = await k.stream()
  await k.put(name, '0')
  await sleep(1100)
  const Timestamp = new Date()
  const latest = await k.iterator(name, 'LATEST')
  const StartingSequenceNumber = (await k.put(name, '1')).SequenceNumber
  await k.put(name, '2')
  assert.deepEqual((await k.records(latest, 2)).map(r => text(r.Data)), ['1', '2'])
  assert.deepEqual(await k.texts(name, 2, 'AT_SEQUENCE_NUMBER', { StartingSequenceNumber }), ['1', '2'])
  assert.deepEqual(await k.texts(name, 1, 'AFTER_SEQUENCE_NUMBER', { StartingSequenceNumber }), ['2'])
  assert.deepEqual(await k.texts(name, 2, 'AT_TIMESTAMP', { Timestamp }), ['1', '2'])
}

// What the library packs arrives as it was, and can be unpacked.
async function aggregated(k) {
  const name = await k.stream()
  const want = Array.from({ length: 100 }, (_, i) => ({ partitionKey: `k${i % 7}`, data: bytes(`나루 ${i}`) }))
  const packed = await new Promise((resolve, reject) => agg.aggregate(want, (encoded, done) => { resolve(encoded); done() }, () => {}, reject))
  await k.put(name, packed.data, packed.partitionKey)
  const [r] = await k.records(await k.iterator(name), 1)
  const got = await new Promise((resolve, reject) => agg.deaggregateSync(
    { data: Buffer.from(r.Data).toString('base64'), partitionKey: r.PartitionKey, sequenceNumber: r.SequenceNumber, kinesisSchemaVersion: '1.0' }, true,
    (e, records) => e ? reject(e) : resolve(records)))
  assert.deepEqual(got.map(u => [u.partitionKey, Buffer.from(u.data, 'base64').toString()]), want.map(u => [u.partitionKey, text(u.data)]))
}

async function atOnce(k) {
  const name = await k.stream()
  await Promise.all(Array.from({ length: 200 }, (_, i) => k.put(name, `${i}`, `k${i}`)))
  const got = await k.texts(name, 200)
  assert.deepEqual(got.map(Number).toSorted((a, b) => a - b), Array.from({ length: 200 }, (_, i) => i))
}

module.exports = async (suite, k) => {
  for (const [title, check] of Object.entries({ 'every byte': everyByte, '500 in one request': batch, iterators, aggregated, '200 calls at once': atOnce })) {
    await suite.run(`${k.http}: record: ${title}`, check, k)
  }
}
