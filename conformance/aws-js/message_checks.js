// Messages: sending, receiving, hiding, deleting.
const { assert, fails, text } = require('./harness')

const MIB = 1 << 20
const numbers = n => [...Array(n).keys()]

async function sendReceiveDelete(sqs) {
  const url = await sqs.queue(), sent = await sqs.send(url, 'hello')
  assert.equal(sent.SequenceNumber, undefined)
  const [m] = await sqs.take(url, 1)
  assert.deepEqual([m.Body, m.MessageId], ['hello', sent.MessageId])
  assert.ok(!m.Attributes && !m.MessageAttributes, 'attributes that nobody asked for')
  await sqs.nothing(url)
  await sqs.hide(url, m, 1)
  await sqs.delete(url, m)
  await sqs.nothing(url, 2) // beyond its lease
  await sqs.delete(url, m) // deleting again is no error
}

async function texts(sqs) {
  const url = await sqs.queue()
  const bodies = ['강을 건너는 모든 배가 닿는 곳, 나루', 'tab\tnewline\ncarriage\rreturn', '<a href="x">&amp;\'</a>',
    'emoji 🛶 and \u{10fffd}', '  spaces  ', '1+1=2 100% a/b?c', '{"json": [1, "둘"]}', '줄'.repeat(50000)]
  await sqs.sendAll(url, ...bodies)
  assert.deepEqual((await sqs.bodies(url, bodies.length)).sort(), bodies.sort())
}

async function messageAttributes(sqs) {
  const url = await sqs.queue(), all = { MessageAttributeNames: ['All'] }
  const MessageAttributes = {
    text: text('나루터 <&> "따옴표"'), count: { DataType: 'Number', StringValue: '-12.50' },
    bytes: { DataType: 'Binary', BinaryValue: Uint8Array.from(numbers(256)) },
    'text.custom': { DataType: 'String.title', StringValue: '머리글' }, 'n.int': { DataType: 'Number.int', StringValue: '7' },
    'b.png': { DataType: 'Binary.png', BinaryValue: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 0x1a, 10, 0) },
  }
  await sqs.send(url, 'with', { MessageAttributes })
  let [m] = await sqs.take(url, 1, all)
  const flat = a => Object.entries(a).map(([k, v]) => [k, v.DataType, v.StringValue, v.BinaryValue && Buffer.from(v.BinaryValue).toString('hex')]).sort()
  assert.deepEqual(flat(m.MessageAttributes), flat(MessageAttributes))
  const ten = Object.fromEntries(numbers(10).map(i => [`a${i}`, text(`${i}`)]))
  await sqs.batch(url, { MessageBody: 'ten', MessageAttributes: ten });
  [m] = await sqs.take(url, 1, all)
  assert.deepEqual(flat(m.MessageAttributes), flat(ten))
}

async function chosenAttributes(sqs) {
  const url = await sqs.queue(), names = ['a', 'b', 'price.high', 'price.low']
  for (const [asked, want] of [[[], []], [['a'], ['a']], [['a', 'b', 'none'], ['a', 'b']], [['none'], []], [['All'], names],
    [['.*'], names], [['price.*'], ['price.high', 'price.low']], [['price.low', 'b'], ['b', 'price.low']]]) {
    await sqs.send(url, 'm', { MessageAttributes: Object.fromEntries(names.map(n => [n, text(n)])) })
    const [m] = await sqs.take(url, 1, { MessageAttributeNames: asked })
    if (want.length) assert.deepEqual(Object.keys(m.MessageAttributes ?? {}).sort(), want, `asked for ${asked}`)
    else assert.equal(m.MessageAttributes, undefined, `asked for ${asked}`)
    await sqs.delete(url, m)
  }
}

async function systemAttributes(sqs) {
  const url = await sqs.queue(), before = Date.now()
  const trace = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1'
  await sqs.send(url, 'm', { MessageSystemAttributes: { AWSTraceHeader: text(trace) } })
  let [m] = await sqs.take(url, 1, { MessageSystemAttributeNames: ['All'], VisibilityTimeout: 0 })
  const a = m.Attributes
  assert.deepEqual(Object.keys(a).sort(), ['AWSTraceHeader', 'ApproximateFirstReceiveTimestamp', 'ApproximateReceiveCount', 'SenderId', 'SentTimestamp'])
  assert.deepEqual([a.ApproximateReceiveCount, a.AWSTraceHeader], ['1', trace])
  for (const name of ['SentTimestamp', 'ApproximateFirstReceiveTimestamp']) {
    assert.ok(+a[name] >= before - 1000 && +a[name] <= Date.now() + 1000, `${name} ${a[name]}`)
  }
  [m] = await sqs.take(url, 1, { MessageSystemAttributeNames: ['ApproximateReceiveCount', 'ApproximateFirstReceiveTimestamp'] })
  assert.deepEqual(m.Attributes, { ApproximateReceiveCount: '2', ApproximateFirstReceiveTimestamp: a.ApproximateFirstReceiveTimestamp })
}

