package main

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) refusalChecks() {
	s.run("message: batches refused whole", batchesRefused)
	s.run("message: contents that are refused", contents)
	s.run("message: parameters out of range", ranges)
}

func batchesRefused(t *tester) {
	q := t.queue(nil)
	entries := func(ids ...string) (out []types.SendMessageBatchRequestEntry) {
		for _, id := range ids {
			out = append(out, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: aws.String("x")})
		}
		return out
	}
	_, err := t.client.SendMessageBatch(t.ctx, &sqs.SendMessageBatchInput{QueueUrl: &q, Entries: entries()[:0:0]})
	if err == nil {
		fail("an empty batch was accepted")
	}
	_, err = t.batch(q, entries(strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",")...)...)
	refused(err, "TooManyEntriesInBatchRequest", "You have sent 11")
	_, err = t.batch(q, entries("a", "b", "a")...)
	refused(err, "BatchEntryIdsNotDistinct")
	_, err = t.batch(q, entries("has space")...)
	refused(err, "InvalidBatchEntryId")
	_, err = t.batch(q, entries(strings.Repeat("i", 81))...)
	refused(err, "InvalidBatchEntryId")
	half := strings.Repeat("x", mib/2)
	_, err = t.batch(q, entry(half), entry(half+"y"))
	refused(err, "BatchRequestTooLong", "You have sent 1048577 bytes")
	deletes := make([]types.DeleteMessageBatchRequestEntry, 11)
	for i := range deletes {
		deletes[i] = types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: aws.String("x")}
	}
	_, err = t.client.DeleteMessageBatch(t.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q, Entries: deletes})
	refused(err, "TooManyEntriesInBatchRequest")
	_, err = t.client.DeleteMessageBatch(t.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q, Entries: deletes[:0]})
	refused(err, "EmptyBatchRequest")
	t.nothing(q)
}

func contents(t *tester) {
	q := t.queue(nil)
	_, err := t.trySend(q, "")
	refused(err, "MissingParameter", "MessageBody")
	for _, bad := range []string{"\x00", "\x0b", "\x1f", "\ufffe"} {
		_, err := t.trySend(q, "a"+bad)
		refused(err, "InvalidMessageContents")
	}
	value := func(kind, s string, b []byte) types.MessageAttributeValue {
		v := types.MessageAttributeValue{DataType: &kind, BinaryValue: b}
		if b == nil {
			v.StringValue = &s
		}
		return v
	}
	for _, bad := range []map[string]types.MessageAttributeValue{
		{"a": str("")}, {"a": value("Binary", "", []byte{})}, {"a": value("Number", "seven", nil)}, {"a": value("Text", "x", nil)},
		{"a": value("String", "", []byte("x"))}, {"AWS.mine": str("x")}, {".dot": str("x")}, {"two..dots": str("x")}, {strings.Repeat("n", 257): str("x")},
	} {
		_, err := t.trySend(q, "x", with(bad))
		if err == nil {
			fail("accepted %v", flat(bad))
		}
		refused(err, "InvalidParameterValue")
	}
	eleven := map[string]types.MessageAttributeValue{}
	for i := range 11 {
		eleven[fmt.Sprint("a", i)] = str("x")
	}
	_, err = t.trySend(q, "x", with(eleven))
	refused(err, "InvalidParameterValue")
	t.nothing(q)
}

func ranges(t *tester) {
	q := t.queue(nil)
	for _, n := range []int{-1, 11} {
		_, err := t.tryReceive(q, n)
		refused(err, "InvalidParameterValue", "Must be between 1 and 10, if provided.")
	}
	for _, n := range []int32{-1, 21} {
		_, err := t.tryReceive(q, 1, wait(n))
		refused(err, "InvalidParameterValue", "Must be >= 0 and <= 20, if provided.")
	}
	for _, n := range []int32{-1, 43201} {
		_, err := t.tryReceive(q, 1, lease(n))
		refused(err, "InvalidParameterValue")
	}
	for _, n := range []int32{-1, 901} {
		_, err := t.trySend(q, "x", delay(n))
		refused(err, "InvalidParameterValue")
	}
	t.nothing(q)
}
