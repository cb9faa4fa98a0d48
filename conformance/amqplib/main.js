// Drives an AMQP 0-9-1 broker with amqplib. The broker's address is in AMQP_URL.
// Arguments: [--only TITLE].
//
// The suite was checked against RabbitMQ 3.10.8 (Debian 12). The package on npm
// has no tests of its own.
const { Suite } = require('./harness.js')

async function main() {
  const only = process.argv.indexOf('--only')
  const suite = new Suite('amqplib', only < 0 ? '' : process.argv[only + 1])
  for (const checks of ['connection', 'exchange', 'queue', 'publish', 'consume', 'dead_letter', 'pattern']) await require(`./${checks}_checks.js`)(suite)
  process.exit(suite.finish())
}

main()
