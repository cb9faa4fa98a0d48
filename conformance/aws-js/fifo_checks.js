// FIFO queues: order, groups that block, deduplication.
const { randomUUID } = require('node:crypto')
const { assert, fails, policy, text, unique } = require('./harness')

const to = (MessageGroupId, MessageDeduplicationId) => ({ MessageGroupId, MessageDeduplicationId })

// put sends bodies to a group, each with an id of its own.
async function put(sqs, url, group, ...bodies) {
  let last
  for (const b of bodies) last = await sqs.send(url, b, to(group, randomUUID()))
  return last
}

async function required(sqs) {
  const url = await sqs.fifo()
  await fails('InvalidParameterValue', sqs.create(unique('q'), { FifoQueue: 'true' }))
  await fails('InvalidParameterValue', sqs.create(unique('q') + '.fifo'))
  await fails('InvalidAttributeName', sqs.create(unique('q'), { ContentBasedDeduplication: 'true' }))
  await fails('InvalidAttributeValue', sqs.client.setQueueAttributes({ QueueUrl: url, Attributes: { FifoQueue: 'false' } }))
  await fails('MissingParameter', sqs.send(url, 'x', { MessageDeduplicationId: 'd' }), 'MessageGroupId')
  await fails('InvalidParameterValue', sqs.send(url, 'x', { MessageGroupId: 'g' }), 'ContentBasedDeduplication')
  await fails('InvalidParameterValue', sqs.send(url, 'x', { ...to('g', 'd'), DelaySeconds: 2 }), 'not valid for this queue type')
  for (const bad of ['has space', 'g'.repeat(129)]) {
    await fails('InvalidParameterValue', sqs.send(url, 'x', to(bad, 'd')), 'MessageGroupId')
    await fails('InvalidParameterValue', sqs.send(url, 'x', to('g', bad)), 'MessageDeduplicationId')
  }
  await fails('InvalidParameterValue', sqs.send(await sqs.queue(), 'x', { MessageDeduplicationId: 'd' }))
  await sqs.nothing(url)
}

async function order(sqs) {
  const url = await sqs.fifo(), numbers = [], entries = []
  for (let i = 0; i < 5; i++) numbers.push(BigInt((await put(sqs, url, 'g', `${i}`)).SequenceNumber))
  for (let i = 5; i < 15; i++) entries.push({ MessageBody: `${i}`, ...to('g', `d${i}`) })
  const { Successful } = await sqs.batch(url, ...entries)
  numbers.push(...Successful.sort((a, b) => a.Id - b.Id).map(e => BigInt(e.SequenceNumber)))
  assert.ok(numbers.every((n, i) => i === 0 || n > numbers[i - 1]), `sequence numbers ${numbers}`)
  const got = []
  while (got.length < 15) {
    const some = await sqs.receive(url, { WaitTimeSeconds: 1, MessageSystemAttributeNames: ['All'] })
    assert.ok(some.length, `nothing after ${got.length} messages`)
    got.push(...some)
    await sqs.delete(url, ...some)
  }
  assert.deepEqual(got.map(m => m.Body), [...Array(15).keys()].map(String))
  assert.deepEqual(got.map(m => BigInt(m.Attributes.SequenceNumber)), numbers)
  assert.deepEqual([got[7].Attributes.MessageGroupId, got[7].Attributes.MessageDeduplicationId], ['g', 'd7'])
}

async function blocked(sqs) {
  const url = await sqs.fifo()
  await put(sqs, url, 'a', 'a1', 'a2')
  await put(sqs, url, 'b', 'b1')
  const [a1] = await sqs.take(url, 1)
  assert.equal(a1.Body, 'a1')
  assert.deepEqual(await sqs.bodies(url, 1, { WaitTimeSeconds: 0, limit: 1000 }), ['b1'], 'the other group goes on')
  await sqs.nothing(url)
  await sqs.delete(url, a1)
  assert.deepEqual(await sqs.bodies(url, 1), ['a2'])
}

async function stillBlocked(sqs) {
  const url = await sqs.fifo()
  await put(sqs, url, 'g', '1', '2', '3')
  const [one, two] = await sqs.take(url, 2)
  assert.deepEqual([one.Body, two.Body], ['1', '2'])
  await put(sqs, url, 'g', '4')
  await sqs.nothing(url) // a new message does not free the group
  await sqs.hide(url, two, 0)
  await sqs.nothing(url) // nor does letting go of one, while another is in flight
  await sqs.hide(url, one, 60)
  await sqs.nothing(url)
  await sqs.hide(url, one, 0)
  assert.deepEqual(await sqs.bodies(url, 4), ['1', '2', '3', '4'])
}

