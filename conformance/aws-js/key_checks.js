// Keys: for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no other.
const { assert } = require('./harness')

// The Query protocol's name of the error, and the JSON protocol's.
const wrong = ['SignatureDoesNotMatch', 'InvalidSignatureException']

async function refused(sqs, codes, settings) {
  try {
    await sqs.connect(settings).listQueues({})
  } catch (e) {
    assert.equal(e.$metadata.httpStatusCode, 403, e.message)
    assert.ok(codes.includes(e.Code ?? e.name), `${e.Code ?? e.name} is none of ${codes}`)
    return
  }
  assert.fail('it was accepted')
}

module.exports = async (suite, sqs) => {
  await suite.run('keys: a wrong secret', () => refused(sqs, wrong,
    { credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'not-the-secret' } }))
  await suite.run('keys: one that is not known', () => refused(sqs, ['InvalidClientTokenId', 'UnrecognizedClientException'],
    { credentials: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'whatever' } }))
  await suite.run('keys: a clock that is wrong', async () => {
    for (const minutes of [-20, 20]) {
      await refused(sqs, [...wrong, 'RequestExpired', 'RequestTimeTooSkewed'], { systemClockOffset: minutes * 60000 })
    }
    // It sets its clock by the answer, and tries again.
    await sqs.connect({ systemClockOffset: 20 * 60000, maxAttempts: 2 }).listQueues({})
  })
}
