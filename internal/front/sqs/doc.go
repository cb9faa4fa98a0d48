// Package sqs speaks Amazon SQS: it turns requests into calls of the broker's
// queues, and records into messages and back.
//
// # Invariants
//
//   - A message that was answered for is durable; so is a deletion.
//   - A record that is received with all its attributes and sent again is the same
//     record (docs/messages.md).
//   - An answer has no empty members where SQS has none: clients take an empty
//     MessageAttributes for a message whose digest is missing.
//   - Nothing stays leased to a client that was gone before its answer was ready.
package sqs
