// Drives an SQS endpoint with sqs-consumer, a polling loop around the AWS SDK.
//
// The endpoint, the region and the keys come from the variables that every AWS
// client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const assert = require('node:assert/strict')
const { SQS, SQSClient } = require('@aws-sdk/client-sqs')
const { Consumer } = require('sqs-consumer')

const client = new SQS({ maxAttempts: 1 })
let passed = 0, failed = 0, serial = 0
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

async function queue(Attributes, suffix = '') {
  return (await client.createQueue({ QueueName: `consumer-${process.pid}-${Date.now()}-${serial++}${suffix}`, Attributes })).QueueUrl
}

const send = (QueueUrl, ...bodies) => Promise.all(bodies.map(MessageBody => client.sendMessage({ QueueUrl, MessageBody })))

async function left(QueueUrl) {
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
  const { Attributes } = await client.getQueueAttributes({ QueueUrl, AttributeNames: names })
  return names.map(n => +Attributes[n])
}

async function until(what, holds, limit = 60000) {
  for (const end = Date.now() + limit; !(await holds()); await sleep(50)) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
  }
}

// consuming runs a consumer while f does, and fails for errors other than those of handlers.
async function consuming(queueUrl, options, f) {
  const consumer = Consumer.create({ queueUrl, sqs: new SQSClient({ maxAttempts: 1 }), waitTimeSeconds: 1, suppressFifoWarning: true, ...options })
  const errors = []
  consumer.on('error', e => errors.push(e))
  consumer.on('processing_error', () => {})
  const stopped = new Promise(resolve => consumer.on('stopped', resolve))
  consumer.start()
  try {
    await f(consumer)
  } finally {
    consumer.stop({ abort: true })
    await stopped
  }
  assert.deepEqual(errors.filter(e => e.name !== 'AbortError').map(String), [])
}

async function run(title, check) {
  const start = Date.now()
  try {
    await check()
    passed++
    console.log(`ok   ${title} (${Date.now() - start}ms)`)
  } catch (e) {
    failed++
    console.log(`FAIL ${title} (${Date.now() - start}ms): ${e.message.split('\n').slice(0, 6).join(' ')}`)
    console.error(e.stack)
  }
}

async function oneByOne() {
  const url = await queue(), seen = []
  const bodies = [...Array(30).keys()].map(i => `배 ${i}`)
  await send(url, ...bodies)
  await consuming(url, { handleMessage: async m => { seen.push(m.Body); return m } },
    () => until('30 messages', async () => seen.length >= 30 && String(await left(url)) === '0,0'))
  assert.deepEqual(seen.sort(), bodies.sort())
}

async function batches() {
  const url = await queue({ VisibilityTimeout: '8' }), seen = [], tries = {}
  await send(url, ...[...Array(20).keys()].map(i => `m${i}`))
  // The first time, only half of a batch is acknowledged.
  const handleMessageBatch = async messages => messages.filter((m, i) => {
    tries[m.Body] = (tries[m.Body] ?? 0) + 1
    const done = tries[m.Body] > 1 || i % 2 === 0
    if (done) seen.push(m.Body)
    return done
  })
  await consuming(url, { batchSize: 10, handleMessageBatch }, () => until('20 messages', async () => String(await left(url)) === '0,0'))
  assert.equal(new Set(seen).size, 20)
  assert.equal(seen.length, 20)
  assert.ok(Object.values(tries).some(n => n === 2), 'nothing came twice')
}

async function givenBack() {
  const url = await queue({ VisibilityTimeout: '600' }), counts = []
  await send(url, 'm')
  const options = {
    terminateVisibilityTimeout: true, messageSystemAttributeNames: ['ApproximateReceiveCount'],
    handleMessage: async m => {
      counts.push(m.Attributes.ApproximateReceiveCount)
      if (counts.length < 3) throw new Error('not yet')
      return m
    },
  }
  const start = Date.now()
  await consuming(url, options, () => until('three tries', async () => counts.length === 3 && String(await left(url)) === '0,0'))
  assert.deepEqual(counts, ['1', '2', '3'])
  assert.ok(Date.now() - start < 300000, 'what was given back came only after its lease')
}

async function heartbeat() {
  const url = await queue({ VisibilityTimeout: '10' })
  let times = 0, other
  await send(url, 'long')
  // Somebody else waits for it beyond its first lease. It is done between two heartbeats: one that came as it is deleted would be an error.
  const handleMessage = async m => {
    times++
    other = await client.receiveMessage({ QueueUrl: url, WaitTimeSeconds: 12 })
    return m
  }
  await consuming(url, { visibilityTimeout: 10, heartbeatInterval: 5, handleMessage }, async () => {
    await until('it began', () => times === 1)
    await until('it is done', async () => String(await left(url)) === '0,0')
  })
  assert.deepEqual([times, other.Messages], [1, undefined], 'it came again while its lease was extended')
}

async function fifo() {
  const QueueUrl = await queue({ FifoQueue: 'true', ContentBasedDeduplication: 'true' }, '.fifo'), seen = { a: [], b: [] }
  for (let i = 0; i < 10; i++) {
    for (const g of ['a', 'b']) await client.sendMessage({ QueueUrl, MessageBody: `${g}${i}`, MessageGroupId: g })
  }
  let stumbled = false
  const handleMessage = async m => {
    if (m.Body === 'a3' && !stumbled) {
      stumbled = true
      throw new Error('not yet')
    }
    seen[m.Body[0]].push(m.Body)
    return m
  }
  await consuming(QueueUrl, { terminateVisibilityTimeout: true, handleMessage }, () => until('20 messages', () => seen.a.length + seen.b.length >= 20))
  for (const g of ['a', 'b']) assert.deepEqual(seen[g], [...Array(10).keys()].map(i => `${g}${i}`))
}

async function missing() {
  const url = await queue()
  const consumer = Consumer.create({ queueUrl: url + '-gone', sqs: new SQSClient({ maxAttempts: 1 }), waitTimeSeconds: 1, pollingWaitTimeMs: 60000, handleMessage: async m => m })
  const error = new Promise(resolve => consumer.on('error', resolve))
  consumer.start()
  const e = await error
  consumer.stop({ abort: true })
  assert.equal(e.code ?? e.name, 'QueueDoesNotExist', String(e))
}

async function main() {
  await run('messages one by one', oneByOne)
  await run('batches, acknowledged in part', batches)
  await run('given back after a failure', givenBack)
  await run('leases extended by a heartbeat', heartbeat)
  await run('order in groups through a failure', fifo)
  await run('a queue that does not exist', missing)
  console.log(`sqs-consumer: ${passed} passed, ${failed} failed`)
  process.exit(failed || !passed ? 1 : 0)
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
