// Drives a Kinesis endpoint with the AWS SDK for JavaScript v3, which speaks HTTP/2
// to Kinesis unless it is told otherwise: the checks run over both, and once with
// Smithy's RPC v2 CBOR in the place of JSON.
//
//   main.js [--only TITLE] [--no-keys] [--http1]
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const { parseArgs } = require('node:util')
const { Endpoint, Suite } = require('./harness')

async function main() {
  const { values: o } = parseArgs({ options: { only: { type: 'string', default: '' }, 'no-keys': { type: 'boolean', default: false }, http1: { type: 'boolean', default: false } } })
  const suite = new Suite('kinesis-js', o.only)
  for (const http of o.http1 ? ['HTTP/1.1'] : ['HTTP/2', 'HTTP/1.1', 'RPC v2 CBOR']) {
    const kinesis = new Endpoint(http)
    for (const part of ['stream', 'record', 'consumer', ...(o['no-keys'] ? [] : ['key'])]) await require(`./${part}_checks`)(suite, kinesis)
    kinesis.client.destroy()
  }
  process.exit(suite.finish())
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
