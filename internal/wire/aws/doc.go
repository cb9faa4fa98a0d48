// Package aws holds the encodings of AWS protocols: documents in JSON and in CBOR
// (RFC 8949) to and from structs, and the messages of event streams.
//
//	JSON      {"StreamName":"a","Data":"AQI="}
//	CBOR      a2 6a StreamName 61 a 64 Data 42 0102
//	message   total length, headers' length, CRC-32; headers; payload; CRC-32
//
// One description of a struct serves both: the names and options of encoding/json's
// tags. There are libraries for each of these encodings. None reads both from one
// struct with a bound on elements, and none writes the CBOR of
// application/x-amz-cbor-1.1, whose timestamps are milliseconds.
//
// Everything is pure. What is read is bounded: depth, elements, and no allocation
// that the input's length does not pay for.
package aws
