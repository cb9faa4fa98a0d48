// Queues: their names, attributes, tags, permissions, and what is refused.
const { paginateListQueues, SQSClient } = require('@aws-sdk/client-sqs')
const { assert, fails, unique } = require('./harness')

async function lifecycle(sqs) {
  const c = sqs.client, QueueName = unique('life')
  const url = await sqs.create(QueueName)
  assert.equal((await c.getQueueUrl({ QueueName })).QueueUrl, url)
  assert.deepEqual((await c.listQueues({ QueueNamePrefix: QueueName })).QueueUrls, [url])
  assert.equal(await sqs.arn(url), `arn:aws:sqs:${process.env.AWS_REGION}:000000000000:${QueueName}`)
  await c.deleteQueue({ QueueUrl: url })
  await fails('QueueDoesNotExist', c.getQueueUrl({ QueueName }))
  assert.deepEqual((await c.listQueues({ QueueNamePrefix: QueueName })).QueueUrls ?? [], [])
}

async function addresses(sqs) {
  const name = unique('q'), url = await sqs.create(name)
  assert.ok(url.startsWith(sqs.endpoint + '/'), `${url} does not begin with ${sqs.endpoint}`)
  // Under another name of the same address, the URL is that name's.
  const other = `http://localhost:${new URL(sqs.endpoint).port}`
  const there = sqs.connect({ endpoint: other })
  const { QueueUrl } = await there.getQueueUrl({ QueueName: name })
  assert.ok(QueueUrl.startsWith(other + '/'), `${QueueUrl} does not begin with ${other}`)
  await sqs.send(url, 'one name')
  // This SDK sends requests to the path of the queue's URL, unless told not to.
  for (const useQueueUrlAsEndpoint of [true, false]) {
    const client = sqs.connect({ endpoint: other, useQueueUrlAsEndpoint })
    const { Messages } = await client.receiveMessage({ QueueUrl, WaitTimeSeconds: 2 })
    assert.deepEqual(Messages.map(m => m.Body), ['one name'])
    await client.changeMessageVisibility({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle, VisibilityTimeout: 0 })
  }
}

async function again(sqs) {
  const name = unique('again')
  const url = await sqs.create(name, { VisibilityTimeout: '7' })
  assert.equal(await sqs.create(name, { VisibilityTimeout: '7' }), url)
  assert.equal(await sqs.create(name), url)
  await fails('QueueNameExists', sqs.create(name, { VisibilityTimeout: '8' }), 'VisibilityTimeout')
}

async function pages(sqs) {
  const prefix = unique('page'), want = []
  for (let i = 0; i < 7; i++) want.push(await sqs.create(`${prefix}-${i}`))
  const { QueueUrls } = await sqs.client.listQueues({ QueueNamePrefix: prefix })
  assert.deepEqual(QueueUrls.sort(), want)
  const got = [], sizes = []
  for await (const page of paginateListQueues({ client: new SQSClient({}), pageSize: 3 }, { QueueNamePrefix: prefix })) {
    got.push(...page.QueueUrls ?? [])
    sizes.push(page.QueueUrls?.length)
  }
  assert.deepEqual(got.sort(), want)
  assert.deepEqual(sizes, [3, 3, 1])
}

async function attributes(sqs) {
  const c = sqs.client, url = await sqs.queue()
  const got = await sqs.attributes(url, 'All')
  for (const [name, want] of Object.entries({
    VisibilityTimeout: '30', DelaySeconds: '0', MessageRetentionPeriod: '345600', ReceiveMessageWaitTimeSeconds: '0',
    MaximumMessageSize: '1048576', ApproximateNumberOfMessages: '0', ApproximateNumberOfMessagesNotVisible: '0',
    ApproximateNumberOfMessagesDelayed: '0',
  })) assert.equal(got[name], want, name)
  assert.match(got.CreatedTimestamp, /^\d+$/)
  assert.match(got.LastModifiedTimestamp, /^\d+$/)
  assert.ok(!('FifoQueue' in got || 'RedrivePolicy' in got), JSON.stringify(got))
  const change = { VisibilityTimeout: '12', DelaySeconds: '3', MessageRetentionPeriod: '60', ReceiveMessageWaitTimeSeconds: '4', MaximumMessageSize: '2048' }
  await c.setQueueAttributes({ QueueUrl: url, Attributes: change })
  assert.deepEqual(await sqs.attributes(url, ...Object.keys(change)), change)
  await fails('InvalidAttributeName', sqs.attributes(url, 'NoSuchThing'))
  await fails('InvalidAttributeName', c.setQueueAttributes({ QueueUrl: url, Attributes: { NoSuchThing: '1' } }))
  const fifo = await sqs.attributes(await sqs.fifo(), 'All')
  for (const [name, want] of Object.entries({
    FifoQueue: 'true', ContentBasedDeduplication: 'false', DeduplicationScope: 'queue', FifoThroughputLimit: 'perQueue',
  })) assert.equal(fifo[name], want, name)
}