async function batchOfTen(sqs) {
  const url = await sqs.queue(), bodies = numbers(10).map(i => `m${i}`)
  const answer = await sqs.batch(url, ...bodies.map(MessageBody => ({ MessageBody })))
  assert.deepEqual([answer.Successful.length, answer.Failed?.length ?? 0], [10, 0])
  const got = await sqs.take(url, 10)
  assert.deepEqual(got.map(m => m.Body).sort(), bodies)
  assert.deepEqual(got.map(m => m.MessageId).sort(), answer.Successful.map(e => e.MessageId).sort())
}

async function batchInPart(sqs) {
  const url = await sqs.queue()
  const answer = await sqs.batch(url, { MessageBody: 'good' }, { MessageBody: 'late', DelaySeconds: 901 },
    { MessageBody: 'bad \x01 char' }, { MessageBody: 'also good' }, { MessageBody: 'empty', MessageAttributes: { a: text('') } })
  assert.deepEqual(answer.Successful.map(e => e.Id), ['0', '3'])
  assert.deepEqual(Object.fromEntries(answer.Failed.map(e => [e.Id, e.Code])),
    { 1: 'InvalidParameterValue', 2: 'InvalidMessageContents', 4: 'InvalidParameterValue' })
  assert.ok(answer.Failed.every(e => e.SenderFault === true && e.Message), JSON.stringify(answer.Failed))
  assert.deepEqual((await sqs.bodies(url, 2)).sort(), ['also good', 'good'])
  await sqs.nothing(url)
}

async function polls(sqs) {
  const url = await sqs.queue()
  const took = []
  for (let i = 0; i < 5; i++) {
    const began = Date.now()
    await sqs.nothing(url)
    took.push(Date.now() - began)
  }
  assert.ok(Math.min(...took) < 900, 'a short poll waited')
  let start = Date.now()
  await sqs.nothing(url, 2)
  assert.ok(Date.now() - start >= 1900 && Date.now() - start < 10000, `a long poll of 2 s took ${Date.now() - start} ms`)
  await sqs.send(url, 'soon', { DelaySeconds: 1 })
  start = Date.now()
  assert.deepEqual(await sqs.bodies(url, 1, { WaitTimeSeconds: 20 }), ['soon'])
  assert.ok(Date.now() - start < 15000, `a message that was due after 1 s came after ${Date.now() - start} ms`)
  const waits = await sqs.queue({ ReceiveMessageWaitTimeSeconds: '1' })
  start = Date.now()
  assert.deepEqual(await sqs.receive(waits), [])
  assert.ok(Date.now() - start >= 900, "the queue's own wait was not kept")
}

async function leaseEnds(sqs) {
  const url = await sqs.queue({ VisibilityTimeout: '4' })
  await sqs.send(url, 'm')
  const [first] = await sqs.take(url, 1)
  await sqs.nothing(url)
  const [second] = await sqs.take(url, 1, { MessageSystemAttributeNames: ['ApproximateReceiveCount'], VisibilityTimeout: 30 })
  assert.deepEqual([second.MessageId, second.Attributes.ApproximateReceiveCount], [first.MessageId, '2'])
  assert.notEqual(second.ReceiptHandle, first.ReceiptHandle)
  await sqs.delete(url, second)
}

async function visibility(sqs) {
  const url = await sqs.queue()
  await sqs.send(url, 'm')
  let [m] = await sqs.take(url, 1, { VisibilityTimeout: 4 })
  await sqs.hide(url, m, 60)
  await sqs.nothing(url, 5) // beyond its first lease
  await sqs.hide(url, m, 0);
  [m] = await sqs.take(url, 1, { WaitTimeSeconds: 0, limit: 1000, VisibilityTimeout: 30 })
  await sqs.hide(url, m, 1);
  [m] = await sqs.take(url, 1)
  await fails('InvalidParameterValue', sqs.hide(url, m, 43201))
  await sqs.delete(url, m)
  await fails('InvalidParameterValue', sqs.hide(url, m, 1))
  await fails('ReceiptHandleIsInvalid', sqs.hide(url, { ReceiptHandle: 'nonsense' }, 1), '', 404)
}

const refusals = entries => (entries ?? []).map(e => [e.Id, e.Code, e.SenderFault])

