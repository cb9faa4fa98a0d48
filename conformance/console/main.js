// Clicks through the console in a headless Chromium.
//
//   NARU_HTTP=http://127.0.0.1:8080 AWS_ENDPOINT_URL=http://127.0.0.1:4566 node main.js
//
// The region and the keys come from the variables that every AWS client reads.
// Screenshots go to $SCREENSHOTS; $ONLY runs the checks whose title contains it.
const path = require('node:path')
const { Desk, Suite } = require('./harness')

async function main() {
  for (const name of ['NARU_HTTP', 'AWS_ENDPOINT_URL']) if (!process.env[name]) throw new Error(`${name} is needed`)
  const folder = process.env.SCREENSHOTS || path.join(__dirname, '..', 'out', 'screenshots')
  const suite = new Suite('console', process.env.ONLY)
  const desk = await Desk.open(process.env.NARU_HTTP.replace(/\/$/, ''), folder)
  try {
    await require('./topic_checks')(suite, desk)
    await require('./queue_checks')(suite, desk)
    await require('./group_checks')(suite, desk)
    await require('./page_checks')(suite, desk)
    await require('./key_checks')(suite, desk)
  } finally {
    await desk.browser.close()
  }
  process.exitCode = suite.finish()
}

main().catch(e => {
  console.error(e)
  process.exit(1)
})
