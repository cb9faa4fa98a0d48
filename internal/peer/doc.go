// Package peer is how the brokers of a cluster talk to each other. It knows no broker.
//
// A Client calls one other broker. All its calls go over one bidirectional gRPC stream,
// and the Server begins them in the order in which they were started, so what one
// producer appends stays in order. Answers come in any order. What a message on the
// stream holds:
//
//	call    | kind 1 | id | method | payload        client → server
//	cancel  | kind 2 | id |                          client → server
//	confirm | kind 3 | id |                          client → server: the answer has come
//	push    | kind 4 | id | payload                  server → client, any number of them
//	answer  | kind 5 | id | confirm? | payload       server → client, the last of a call
//	fail    | kind 6 | id | error                    server → client, the last of a call
//	ping    | kind 7 | 0  |                          both
//
// kind, method and confirm are one byte, id is an unsigned varint. An error is its text
// and its sentinels (see fault.Sentinels), each a varint length and bytes.
//
// A tunnel carries the bytes of one connection over a gRPC stream of its own, an empty
// message stands for the end of one direction.
//
// What holds:
//   - A call ends once. It ends well only if the other broker said so.
//   - A call that did not leave this broker ends with ErrNotSent; one whose stream broke
//     ends with ErrUnknownOutcome.
//   - Nobody waits for a reader: callbacks are quick, and what is queued is bounded by
//     the calls and bytes that may be under way.
//   - A connection from which no byte came for SilenceMax is cut; both sides ping.
//
// Locks: link.mu and session.mu guard their calls; callbacks run without them.
package peer