async function unknown(sqs) {
  const c = sqs.client, QueueUrl = await sqs.queue() + '-gone'
  await fails('QueueDoesNotExist', c.getQueueUrl({ QueueName: unique('none') }))
  await fails('QueueDoesNotExist', sqs.send(QueueUrl, 'x'))
  await fails('QueueDoesNotExist', sqs.receive(QueueUrl))
  await fails('QueueDoesNotExist', c.deleteMessage({ QueueUrl, ReceiptHandle: 'x' }))
  await fails('QueueDoesNotExist', c.deleteQueue({ QueueUrl }))
  await fails('QueueDoesNotExist', c.purgeQueue({ QueueUrl }))
}

async function refused(sqs) {
  for (const name of ['has space', 'x'.repeat(81), 'dot.dot', '나루']) await fails('InvalidParameterValue', sqs.create(name))
  await sqs.create(('x'.repeat(80) + unique('')).slice(-80))
  for (const [name, value] of [['VisibilityTimeout', '43201'], ['VisibilityTimeout', 'soon'], ['DelaySeconds', '901'], ['MessageRetentionPeriod', '59'],
    ['ReceiveMessageWaitTimeSeconds', '21'], ['MaximumMessageSize', '1023'], ['MaximumMessageSize', '1048577']]) {
    await fails('InvalidAttributeValue', sqs.create(unique('bad'), { [name]: value }))
  }
  await fails('InvalidAttributeName', sqs.create(unique('bad'), { NoSuchThing: '1' }))
}

async function tags(sqs) {
  const c = sqs.client, QueueUrl = await sqs.create(unique('q'), {}, { env: 'test', 이름: '나루' })
  const list = async () => (await c.listQueueTags({ QueueUrl })).Tags ?? {}
  assert.deepEqual(await list(), { env: 'test', 이름: '나루' })
  await c.tagQueue({ QueueUrl, Tags: { env: 'live', empty: '' } })
  assert.deepEqual(await list(), { env: 'live', 이름: '나루', empty: '' })
  await c.untagQueue({ QueueUrl, TagKeys: ['env', 'empty', 'never'] })
  assert.deepEqual(await list(), { 이름: '나루' })
  await c.untagQueue({ QueueUrl, TagKeys: ['이름'] })
  assert.deepEqual(await list(), {})
}

async function permissions(sqs) {
  const c = sqs.client, QueueUrl = await sqs.queue()
  const add = () => c.addPermission({ QueueUrl, Label: 'mates', AWSAccountIds: ['111122223333'], Actions: ['SendMessage', 'ReceiveMessage'] })
  await add()
  const { Statement: [statement, ...others] } = JSON.parse(await sqs.attribute(QueueUrl, 'Policy'))
  assert.deepEqual([statement.Sid, statement.Effect, statement.Action.length, others.length], ['mates', 'Allow', 2, 0])
  await fails('InvalidParameterValue', add(), 'Already exists')
  await fails('InvalidParameterValue', c.removePermission({ QueueUrl, Label: 'others' }), 'find label')
  await c.removePermission({ QueueUrl, Label: 'mates' })
  assert.ok(!(await sqs.attribute(QueueUrl, 'Policy') ?? '').includes('mates'), 'the permission is still there')
}

async function purge(sqs) {
  const QueueUrl = await sqs.queue()
  await sqs.sendAll(QueueUrl, 'a', 'b', 'c')
  await sqs.take(QueueUrl, 1)
  await sqs.client.purgeQueue({ QueueUrl })
  await sqs.nothing(QueueUrl, 1)
  assert.equal(await sqs.attribute(QueueUrl, 'ApproximateNumberOfMessages'), '0')
  await sqs.send(QueueUrl, 'after')
  assert.deepEqual(await sqs.bodies(QueueUrl, 1), ['after'])
  // Again within a minute: refused by AWS, not by everyone.
  await sqs.client.purgeQueue({ QueueUrl }).catch(e => assert.equal(e.name, 'PurgeQueueInProgress'))
}

async function counts(sqs) {
  const url = await sqs.queue()
  await sqs.sendAll(url, 'a', 'b', 'c', 'd')
  await sqs.send(url, 'later', { DelaySeconds: 60 })
  await sqs.take(url, 1)
  const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible', 'ApproximateNumberOfMessagesDelayed']
  const got = await sqs.attributes(url, ...names)
  assert.deepEqual(names.map(n => got[n]), ['3', '1', '1'])
}

module.exports = async (suite, sqs) => {
  await suite.run('queue: create, find, list, delete', lifecycle, sqs)
  await suite.run('queue: addresses follow the endpoint', addresses, sqs)
  await suite.run('queue: created again', again, sqs)
  await suite.run('queue: listed in pages', pages, sqs)
  await suite.run('queue: attributes', attributes, sqs)
  await suite.run('queue: one that does not exist', unknown, sqs)
  await suite.run('queue: names and attributes that are refused', refused, sqs)
  await suite.run('queue: tags', tags, sqs)
  await suite.run('queue: permissions', permissions, sqs)
  await suite.run('queue: purge', purge, sqs)
  await suite.run('queue: counts', counts, sqs)
}
