// What is refused, and with which error.
const { assert, fails, text } = require('./harness')

async function batches(sqs) {
  const c = sqs.client, QueueUrl = await sqs.queue()
  const send = (...ids) => c.sendMessageBatch({ QueueUrl, Entries: ids.map(Id => ({ Id, MessageBody: 'x' })) })
  const ids = [...'abcdefghijk']
  await fails('EmptyBatchRequest', send())
  await fails('TooManyEntriesInBatchRequest', send(...ids), 'You have sent 11')
  await fails('BatchEntryIdsNotDistinct', send('a', 'b', 'a'))
  await fails('InvalidBatchEntryId', send('has space'))
  await fails('InvalidBatchEntryId', send('i'.repeat(81)))
  const half = 'x'.repeat(1 << 19)
  await fails('BatchRequestTooLong', sqs.batch(QueueUrl, { MessageBody: half }, { MessageBody: half + 'y' }), 'You have sent 1048577 bytes')
  const Entries = ids.map(Id => ({ Id, ReceiptHandle: 'x' }))
  await fails('EmptyBatchRequest', c.deleteMessageBatch({ QueueUrl, Entries: [] }))
  await fails('TooManyEntriesInBatchRequest', c.deleteMessageBatch({ QueueUrl, Entries }))
  await fails('TooManyEntriesInBatchRequest', c.changeMessageVisibilityBatch({ QueueUrl, Entries: Entries.map(e => ({ ...e, VisibilityTimeout: 1 })) }))
  await sqs.nothing(QueueUrl)
}

async function contents(sqs) {
  const url = await sqs.queue()
  await fails('MissingParameter', sqs.send(url, ''), 'MessageBody')
  for (const bad of ['\x00', '\x0b', '\x1f', '\ufffe']) await fails('InvalidMessageContents', sqs.send(url, 'a' + bad))
  for (const MessageAttributes of [{ a: text('') }, { a: { DataType: 'Binary', BinaryValue: new Uint8Array() } },
    { a: { DataType: 'Number', StringValue: 'seven' } }, { a: { DataType: 'Text', StringValue: 'x' } },
    { a: { DataType: 'String', BinaryValue: Uint8Array.of(1) } }, { 'AWS.mine': text('x') }, { '.dot': text('x') },
    { 'two..dots': text('x') }, { ['n'.repeat(257)]: text('x') },
    Object.fromEntries([...'abcdefghijk'].map(n => [n, text('x')]))]) {
    await fails('InvalidParameterValue', sqs.send(url, 'x', { MessageAttributes }))
  }
  await fails('InvalidParameterValue', sqs.send(url, 'x', { MessageSystemAttributes: { Other: text('x') } }))
  await sqs.nothing(url)
}

async function ranges(sqs) {
  const url = await sqs.queue()
  for (const [name, values, says] of [['MaxNumberOfMessages', [0, 11], 'Must be between 1 and 10, if provided.'],
    ['WaitTimeSeconds', [-1, 21], 'Must be >= 0 and <= 20, if provided.'], ['VisibilityTimeout', [-1, 43201], '']]) {
    for (const v of values) await fails('InvalidParameterValue', sqs.receive(url, { [name]: v }), says)
  }
  for (const DelaySeconds of [-1, 901]) await fails('InvalidParameterValue', sqs.send(url, 'x', { DelaySeconds }))
  await sqs.nothing(url)
  assert.equal(await sqs.attribute(url, 'ApproximateNumberOfMessagesDelayed'), '0')
}

module.exports = async (suite, sqs) => {
  await suite.run('message: batches refused whole', batches, sqs)
  await suite.run('message: contents that are refused', contents, sqs)
  await suite.run('message: parameters out of range', ranges, sqs)
}
