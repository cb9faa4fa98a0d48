// Dead letters, and the tasks that move them back.
const { assert, fails, policy, text, until } = require('./harness')

async function afterTwo(sqs) {
  const dead = await sqs.queue()
  const url = await sqs.queue({ VisibilityTimeout: '1', RedrivePolicy: await policy(sqs, dead, 2) })
  const sent = await sqs.send(url, 'poison', { MessageAttributes: { k: text('값') } })
  for (let i = 0; i < 2; i++) await sqs.take(url, 1, { VisibilityTimeout: 0 })
  await sqs.nothing(url, 1)
  const [m] = await sqs.take(dead, 1, { MessageSystemAttributeNames: ['All'], MessageAttributeNames: ['All'] })
  assert.deepEqual([m.Body, m.MessageAttributes.k.StringValue], ['poison', '값'])
  assert.equal(m.Attributes.DeadLetterQueueSourceArn, await sqs.arn(url))
  assert.equal(m.MessageId, sent.MessageId, 'its id')
  assert.deepEqual((await sqs.client.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, [url])
  await sqs.nothing(url)
}

async function moved(sqs) {
  const c = sqs.client, dead = await sqs.queue(), other = await sqs.queue()
  const url = await sqs.queue({ RedrivePolicy: await policy(sqs, dead, 1) })
  const SourceArn = await sqs.arn(dead), otherArn = await sqs.arn(other)
  const task = async () => (await c.listMessageMoveTasks({ SourceArn, MaxResults: 10 })).Results[0]
  const bury = async n => {
    await sqs.sendAll(url, ...[...Array(n).keys()].map(i => `m${i}`))
    await sqs.take(url, n, { VisibilityTimeout: 0 })
    await sqs.nothing(url, 1)
    await until('dead letters', async () => await sqs.attribute(dead, 'ApproximateNumberOfMessages') === `${n}`)
  }
  await bury(5)
  await c.startMessageMoveTask({ SourceArn })
  assert.deepEqual((await sqs.bodies(url, 5, { VisibilityTimeout: 60 })).sort(), ['m0', 'm1', 'm2', 'm3', 'm4'])
  await until('the task is over', async () => (await task()).Status === 'COMPLETED')
  assert.equal((await task()).ApproximateNumberOfMessagesMoved, 5)
  await bury(20)
  const { TaskHandle } = await c.startMessageMoveTask({ SourceArn, DestinationArn: otherArn, MaxNumberOfMessagesPerSecond: 1 })
  await sqs.take(other, 1)
  await until('it is counted', async () => (await task()).ApproximateNumberOfMessagesMoved >= 1)
  const running = await task()
  assert.deepEqual([running.Status, running.DestinationArn, running.MaxNumberOfMessagesPerSecond, running.TaskHandle], ['RUNNING', otherArn, 1, TaskHandle])
  await fails('UnsupportedOperation', c.startMessageMoveTask({ SourceArn }))
  const { ApproximateNumberOfMessagesMoved: n } = await c.cancelMessageMoveTask({ TaskHandle })
  assert.ok(n >= 1 && n < 20, `${n} were moved before the end`)
  await until('the task is called off', async () => (await task()).Status === 'CANCELLED')
  await fails('ResourceNotFoundException', c.startMessageMoveTask({ SourceArn: SourceArn + '-gone' }), '', 404)
  await fails('InvalidParameterValue', c.startMessageMoveTask({ SourceArn: otherArn }))
}

async function policies(sqs) {
  const c = sqs.client, dead = await sqs.queue(), url = await sqs.queue()
  const set = (QueueUrl, Attributes) => c.setQueueAttributes({ QueueUrl, Attributes })
  const bad = async (RedrivePolicy, on = url) => fails('InvalidParameterValue', set(on, { RedrivePolicy }))
  await bad('{')
  await bad(await policy(sqs, dead, 0))
  await bad(await policy(sqs, dead, 1001))
  await bad((await policy(sqs, dead, 3)).replace(dead.split('/').pop(), 'gone'))
  await bad(JSON.stringify({ deadLetterTargetArn: await sqs.arn(dead) }))
  await bad(await policy(sqs, await sqs.fifo(), 3))
  await set(dead, { RedriveAllowPolicy: '{"redrivePermission":"denyAll"}' })
  await bad(await policy(sqs, dead, 3))
  await set(dead, { RedriveAllowPolicy: JSON.stringify({ redrivePermission: 'byQueue', sourceQueueArns: [await sqs.arn(url)] }) })
  await set(url, { RedrivePolicy: await policy(sqs, dead, 3) })
  await bad(await policy(sqs, dead, 3), await sqs.queue())
  await set(url, { RedrivePolicy: '' })
  assert.deepEqual((await c.listDeadLetterSourceQueues({ QueueUrl: dead })).queueUrls, [])
}

module.exports = async (suite, sqs) => {
  await suite.run('dead letter: after two receives', afterTwo, sqs)
  await suite.run('dead letter: moved back, and elsewhere', moved, sqs)
  await suite.run('dead letter: policies that are refused', policies, sqs)
}
