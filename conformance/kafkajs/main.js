// Drives a broker with KafkaJS.
//
//   main.js suite      run the checks, print a count
//   main.js member     be a group member under the rebalance judge
//   main.js producer   be its producer
//   main.js digest     print a hash of each partition of a topic
const { parseArgs } = require('node:util')
const load = require('./load')
const { Broker, Suite } = require('./harness')

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'

async function main() {
  const text = { type: 'string', default: '' }
  const { values: o, positionals: [command] } = parseArgs({
    allowPositionals: true,
    options: {
      bootstrap: { type: 'string', default: process.env.CONFORMANCE_BOOTSTRAP }, topic: text, group: text, id: text,
      instance: text, only: text, assignor: text, partitions: { type: 'string', default: '1' },
      records: { type: 'string', default: '1000' }, rate: { type: 'string', default: '1000' },
    },
  })
  if (!o.bootstrap) throw new Error('--bootstrap or CONFORMANCE_BOOTSTRAP is needed')
  for (const k of ['partitions', 'records', 'rate']) o[k] = Number(o[k])
  if (load[command]) return load[command](o)
  if (command !== 'suite') throw new Error(`unknown command ${command}`)
  const suite = new Suite('kafkajs', o.only)
  const broker = new Broker(o.bootstrap)
  await require('./record_checks')(suite, broker)
  await require('./group_checks')(suite, broker)
  await require('./admin_checks')(suite, broker)
  process.exit(suite.finish())
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
