// Keys: for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no other.
const { fails } = require('./harness')

async function wrong(k) {
  for (const [name, accessKeyId, secretAccessKey] of [['InvalidSignatureException', process.env.AWS_ACCESS_KEY_ID, 'wrong'], ['UnrecognizedClientException', 'NOBODY', 'x']]) {
    const client = k.connect({ credentials: { accessKeyId, secretAccessKey } })
    await fails(name, client.listStreams({}), '', 403)
    client.destroy()
  }
}

module.exports = (suite, k) => suite.run(`${k.http}: keys: wrong ones`, wrong, k)
