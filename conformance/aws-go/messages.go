package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func (s *suite) messageChecks() {
	s.run("message: send, receive, delete", sendReceiveDelete)
	s.run("message: Korean text and other characters", text)
	s.run("message: attributes of every type", messageAttributes)
	s.run("message: attributes as asked for", chosenAttributes)
	s.run("message: system attributes as asked for", systemAttributes)
	s.run("message: batch of ten", batchOfTen)
	s.run("message: batch refused in part", batchInPart)
	s.run("message: short and long polls", polls)
	s.run("message: delays", delays)
	s.run("message: sizes", sizes)
}

const mib = 1 << 20

func entry(body string) types.SendMessageBatchRequestEntry {
	return types.SendMessageBatchRequestEntry{MessageBody: &body}
}

func str(v string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: &v}
}

func sendReceiveDelete(t *tester) {
	q := t.queue(nil)
	sent := t.send(q, "hello")
	holds(sent.SequenceNumber == nil, "a standard queue numbered it")
	m := t.take(q, 1)[0]
	equal("body", *m.Body, "hello")
	equal("id", *m.MessageId, *sent.MessageId)
	holds(m.Attributes == nil && m.MessageAttributes == nil, "attributes that nobody asked for: %v", m)
	t.nothing(q)
	must(0, t.hide(q, m, 1))
	t.delete(q, m)
	t.nothing(q, wait(2)) // beyond its lease
	t.delete(q, m)        // deleting again is no error
}

func text(t *tester) {
	q := t.queue(nil)
	all := []string{"강을 건너는 모든 배가 닿는 곳, 나루", "tab\tnewline\ncarriage\rreturn", `<a href="x">&amp;'</a>`,
		"emoji 🛶 and \U0010fffd", "  spaces  ", "1+1=2 100% a/b?c", `{"json": [1, "둘"]}`, strings.Repeat("줄", 50_000)}
	for _, b := range all {
		t.send(q, b)
	}
	equal("bodies", sorted(bodies(t.take(q, len(all)))), sorted(all))
}

func messageAttributes(t *tester) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	typed := func(kind, s string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, StringValue: &s}
	}
	binary := func(kind string, b []byte) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: &kind, BinaryValue: b}
	}
	want := map[string]types.MessageAttributeValue{
		"text": typed("String", `나루터 <&> "따옴표"`), "count": typed("Number", "-12.50"), "bytes": binary("Binary", every),
		"text.custom": typed("String.title", "머리글"), "n.int": typed("Number.int", "7"), "b.png": binary("Binary.png", []byte("\x89PNG\r\n\x1a\n\x00")),
	}
	q := t.queue(nil)
	t.send(q, "with", with(want))
	equal("attributes", flat(t.take(q, 1, asking("All"))[0].MessageAttributes), flat(want))
	ten := map[string]types.MessageAttributeValue{}
	for i := range 10 {
		ten[fmt.Sprint("a", i)] = str(fmt.Sprint(i))
	}
	e := entry("ten")
	e.MessageAttributes = ten
	must(t.batch(q, e))
	equal("attributes", flat(t.take(q, 1, asking("All"))[0].MessageAttributes), flat(ten))
}

// flat makes attributes comparable.
func flat(a map[string]types.MessageAttributeValue) map[string]string {
	out := map[string]string{}
	for k, v := range a {
		out[k] = fmt.Sprintf("%s %s %x", *v.DataType, aws.ToString(v.StringValue), v.BinaryValue)
	}
	return out
}

func chosenAttributes(t *tester) {
	q := t.queue(nil)
	all := map[string]types.MessageAttributeValue{"a": str("a"), "b": str("b"), "price.low": str("l"), "price.high": str("h")}
	for asked, want := range map[string]string{"": "", "a": "a", "a b none": "a b", "none": "", "All": "a b price.high price.low",
		".*": "a b price.high price.low", "price.*": "price.high price.low", "price.low b": "b price.low"} {
		t.send(q, "m", with(all))
		m := t.take(q, 1, asking(strings.Fields(asked)...))[0]
		var got []string
		for k := range m.MessageAttributes {
			got = append(got, k)
		}
		equal("asked for "+asked, strings.Join(sorted(got), " "), want)
		t.delete(q, m)
	}
}

func systemAttributes(t *tester) {
	q := t.queue(nil)
	const trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
	before := time.Now().UnixMilli()
	t.send(q, "m", func(m *sqs.SendMessageInput) {
		m.MessageSystemAttributes = map[string]types.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String(trace)}}
	})
	m := t.take(q, 1, system("All"))[0]
	var names []string
	for k := range m.Attributes {
		names = append(names, k)
	}
	equal("names", sorted(names), []string{"AWSTraceHeader", "ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp"})
	equal("count", m.Attributes["ApproximateReceiveCount"], "1")
	equal("trace", m.Attributes["AWSTraceHeader"], trace)
	for _, name := range []string{"SentTimestamp", "ApproximateFirstReceiveTimestamp"} {
		at := must(strconv.ParseInt(m.Attributes[name], 10, 64))
		holds(at >= before-1000 && at <= time.Now().UnixMilli()+1000, "%s %d is not about %d", name, at, before)
	}
	must(0, t.hide(q, m, 0))
	again := t.take(q, 1, system("ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"))[0]
	equal("those asked for", again.Attributes, attrs{"ApproximateReceiveCount": "2",
		"ApproximateFirstReceiveTimestamp": m.Attributes["ApproximateFirstReceiveTimestamp"]})
}