async function sameId(sqs) {
  const url = await sqs.fifo()
  const first = await sqs.send(url, 'first', to('g', 'same'))
  const again = await sqs.send(url, 'second', to('h', 'same'))
  assert.deepEqual([again.MessageId, again.SequenceNumber], [first.MessageId, first.SequenceNumber])
  const { Successful: [e] } = await sqs.batch(url, { MessageBody: 'third', ...to('g', 'same') })
  assert.equal(e.MessageId, first.MessageId)
  await sqs.delete(url, ...await sqs.take(url, 1))
  await sqs.send(url, 'fourth', to('g', 'same'))
  await sqs.nothing(url, 1) // even after the first was deleted
}

async function sameContent(sqs) {
  const url = await sqs.fifo({ ContentBasedDeduplication: 'true' }), MessageGroupId = 'g'
  const first = await sqs.send(url, '같은 내용', { MessageGroupId })
  const again = await sqs.send(url, '같은 내용', { MessageGroupId, MessageAttributes: { a: text('differs') } })
  assert.equal(again.MessageId, first.MessageId)
  await sqs.send(url, '같은 내용', to('g', 'its-own-id'))
  await sqs.send(url, 'other', { MessageGroupId })
  assert.deepEqual(await sqs.bodies(url, 3), ['같은 내용', '같은 내용', 'other'])
  await sqs.nothing(url)
}

async function sameInGroup(sqs) {
  const url = await sqs.fifo({ DeduplicationScope: 'messageGroup', FifoThroughputLimit: 'perMessageGroupId' })
  for (const g of ['g', 'h', 'g']) await sqs.send(url, g, to(g, 'same'))
  assert.deepEqual((await sqs.bodies(url, 2)).sort(), ['g', 'h'])
  await sqs.nothing(url)
}

async function attempt(sqs) {
  const url = await sqs.fifo(), ReceiveRequestAttemptId = randomUUID()
  await put(sqs, url, 'g', '1', '2')
  await put(sqs, url, 'h', '3')
  const first = await sqs.receive(url, { ReceiveRequestAttemptId, MaxNumberOfMessages: 2 })
  const again = await sqs.receive(url, { ReceiveRequestAttemptId, MaxNumberOfMessages: 2 })
  assert.ok(first.length, 'nothing came')
  assert.deepEqual(again.map(m => m.Body), first.map(m => m.Body))
  await sqs.delete(url, ...again)
  await sqs.take(url, 3 - again.length)
}

async function expired(sqs) {
  const url = await sqs.fifo()
  await put(sqs, url, 'g', '1')
  const [old] = await sqs.take(url, 1, { VisibilityTimeout: 1 })
  const [fresh] = await sqs.take(url, 1)
  await fails('InvalidParameterValue', sqs.delete(url, old), 'receipt handle has expired')
  await sqs.delete(url, fresh)
  await sqs.nothing(url)
}

async function deadLetter(sqs) {
  const dead = await sqs.fifo(), url = await sqs.fifo({ RedrivePolicy: await policy(sqs, dead, 1) })
  await put(sqs, url, 'g', 'bad', 'good')
  assert.deepEqual(await sqs.bodies(url, 1, { VisibilityTimeout: 0 }), ['bad'])
  assert.deepEqual(await sqs.bodies(url, 1), ['good'], 'the group goes on')
  const [m] = await sqs.take(dead, 1, { MessageSystemAttributeNames: ['All'] })
  assert.deepEqual([m.Body, m.Attributes.MessageGroupId], ['bad', 'g'])
}

module.exports = async (suite, sqs) => {
  await suite.run('fifo: what it must be told', required, sqs)
  await suite.run('fifo: order in a group and a batch', order, sqs)
  await suite.run('fifo: a group blocks, others go on', blocked, sqs)
  await suite.run('fifo: blocked through sends and changes of visibility', stillBlocked, sqs)
  await suite.run('fifo: deduplication by id', sameId, sqs)
  await suite.run('fifo: deduplication by content', sameContent, sqs)
  await suite.run('fifo: deduplication in a group', sameInGroup, sqs)
  await suite.run('fifo: an attempt at receiving repeated', attempt, sqs)
  await suite.run('fifo: a receipt that expired', expired, sqs)
  await suite.run('fifo: dead letters keep their group', deadLetter, sqs)
}
