// Named checks with a closing count, and small tools that the checks share.
//
// The endpoint, the region and the keys come from the variables that every AWS
// client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
const assert = require('node:assert/strict')
const { SQS } = require('@aws-sdk/client-sqs')

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
let serial = 0
const unique = what => `js-${what}-${process.pid}-${Date.now()}-${serial++}`

class Suite {
  constructor(name, only) {
    Object.assign(this, { name, only, passed: 0, failed: 0 })
  }

  // run counts one check; it fails when it throws or takes longer than a minute.
  async run(title, check, ...args) {
    if (this.only && !title.includes(this.only)) return
    const start = Date.now()
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error('not done within a minute')), 60000)
    })
    try {
      await Promise.race([check(...args), late])
      this.passed++
      console.log(`ok   ${title} (${Date.now() - start}ms)`)
    } catch (e) {
      this.failed++
      console.log(`FAIL ${title} (${Date.now() - start}ms): ${e.message.split('\n').slice(0, 12).join(' ').slice(0, 400)}`)
      console.error(e.stack)
    } finally {
      clearTimeout(timer)
    }
  }

  finish() {
    console.log(`${this.name}: ${this.passed} passed, ${this.failed} failed`)
    return this.failed || !this.passed ? 1 : 0
  }
}

// The code that clients of the Query protocol know an error by, which the SDK
// takes from the header x-amzn-query-error.
const queryCodes = { QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue', QueueNameExists: 'QueueAlreadyExists' }
for (const name of ['BatchEntryIdsNotDistinct', 'BatchRequestTooLong', 'EmptyBatchRequest', 'InvalidBatchEntryId',
  'TooManyEntriesInBatchRequest', 'PurgeQueueInProgress', 'UnsupportedOperation']) queryCodes[name] = `AWS.SimpleQueueService.${name}`

class Endpoint {
  constructor() {
    this.endpoint = process.env.AWS_ENDPOINT_URL.replace(/\/$/, '')
    this.client = this.connect()
  }

  connect(settings = {}) {
    return new SQS({ maxAttempts: 1, ...settings })
  }

  async create(QueueName, Attributes, tags) {
    return (await this.client.createQueue({ QueueName, Attributes, tags })).QueueUrl
  }

  queue(attributes) { return this.create(unique('q'), attributes) }

  fifo(attributes) { return this.create(unique('q') + '.fifo', { FifoQueue: 'true', ...attributes }) }

  async attributes(QueueUrl, ...AttributeNames) {
    return (await this.client.getQueueAttributes({ QueueUrl, AttributeNames })).Attributes ?? {}
  }

  async attribute(url, name) { return (await this.attributes(url, name))[name] }

  arn(url) { return this.attribute(url, 'QueueArn') }

  send(QueueUrl, MessageBody, more = {}) { return this.client.sendMessage({ QueueUrl, MessageBody, ...more }) }

  async sendAll(url, ...bodies) {
    for (const b of bodies) await this.send(url, b)
  }

  batch(QueueUrl, ...entries) {
    return this.client.sendMessageBatch({ QueueUrl, Entries: entries.map((e, i) => ({ Id: `${i}`, ...e })) })
  }

  async receive(QueueUrl, more = {}) {
    return (await this.client.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10, ...more })).Messages ?? []
  }

  // take receives until n messages came, and fails if they do not within the limit.
  async take(url, n, { limit = 30000, ...more } = {}) {
    const out = []
    for (const end = Date.now() + limit; out.length < n;) {
      out.push(...await this.receive(url, { WaitTimeSeconds: 1, ...more, MaxNumberOfMessages: Math.min(10, n - out.length) }))
      assert.ok(out.length >= n || Date.now() < end, `${out.length} of ${n} messages after ${limit} ms`)
    }
    assert.equal(out.length, n)
    return out
  }

  async bodies(url, n, more) { return (await this.take(url, n, more)).map(m => m.Body) }

  async nothing(url, WaitTimeSeconds = 0) {
    const got = await this.receive(url, { WaitTimeSeconds })
    assert.deepEqual(got.map(m => m.Body), [], 'messages in a queue that has none to give')
  }

  async delete(QueueUrl, ...messages) {
    for (const { ReceiptHandle } of messages) await this.client.deleteMessage({ QueueUrl, ReceiptHandle })
  }

  hide(QueueUrl, { ReceiptHandle }, VisibilityTimeout) {
    return this.client.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout })
  }
}

// until waits for a condition.
async function until(what, holds, limit = 50000) {
  for (const end = Date.now() + limit; !(await holds()); await sleep(50)) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`)
  }
}

// fails expects the call to be refused with the error of this name.
async function fails(name, call, contains = '', status = 400) {
  try {
    await call
  } catch (e) {
    const want = queryCodes[name] ?? name
    assert.equal(e.Code ?? e.name, want, `code of ${e.name}: ${e.message}`)
    if (queryCodes[name]) assert.equal(e.name, name)
    assert.equal(e.$metadata.httpStatusCode, status, `HTTP status of ${e.name}`)
    assert.ok(e.message.includes(contains), `${e.message} does not say ${contains}`)
    return
  }
  assert.fail(`it was accepted, want ${name}`)
}

const text = StringValue => ({ DataType: 'String', StringValue })
const policy = async (sqs, dead, attempts) => JSON.stringify({ deadLetterTargetArn: await sqs.arn(dead), maxReceiveCount: attempts })

module.exports = { assert, Endpoint, fails, policy, sleep, Suite, text, unique, until }