func batchOfTen(t *tester) {
	q := t.queue(nil)
	var entries []types.SendMessageBatchRequestEntry
	var want []string
	for i := range 10 {
		want = append(want, fmt.Sprint("m", i))
		entries = append(entries, entry(want[i]))
	}
	out := must(t.batch(q, entries...))
	equal("taken, refused", []int{len(out.Successful), len(out.Failed)}, []int{10, 0})
	got := t.take(q, 10)
	equal("bodies", sorted(bodies(got)), want)
	var sent, received []string
	for i, e := range out.Successful {
		sent, received = append(sent, *e.MessageId), append(received, *got[i].MessageId)
	}
	equal("ids", sorted(received), sorted(sent))
}

func batchInPart(t *tester) {
	q := t.queue(nil)
	late, empty := entry("late"), entry("empty")
	late.DelaySeconds = 901
	empty.MessageAttributes = map[string]types.MessageAttributeValue{"a": str("")}
	out := must(t.batch(q, entry("good"), late, entry("bad \x01 char"), entry("also good"), empty))
	var taken []string
	for _, e := range out.Successful {
		taken = append(taken, *e.Id)
	}
	equal("taken", taken, []string{"0", "3"})
	failed := attrs{}
	for _, e := range out.Failed {
		failed[*e.Id] = *e.Code
		holds(e.SenderFault && aws.ToString(e.Message) != "", "entry %s: %+v", *e.Id, e)
	}
	equal("refused", failed, attrs{"1": "InvalidParameterValue", "2": "InvalidMessageContents", "4": "InvalidParameterValue"})
	equal("bodies", sorted(bodies(t.take(q, 2))), []string{"also good", "good"})
	t.nothing(q)
}

func polls(t *tester) {
	q := t.queue(nil)
	quickest := time.Hour
	for range 5 {
		start := time.Now()
		t.nothing(q)
		quickest = min(quickest, time.Since(start))
	}
	holds(quickest < 900*time.Millisecond, "a short poll waited %v", quickest)
	start := time.Now()
	t.nothing(q, wait(2))
	took := time.Since(start)
	holds(took >= 1900*time.Millisecond && took < 10*time.Second, "a long poll of 2 s took %v", took)
	t.send(q, "soon", delay(1))
	start = time.Now()
	equal("bodies", bodies(t.take(q, 1, wait(20))), []string{"soon"})
	holds(time.Since(start) < 15*time.Second, "a message that was due after 1 s came after %v", time.Since(start))
	waits := t.queue(attrs{"ReceiveMessageWaitTimeSeconds": "1"})
	start = time.Now()
	t.nothing(waits)
	holds(time.Since(start) >= 900*time.Millisecond, "the queue's own wait was not kept")
}

func delays(t *tester) {
	q, slow := t.queue(nil), t.queue(attrs{"DelaySeconds": "6"})
	start := time.Now()
	t.send(q, "late", delay(6))
	t.send(slow, "late too")
	t.send(slow, "sooner", delay(3))
	t.nothing(q)
	t.nothing(slow)
	equal("its own delay comes before the queue's", bodies(t.take(slow, 1)), []string{"sooner"})
	equal("bodies", append(bodies(t.take(q, 1)), bodies(t.take(slow, 1))...), []string{"late", "late too"})
	holds(time.Since(start) > 5900*time.Millisecond, "delivered after %v", time.Since(start))
}

func sizes(t *tester) {
	q := t.queue(nil)
	body := strings.Repeat("0123456789abcdef", mib/16)
	t.send(q, body)
	holds(*t.take(q, 1)[0].Body == body, "a body of 1 MiB changed")
	_, err := t.trySend(q, body+"x")
	refused(err, "InvalidParameterValue", "Message must be shorter than 1048576 bytes")
	a := with(map[string]types.MessageAttributeValue{"name": str(strings.Repeat("v", 100))})
	fits := mib - len("name") - len("String") - 100
	t.send(q, body[:fits], a)
	_, err = t.trySend(q, body[:fits+1], a)
	refused(err, "InvalidParameterValue", "shorter than")
	small := t.queue(attrs{"MaximumMessageSize": "1024"})
	t.send(small, strings.Repeat("x", 1024))
	t.send(small, strings.Repeat("나", 341))
	_, err = t.trySend(small, strings.Repeat("나", 342))
	refused(err, "InvalidParameterValue", "shorter than 1024 bytes")
}
