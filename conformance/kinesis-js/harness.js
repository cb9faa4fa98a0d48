// Named checks with a closing count, and small tools that the checks share.
//
// The endpoint, the region and the keys come from the variables that every AWS
// client reads: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ….
const assert = require('node:assert/strict')
const { Kinesis } = require('@aws-sdk/client-kinesis')
const { AwsSmithyRpcV2CborProtocol } = require('@aws-sdk/core/protocols')
const { NodeHttpHandler } = require('@smithy/node-http-handler')

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
let serial = 0
const unique = what => `js-${what}-${process.pid}-${Date.now()}-${serial++}`
const first = 'shardId-000000000000'
const bytes = text => Buffer.from(text)
const text = data => Buffer.from(data).toString()

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

// ways are how a client speaks: it chooses HTTP/2 and JSON by itself.
const ways = {
  'HTTP/2': () => ({}),
  'HTTP/1.1': () => ({ requestHandler: new NodeHttpHandler() }),
  'RPC v2 CBOR': () => ({ protocol: AwsSmithyRpcV2CborProtocol, protocolSettings: { defaultNamespace: 'com.amazonaws.kinesis', version: '2013-12-02', serviceTarget: 'Kinesis_20131202' } }),
}

class Endpoint {
  constructor(http) {
    this.http = http
    this.client = this.connect()
  }

  connect(settings = {}) {
    return new Kinesis({ maxAttempts: 1, ...ways[this.http](), ...settings })
  }

  async stream(ShardCount = 1) {
    const StreamName = unique('s')
    await this.client.createStream({ StreamName, ShardCount })
    await this.active(StreamName)
    return StreamName
  }

  async summary(StreamName) { return (await this.client.describeStreamSummary({ StreamName })).StreamDescriptionSummary }

  async active(name) { await until(`${name} is active`, async () => (await this.summary(name)).StreamStatus === 'ACTIVE') }

  async arn(name) { return (await this.summary(name)).StreamARN }

  async shards(StreamName) { return (await this.client.listShards({ StreamName })).Shards }

  put(StreamName, data, PartitionKey = 'k', more = {}) {
    return this.client.putRecord({ StreamName, PartitionKey, Data: typeof data === 'string' ? bytes(data) : data, ...more })
  }

  async iterator(StreamName, ShardIteratorType = 'TRIM_HORIZON', more = {}) {
    return (await this.client.getShardIterator({ StreamName, ShardId: first, ShardIteratorType, ...more })).ShardIterator
  }

  // records reads until n records came.
  async records(ShardIterator, n, limit = 50000) {
    const out = []
    for (const end = Date.now() + limit; out.length < n && ShardIterator;) {
      const answer = await this.client.getRecords({ ShardIterator })
      out.push(...answer.Records)
      ShardIterator = answer.NextShardIterator
      assert.ok(Date.now() < end, `${out.length} of ${n} records after ${limit} ms`)
    }
    assert.equal(out.length, n)
    return out
  }

  async texts(name, n, ...iterator) { return (await this.records(await this.iterator(name, ...iterator), n)).map(r => text(r.Data)) }
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
    assert.equal(e.name, name, e.message)
    assert.equal(e.$metadata.httpStatusCode, status, `HTTP status of ${e.name}`)
    assert.ok(e.$metadata.requestId, 'there is no request id')
    assert.ok(e.message.includes(contains), `${e.message} does not say ${contains}`)
    return
  }
  assert.fail(`it was accepted, want ${name}`)
}

module.exports = { assert, bytes, Endpoint, fails, first, sleep, Suite, text, unique, until }
