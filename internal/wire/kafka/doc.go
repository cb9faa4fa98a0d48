// Package kafka is the codec of the Kafka protocol: headers, requests and responses, as of Kafka 4.2.
//
// messages.txt says which messages there are; ./gen turns it into the zz_*.go files, one per API. The package does no
// I/O, knows no broker, and uses no reflection.
//
// A frame on the wire, either way:
//
//	 0        4                                        4+size
//	 +--------+---------------+--------------------------+
//	 | size   | header        | body                     |
//	 | int32  |               |                          |
//	 +--------+---------------+--------------------------+
//
//	request header 1, 2    key int16 | version int16 | correlation int32 | client id (int16 length) [ | tags: 2 ]
//	response header 0, 1   correlation int32 [ | tags: 1 ]
//
// Versions 2 and 1 belong to flexible API versions. The response to ApiVersions always has header 0, so that a client
// which guessed a version too new for the broker can still read the answer (KIP-511).
//
// # Types
//
// A message's struct and its fields carry the protocol's own names; a struct nested in a message is named after both
// (ProduceRequest and TopicProduceData make ProduceRequestTopicProduceData). Null is nil. In detail:
//
//   - a nullable string is *string. Elsewhere a nil array or nil bytes means "empty" where null is not allowed;
//   - bytes are copied out of the frame, records are not: the records of a request alias it, and so must be done with
//     before its buffer is used again;
//   - the records of a response are Pieces, which the Writer passes on without copying;
//   - a tagged struct is a pointer, nil when absent, so that the zero value of a response never claims leader 0 or
//     epoch 0 by accident. Other fields whose protocol default is not zero (-1 mostly) are zero in a fresh struct:
//     call Default on those you build. Decode fills in the defaults of what a version lacks.
//
// Append leaves out the fields that a version does not have, whatever they hold.
//
// # What a peer cannot do
//
// A Reader keeps the first error and stays there. It checks each length against the bytes that are left, each count
// against those bytes divided by the least that one element can take, and it pays for every allocation from a budget of
// allocFactor bytes per byte of the body. The generator computes allocFactor as the most that any well-formed message
// needs, so the budget stops only lies: decoding n bytes allocates at most allocFactor*n, plus the message itself, and
// takes time proportional to n. Nothing here panics on any input.
package kafka

//go:generate go run ./gen -dir .
