package main

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) fifoChecks() {
	s.run("fifo: what it must be told", required)
	s.run("fifo: order in a group and a batch", order)
	s.run("fifo: a group blocks, others go on", blocked)
	s.run("fifo: blocked through sends and changes of visibility", stillBlocked)
	s.run("fifo: deduplication by id", sameID)
	s.run("fifo: deduplication by content", sameContent)
	s.run("fifo: deduplication in a group", sameInGroup)
	s.run("fifo: an attempt at receiving repeated", attempt)
	s.run("fifo: a receipt that expired", expiredHandle)
	s.run("fifo: dead letters keep their group", fifoDeadLetter)
}

// put sends bodies to a group, each with an id of its own.
func (t *tester) put(q, to string, all ...string) (last *sqs.SendMessageOutput) {
	for _, b := range all {
		last = t.send(q, b, group(to), dedup(t.name("d")))
	}
	return last
}

func required(t *tester) {
	q := t.fifo(nil)
	_, err := t.create(t.name("q"), attrs{"FifoQueue": "true"})
	refused(err, "InvalidParameterValue")
	_, err = t.create(t.name("q")+".fifo", nil)
	refused(err, "InvalidParameterValue")
	_, err = t.create(t.name("q"), attrs{"ContentBasedDeduplication": "true"})
	refused(err, "InvalidAttributeName")
	refused(t.set(q, attrs{"FifoQueue": "false"}), "InvalidAttributeValue")
	no := func(code, says string, opts ...sendOption) {
		_, err := t.trySend(q, "x", opts...)
		refused(err, code, says)
	}
	no("MissingParameter", "MessageGroupId", dedup("d"))
	no("InvalidParameterValue", "ContentBasedDeduplication", group("g"))
	no("InvalidParameterValue", "not valid for this queue type", group("g"), dedup("d"), delay(2))
	for _, bad := range []string{"has space", strings.Repeat("g", 129)} {
		no("InvalidParameterValue", "MessageGroupId", group(bad), dedup("d"))
		no("InvalidParameterValue", "MessageDeduplicationId", group("g"), dedup(bad))
	}
	_, err = t.trySend(t.queue(nil), "x", dedup("d"))
	refused(err, "InvalidParameterValue")
	t.nothing(q)
}

func order(t *tester) {
	q := t.fifo(nil)
	var numbers, want []string
	var entries []types.SendMessageBatchRequestEntry
	for i := range 15 {
		want = append(want, fmt.Sprint(i))
		if i < 5 {
			numbers = append(numbers, *t.put(q, "g", want[i]).SequenceNumber)
			continue
		}
		e := entry(want[i])
		e.MessageGroupId, e.MessageDeduplicationId = aws.String("g"), aws.String(fmt.Sprint("d", i))
		entries = append(entries, e)
	}
	byID := attrs{}
	for _, e := range must(t.batch(q, entries...)).Successful {
		byID[*e.Id] = *e.SequenceNumber
	}
	for i := range entries {
		numbers = append(numbers, byID[fmt.Sprint(i)])
	}
	last := new(big.Int)
	for _, s := range numbers {
		n, ok := new(big.Int).SetString(s, 10)
		holds(ok && n.Cmp(last) > 0, "sequence numbers %v", numbers)
		last = n
	}
	var got []types.Message
	for len(got) < 15 {
		some := must(t.tryReceive(q, 10, wait(1), system("All")))
		holds(len(some) > 0, "nothing after %d messages", len(got))
		got = append(got, some...)
		t.delete(q, some...)
	}
	equal("order", bodies(got), want)
	for i, m := range got {
		equal("sequence number", m.Attributes["SequenceNumber"], numbers[i])
	}
	equal("group", got[7].Attributes["MessageGroupId"], "g")
	equal("deduplication id", got[7].Attributes["MessageDeduplicationId"], "d7")
}

