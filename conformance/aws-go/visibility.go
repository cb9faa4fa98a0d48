package main

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) visibilityChecks() {
	s.run("message: a lease that ends", leaseEnds)
	s.run("message: change of visibility", visibility)
	s.run("message: change of visibility in a batch", visibilityBatch)
	s.run("message: deletion in a batch", deleteBatch)
}

func leaseEnds(t *tester) {
	q := t.queue(attrs{"VisibilityTimeout": "4"})
	t.send(q, "m")
	first := t.take(q, 1)[0]
	t.nothing(q)
	second := t.take(q, 1, system("ApproximateReceiveCount"), lease(30))[0]
	equal("id", *second.MessageId, *first.MessageId)
	equal("receives", second.Attributes["ApproximateReceiveCount"], "2")
	holds(*first.ReceiptHandle != *second.ReceiptHandle, "the same receipt handle twice")
	t.delete(q, second)
}

func visibility(t *tester) {
	q := t.queue(nil)
	t.send(q, "m")
	m := t.take(q, 1, lease(4))[0]
	must(0, t.hide(q, m, 60))
	t.nothing(q, wait(5)) // beyond its first lease
	must(0, t.hide(q, m, 0))
	m = t.take(q, 1, wait(0), lease(30))[0]
	must(0, t.hide(q, m, 1))
	m = t.take(q, 1)[0]
	refused(t.hide(q, m, 43201), "InvalidParameterValue")
	t.delete(q, m)
	refused(t.hide(q, m, 1), "InvalidParameterValue")
	m.ReceiptHandle = aws.String("nonsense")
	err := t.hide(q, m, 1)
	refused(err, "ReceiptHandleIsInvalid")
	status(err, 404)
}

func visibilityBatch(t *tester) {
	q := t.queue(nil)
	t.send(q, "a")
	t.send(q, "b")
	got := t.take(q, 2)
	out := must(t.client.ChangeMessageVisibilityBatch(t.ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &q, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: aws.String("a"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 1},
		{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense"), VisibilityTimeout: 1},
		{Id: aws.String("b"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 60}}}))
	equal("changed", len(out.Successful), 2)
	equal("refused", failures(out.Failed), attrs{"bad": "ReceiptHandleIsInvalid"})
	equal("released", *t.take(q, 1)[0].MessageId, *got[0].MessageId)
	t.nothing(q)
}

func failures(entries []types.BatchResultErrorEntry) attrs {
	out := attrs{}
	for _, e := range entries {
		holds(e.SenderFault, "entry %s is not the sender's fault", *e.Id)
		out[*e.Id] = *e.Code
	}
	return out
}

func deleteBatch(t *tester) {
	q := t.queue(attrs{"VisibilityTimeout": "1"})
	var entries []types.DeleteMessageBatchRequestEntry
	for _, b := range []string{"a", "b", "c"} {
		t.send(q, b)
	}
	for _, m := range t.take(q, 3, lease(30)) {
		entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: m.Body, ReceiptHandle: m.ReceiptHandle})
	}
	entries = append(entries, types.DeleteMessageBatchRequestEntry{Id: aws.String("bad"), ReceiptHandle: aws.String("nonsense")})
	out := must(t.client.DeleteMessageBatch(t.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q, Entries: entries}))
	equal("deleted", len(out.Successful), 3)
	equal("refused", failures(out.Failed), attrs{"bad": "ReceiptHandleIsInvalid"})
	t.nothing(q, wait(1))
	err := t.tryDelete(q, "nonsense")
	refused(err, "ReceiptHandleIsInvalid")
	status(err, 404)
}
