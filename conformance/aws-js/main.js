// Drives an SQS endpoint with the AWS SDK for JavaScript v3.
//
//   main.js [--only TITLE] [--no-keys]
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
const { parseArgs } = require('node:util')
const { Endpoint, Suite } = require('./harness')

async function main() {
  const { values: o } = parseArgs({ options: { only: { type: 'string', default: '' }, 'no-keys': { type: 'boolean', default: false } } })
  const suite = new Suite('aws-js', o.only)
  const sqs = new Endpoint()
  const parts = ['queue', 'message', 'refusal', 'dead_letter', 'fifo']
  if (!o['no-keys']) parts.push('key')
  for (const part of parts) await require(`./${part}_checks`)(suite, sqs)
  process.exit(suite.finish())
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