func blocked(t *tester) {
	q := t.fifo(nil)
	t.put(q, "a", "a1", "a2")
	t.put(q, "b", "b1")
	a1 := t.take(q, 1)[0]
	equal("head", *a1.Body, "a1")
	equal("the other group goes on", bodies(t.take(q, 1, wait(0))), []string{"b1"})
	t.nothing(q)
	t.delete(q, a1)
	equal("after the deletion of its head", bodies(t.take(q, 1)), []string{"a2"})
}

func stillBlocked(t *tester) {
	q := t.fifo(nil)
	t.put(q, "g", "1", "2", "3")
	got := t.take(q, 2)
	equal("heads", bodies(got), []string{"1", "2"})
	t.put(q, "g", "4")
	t.nothing(q) // a new message does not free the group
	must(0, t.hide(q, got[1], 0))
	t.nothing(q) // nor does letting go of one, while another is in flight
	must(0, t.hide(q, got[0], 60))
	t.nothing(q)
	must(0, t.hide(q, got[0], 0))
	equal("all over again, in order", bodies(t.take(q, 4)), []string{"1", "2", "3", "4"})
}

func sameID(t *tester) {
	q := t.fifo(nil)
	first := t.send(q, "first", group("g"), dedup("same"))
	again := t.send(q, "second", group("h"), dedup("same"))
	equal("the duplicate's answer", *again.MessageId+*again.SequenceNumber, *first.MessageId+*first.SequenceNumber)
	e := entry("third")
	e.MessageGroupId, e.MessageDeduplicationId = aws.String("g"), aws.String("same")
	equal("in a batch", *must(t.batch(q, e)).Successful[0].MessageId, *first.MessageId)
	t.delete(q, t.take(q, 1)...)
	t.send(q, "fourth", group("g"), dedup("same"))
	t.nothing(q, wait(1)) // even after the first was deleted
}

func sameContent(t *tester) {
	q := t.fifo(attrs{"ContentBasedDeduplication": "true"})
	first := t.send(q, "같은 내용", group("g"))
	again := t.send(q, "같은 내용", group("g"), with(map[string]types.MessageAttributeValue{"a": str("differs")}))
	equal("equal bodies", *again.MessageId, *first.MessageId)
	t.send(q, "같은 내용", group("g"), dedup("its-own-id"))
	t.send(q, "other", group("g"))
	equal("bodies", bodies(t.take(q, 3)), []string{"같은 내용", "같은 내용", "other"})
	t.nothing(q)
}

func sameInGroup(t *tester) {
	q := t.fifo(attrs{"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"})
	for _, g := range []string{"g", "h", "g"} {
		t.send(q, g, group(g), dedup("same"))
	}
	equal("one a group", sorted(bodies(t.take(q, 2))), []string{"g", "h"})
	t.nothing(q)
}

func attempt(t *tester) {
	q := t.fifo(nil)
	t.put(q, "g", "1", "2")
	t.put(q, "h", "3")
	try := func(r *sqs.ReceiveMessageInput) { r.ReceiveRequestAttemptId = aws.String("attempt-1") }
	first := must(t.tryReceive(q, 2, try))
	again := must(t.tryReceive(q, 2, try))
	holds(len(first) > 0, "nothing came")
	equal("the same attempt, the same messages", bodies(again), bodies(first))
	t.delete(q, again...)
	t.take(q, 3-len(again))
}

func expiredHandle(t *tester) {
	q := t.fifo(nil)
	t.put(q, "g", "1")
	old := t.take(q, 1, lease(1))[0]
	fresh := t.take(q, 1)[0]
	refused(t.tryDelete(q, *old.ReceiptHandle), "InvalidParameterValue", "receipt handle has expired")
	t.delete(q, fresh)
	t.nothing(q)
}

func fifoDeadLetter(t *tester) {
	dead := t.fifo(nil)
	q := t.fifo(attrs{"RedrivePolicy": t.policy(dead, 1)})
	t.put(q, "g", "bad", "good")
	equal("head", bodies(t.releasedAtOnce(q, 1)), []string{"bad"})
	equal("the group goes on", bodies(t.take(q, 1)), []string{"good"})
	m := t.take(dead, 1, system("All"))[0]
	equal("dead", *m.Body+" "+m.Attributes["MessageGroupId"], "bad g")
}
