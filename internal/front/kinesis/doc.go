// Package kinesis answers the calls of Amazon Kinesis Data Streams (2013-12-02). A
// stream is a topic, a shard is a partition with its hash keys, a record is a record:
// the partition key is its key, the data its value.
//
//	shardId-000000000007                partition 7
//	sequence number                     the partition's birth and the offset: sequence.go
//	shard iterator, next token          a place, sealed with a check: token.go
//	stream mode, consumers, policies …  labels of the topic: traits.go
//
// Inputs are structs whose tags name the shapes of the service's model, and are held
// to its constraints by validate.go, in AWS's words. docs/kinesis.md says what each
// action does, and what differs.
package kinesis