async function visibilityBatch(sqs) {
  const QueueUrl = await sqs.queue()
  await sqs.sendAll(QueueUrl, 'a', 'b')
  const [a, b] = await sqs.take(QueueUrl, 2)
  const answer = await sqs.client.changeMessageVisibilityBatch({ QueueUrl, Entries: [
    { Id: 'a', ReceiptHandle: a.ReceiptHandle, VisibilityTimeout: 0 },
    { Id: 'bad', ReceiptHandle: 'nonsense', VisibilityTimeout: 0 },
    { Id: 'b', ReceiptHandle: b.ReceiptHandle, VisibilityTimeout: 60 }] })
  assert.deepEqual(answer.Successful.map(e => e.Id).sort(), ['a', 'b'])
  assert.deepEqual(refusals(answer.Failed), [['bad', 'ReceiptHandleIsInvalid', true]])
  assert.equal((await sqs.take(QueueUrl, 1, { WaitTimeSeconds: 0, limit: 1000 }))[0].MessageId, a.MessageId)
  await sqs.nothing(QueueUrl)
}

async function deleteBatch(sqs) {
  const QueueUrl = await sqs.queue({ VisibilityTimeout: '1' })
  await sqs.sendAll(QueueUrl, 'a', 'b', 'c')
  const Entries = (await sqs.take(QueueUrl, 3, { VisibilityTimeout: 30 })).map(m => ({ Id: m.Body, ReceiptHandle: m.ReceiptHandle }))
  const answer = await sqs.client.deleteMessageBatch({ QueueUrl, Entries: [...Entries, { Id: 'bad', ReceiptHandle: 'nonsense' }] })
  assert.deepEqual(answer.Successful.map(e => e.Id).sort(), ['a', 'b', 'c'])
  assert.deepEqual(refusals(answer.Failed), [['bad', 'ReceiptHandleIsInvalid', true]])
  await sqs.nothing(QueueUrl, 1)
  await fails('ReceiptHandleIsInvalid', sqs.delete(QueueUrl, { ReceiptHandle: 'nonsense' }), '', 404)
}

async function delays(sqs) {
  const url = await sqs.queue(), slow = await sqs.queue({ DelaySeconds: '5' }), start = Date.now()
  await sqs.send(url, 'late', { DelaySeconds: 5 })
  await sqs.send(slow, 'late too')
  await sqs.send(slow, 'at once', { DelaySeconds: 0 })
  assert.deepEqual(await sqs.bodies(slow, 1, { WaitTimeSeconds: 0, limit: 1000 }), ['at once'])
  await sqs.nothing(url)
  await sqs.nothing(slow)
  assert.deepEqual([...await sqs.bodies(url, 1), ...await sqs.bodies(slow, 1)], ['late', 'late too'])
  assert.ok(Date.now() - start >= 4900, `delivered after ${Date.now() - start} ms`)
}

async function sizes(sqs) {
  const url = await sqs.queue(), body = '0123456789abcdef'.repeat(MIB / 16)
  await sqs.send(url, body)
  assert.ok((await sqs.bodies(url, 1))[0] === body, 'a body of 1 MiB changed')
  await fails('InvalidParameterValue', sqs.send(url, body + 'x'), 'Message must be shorter than 1048576 bytes')
  const MessageAttributes = { name: text('v'.repeat(100)) }, fits = MIB - 'name'.length - 'String'.length - 100
  await sqs.send(url, body.slice(0, fits), { MessageAttributes })
  await fails('InvalidParameterValue', sqs.send(url, body.slice(0, fits + 1), { MessageAttributes }), 'shorter than')
  const small = await sqs.queue({ MaximumMessageSize: '1024' })
  await sqs.sendAll(small, 'x'.repeat(1024), '나'.repeat(341))
  await fails('InvalidParameterValue', sqs.send(small, '나'.repeat(342)), 'shorter than 1024 bytes')
}

module.exports = async (suite, sqs) => {
  await suite.run('message: send, receive, delete', sendReceiveDelete, sqs)
  await suite.run('message: Korean text and other characters', texts, sqs)
  await suite.run('message: attributes of every type', messageAttributes, sqs)
  await suite.run('message: attributes as asked for', chosenAttributes, sqs)
  await suite.run('message: system attributes as asked for', systemAttributes, sqs)
  await suite.run('message: batch of ten', batchOfTen, sqs)
  await suite.run('message: batch refused in part', batchInPart, sqs)
  await suite.run('message: short and long polls', polls, sqs)
  await suite.run('message: a lease that ends', leaseEnds, sqs)
  await suite.run('message: change of visibility', visibility, sqs)
  await suite.run('message: change of visibility in a batch', visibilityBatch, sqs)
  await suite.run('message: deletion in a batch', deleteBatch, sqs)
  await suite.run('message: delays', delays, sqs)
  await suite.run('message: sizes', sizes, sqs)
}
