// Keys: for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no other.
const { assert } = require('./harness')

// The Query protocol's name of the error, and the JSON protocol's.
const wrong = ['SignatureDoesNotMatch', 'InvalidSignatureException']

async function refused(client, codes) {
  try {
    await client.listQueues({})
  } catch (e) {
    assert.equal(e.$metadata.httpStatusCode, 403, e.message)
    assert.ok(codes.includes(e.Code ?? e.name), `${e.Code ?? e.name} is none of ${codes}`)
    return
  }
  assert.fail('it was accepted')
}

module.exports = async (suite, sqs) => {
  const keys = (accessKeyId, secretAccessKey) => sqs.connect({ credentials: { accessKeyId, secretAccessKey } })
  await suite.run('keys: a wrong secret', () => refused(keys(process.env.AWS_ACCESS_KEY_ID, 'not-the-secret'), wrong))
  await suite.run('keys: one that is not known', () => refused(keys('AKIAUNKNOWN', 'whatever'),
    ['InvalidClientTokenId', 'UnrecognizedClientException']))
  await suite.run('keys: a clock that is wrong', async () => {
    for (const minutes of [-20, 20]) {
      const client = sqs.connect({ systemClockOffset: minutes * 60000 })
      await refused(client, [...wrong, 'RequestExpired', 'RequestTimeTooSkewed'])
      await client.listQueues({}) // it has set its clock by the answer
    }
  })
}
