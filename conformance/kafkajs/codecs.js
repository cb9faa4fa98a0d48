// KafkaJS brings gzip only; the others are added here.
const { CompressionTypes, CompressionCodecs } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4js')
const { ZstdCodec } = require('zstd-codec')

CompressionCodecs[CompressionTypes.Snappy] = snappy
// lz4js writes frames of dependent blocks, which Kafka's format excludes: it only reads here.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async () => { throw new Error('no LZ4 writer') },
  decompress: async buffer => Buffer.from(lz4.decompress(buffer)),
})

const zstd = new Promise(resolve => ZstdCodec.run(binding => resolve(new binding.Streaming())))
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from((await zstd).compress(encoder.buffer)),
  decompress: async buffer => Buffer.from((await zstd).decompress(buffer)),
})

module.exports = { CompressionTypes }
