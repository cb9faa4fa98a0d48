package sqs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

func newBroker(t testing.TB) *broker.Broker {
	b, err := broker.Open(broker.Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return b
}

// newTarget makes a queue and what the actions need of it.
func newTarget(t testing.TB, b *broker.Broker, name string, change ...func(*catalog.QueueSpec)) *target {
	t.Helper()
	spec := catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()}
	for _, f := range change {
		f(&spec)
	}
	made, err := b.CreateQueue(spec)
	if err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return &target{
		q: q, id: made.ID, receipts: newReceipts(b.ClusterID()), now: time.Now, arn: func(q string) string { return "arn:" + q },
		rules: queueRules{ordered: spec.Settings.Ordered, dedupByContent: spec.Settings.DedupByContent, bytesMax: int(spec.Settings.MessageBytesMax)},
	}
}

func fifo(spec *catalog.QueueSpec) {
	spec.Settings.Ordered, spec.Settings.Dedup = true, catalog.DedupQueue
}

func (tt *target) send(t testing.TB, in sendIn) *sendOut {
	t.Helper()
	out, err := sendMessage(context.Background(), tt, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (tt *target) receive(t testing.TB, in receiveIn) []received {
	t.Helper()
	if in.WaitTimeSeconds == nil {
		in.WaitTimeSeconds = ptr(int64(5))
	}
	out, err := receiveMessage(context.Background(), tt, &in)
	if err != nil {
		t.Fatal(err)
	}
	return out.messages
}

func (tt *target) none(t testing.TB) {
	t.Helper()
	if list := tt.receive(t, receiveIn{WaitTimeSeconds: ptr(int64(0))}); len(list) > 0 {
		t.Errorf("%s was received", list[0].body)
	}
}

var everything = receiveIn{MaxNumberOfMessages: ptr(int64(10)), AttributeNames: []string{"All"}, MessageAttributeNames: []string{"All"}}

func (m *received) get(a systemAttribute) string {
	for _, v := range m.system {
		if v.name == a {
			return v.value
		}
	}
	return ""
}

func TestSendReceiveDelete(t *testing.T) {
	tt := newTarget(t, newBroker(t), "q")
	before := time.Now().UnixMilli()
	sent := tt.send(t, sendIn{MessageBody: []byte("안녕"), MessageGroupId: ptr("tenant"), MessageAttributes: map[string]attributeValue{
		"n": {DataType: "Number.int", StringValue: ptr("7")}, "b": {DataType: "Binary", BinaryValue: []byte{0, 0xFF}}},
		MessageSystemAttributes: map[string]attributeValue{"AWSTraceHeader": {DataType: "String", StringValue: ptr("Root=1")}}})
	list := tt.receive(t, everything)
	if len(list) != 1 {
		t.Fatalf("%d messages", len(list))
	}
	m := list[0]
	if string(m.body) != "안녕" || m.id.String() != sent.MessageId || m.bodyMD5 != sent.MD5OfMessageBody || m.md5 != sent.MD5OfMessageAttributes ||
		sent.MD5OfMessageSystemAttributes != attributesMD5([]attribute{text1("AWSTraceHeader", "Root=1")}) || sent.SequenceNumber != "" {
		t.Errorf("sent %+v, received %+v", sent, m)
	}
	if m.get(systemGroup) != "tenant" || m.get(systemTrace) != "Root=1" || m.get(systemReceiveCount) != "1" || m.get(systemSequence) != "" ||
		m.get(systemSent) < fmt.Sprint(before) || m.get(systemFirstReceive) < m.get(systemSent) {
		t.Errorf("%v", m.system)
	}
	tt.none(t)
	handle := string(m.handle)
	if err := changeMessageVisibility(context.Background(), tt, &receiptIn{ReceiptHandle: handle, VisibilityTimeout: ptr(int64(0))}); err != nil {
		t.Error(err)
	}
	again := tt.receive(t, everything)
	if len(again) != 1 || again[0].get(systemReceiveCount) != "2" || again[0].get(systemFirstReceive) != m.get(systemFirstReceive) {
		t.Fatalf("%+v", again)
	}
	if err := changeMessageVisibility(context.Background(), tt, &receiptIn{ReceiptHandle: handle, VisibilityTimeout: ptr(int64(9))}); err == nil || !strings.Contains(err.Error(), "MessageNotInflight") {
		t.Errorf("the old handle: %v", err)
	}
	if err := deleteMessage(context.Background(), tt, &receiptIn{ReceiptHandle: handle}); err != nil { // no error, and no effect
		t.Error(err)
	}
	last := string(again[0].handle)
	for range 2 {
		if err := changeMessageVisibility(context.Background(), tt, &receiptIn{ReceiptHandle: last, VisibilityTimeout: ptr(int64(60))}); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := deleteMessage(context.Background(), tt, &receiptIn{ReceiptHandle: last}); err != nil {
			t.Error(err)
		}
	}
	err := changeMessageVisibility(context.Background(), tt, &receiptIn{ReceiptHandle: last, VisibilityTimeout: ptr(int64(9))})
	if err == nil || err.Error() != "InvalidParameterValue: Value "+last+" for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change." {
		t.Errorf("the handle of a deleted message: %v", err)
	}
	other := newTarget(t, newBroker(t), "q")
	if err := deleteMessage(context.Background(), other, &receiptIn{ReceiptHandle: last}); err == nil || !strings.HasPrefix(err.Error(), "ReceiptHandleIsInvalid") {
		t.Errorf("the handle of another broker: %v", err)
	}
}

func TestBatches(t *testing.T) {
	tt := newTarget(t, newBroker(t), "q")
	var in sendBatchIn
	for i := range 10 {
		in.Entries = append(in.Entries, sendIn{Id: fmt.Sprint("e", i), MessageBody: fmt.Append(nil, "body ", i)})
	}
	in.Entries[3].MessageBody = []byte("\x01")
	in.Entries[5].DelaySeconds = ptr(int64(901))
	out, err := sendMessageBatch(context.Background(), tt, &in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Successful) != 8 || len(out.Failed) != 2 || out.Failed[0].Id != "e3" || out.Failed[0].Code != "InvalidMessageContents" ||
		!out.Failed[0].SenderFault || out.Failed[1].Id != "e5" || out.Failed[1].Code != "InvalidParameterValue" {
		t.Fatalf("%+v", out)
	}
	var change visibilityBatchIn
	for _, m := range tt.receive(t, everything) {
		change.Entries = append(change.Entries, receiptIn{Id: fmt.Sprint("r", len(change.Entries)), ReceiptHandle: string(m.handle), VisibilityTimeout: ptr(int64(30))})
	}
	if len(change.Entries) != 8 {
		t.Fatalf("%d messages", len(change.Entries))
	}
	change.Entries[0].ReceiptHandle = "garbage"
	change.Entries[1].VisibilityTimeout = ptr(int64(0))
	change.Entries[2].VisibilityTimeout = ptr(int64(43200 + 1))
	changed, err := changeMessageVisibilityBatch(context.Background(), tt, &change)
	if err != nil || len(changed.Successful) != 6 || len(changed.Failed) != 2 || changed.Failed[0].Code != "ReceiptHandleIsInvalid" ||
		changed.Failed[0].Id != "r0" || changed.Failed[1].Id != "r2" {
		t.Fatalf("%+v, %v", changed, err)
	}
	if list := tt.receive(t, everything); len(list) != 1 {
		t.Errorf("%d messages came back, want one", len(list))
	}
	gone, err := deleteMessageBatch(context.Background(), tt, (*deleteBatchIn)(&change))
	if err != nil || len(gone.Successful) != 7 || len(gone.Failed) != 1 || gone.Failed[0].Id != "r0" {
		t.Fatalf("%+v, %v", gone, err)
	}
}

func TestBatchProblems(t *testing.T) {
	b := newBroker(t)
	standard, ordered := newTarget(t, b, "q"), newTarget(t, b, "q.fifo", fifo)
	big := make([]byte, 600<<10)
	for i := range big {
		big[i] = 'x'
	}
	for _, test := range []struct {
		tt      *target
		entries []sendIn
		want    string
	}{
		{standard, nil, "AWS.SimpleQueueService.EmptyBatchRequest: There should be at least one SendMessageBatchRequestEntry in the request."},
		{standard, []sendIn{{Id: "1", MessageBody: big}, {Id: "2", MessageBody: big}},
			"AWS.SimpleQueueService.BatchRequestTooLong: Batch requests cannot be longer than 1048576 bytes. You have sent 1228800 bytes."},
		{ordered, []sendIn{{Id: "1", MessageBody: []byte("x"), MessageDeduplicationId: ptr("d")}}, "InvalidParameterValue: The request must contain the parameter MessageGroupId."},
		{ordered, []sendIn{{Id: "1", MessageBody: []byte("x"), MessageGroupId: ptr("g")}},
			"InvalidParameterValue: The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
	} {
		if _, err := sendMessageBatch(context.Background(), test.tt, &sendBatchIn{Entries: test.entries}); fmt.Sprint(err) != test.want {
			t.Errorf("\n got %v\nwant %s", err, test.want)
		}
	}
	standard.none(t)
}

func TestFIFO(t *testing.T) {
	tt := newTarget(t, newBroker(t), "q.fifo", fifo)
	entry := func(id, group string) sendIn {
		return sendIn{Id: id, MessageBody: []byte(group + id), MessageGroupId: &group, MessageDeduplicationId: ptr(group + id)}
	}
	out, err := sendMessageBatch(context.Background(), tt, &sendBatchIn{Entries: []sendIn{entry("1", "a"), entry("2", "a"), entry("3", "b"), entry("4", "a")}})
	if err != nil || len(out.Successful) != 4 {
		t.Fatalf("%+v, %v", out, err)
	}
	duplicate := tt.send(t, entry("1", "a"))
	if first := out.Successful[0]; duplicate.MessageId != first.MessageId || duplicate.SequenceNumber != first.SequenceNumber || len(first.SequenceNumber) != 20 {
		t.Errorf("the duplicate is %+v, the first %+v", duplicate, first)
	}
	for i := range 3 {
		if out.Successful[i].SequenceNumber >= out.Successful[i+1].SequenceNumber {
			t.Errorf("sequence numbers do not grow: %+v", out.Successful)
		}
	}
	one := receiveIn{MaxNumberOfMessages: ptr(int64(1)), AttributeNames: []string{"All"}, ReceiveRequestAttemptId: ptr("try-1")}
	first := tt.receive(t, one)[0]
	if again := tt.receive(t, one); len(again) != 1 || string(again[0].handle) != string(first.handle) {
		t.Errorf("the same attempt was answered with %d messages", len(again))
	}
	if string(first.body) != "a1" || first.get(systemDedup) != "a1" || first.get(systemGroup) != "a" || first.get(systemSequence) != out.Successful[0].SequenceNumber {
		t.Errorf("%s %v", first.body, first.system)
	}
	// The group stays blocked when the timeout changes and when another message is sent.
	if err := changeMessageVisibility(context.Background(), tt, &receiptIn{ReceiptHandle: string(first.handle), VisibilityTimeout: ptr(int64(600))}); err != nil {
		t.Error(err)
	}
	tt.send(t, entry("5", "a"))
	if list := tt.receive(t, everything); len(list) != 1 || string(list[0].body) != "b3" {
		t.Fatalf("%d messages, %s", len(list), list[0].body)
	}
	tt.none(t)
	if err := deleteMessage(context.Background(), tt, &receiptIn{ReceiptHandle: string(first.handle)}); err != nil {
		t.Error(err)
	}
	var bodies []string
	for _, m := range tt.receive(t, everything) {
		bodies = append(bodies, string(m.body))
	}
	if got := strings.Join(bodies, " "); got != "a2 a4 a5" {
		t.Errorf("%s", got)
	}
}

// A client that goes away during a long poll must not take a message with it.
func TestClientGone(t *testing.T) {
	tt := newTarget(t, newBroker(t), "q")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := receiveMessage(ctx, tt, &receiveIn{WaitTimeSeconds: ptr(int64(20))})
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	tt.send(t, sendIn{MessageBody: []byte("x")})
	if list := tt.receive(t, everything); len(list) != 1 || list[0].get(systemReceiveCount) != "1" {
		t.Errorf("%+v", list)
	}
}

// A record of a Kafka producer is a message, and the other way round.
func TestTopicAndQueue(t *testing.T) {
	b := newBroker(t)
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	tt := newTarget(t, b, "orders")
	p, err := b.Partition("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	builder := record.NewBuilder(record.None)
	records := []record.Record{
		{Timestamp: 1_700_000_000_000, Key: []byte("주문-1"), Value: []byte("안녕 🚢"), Headers: []record.HeaderField{header("도시", "부산"), header("n", "1"), header("n", "2")}},
		{Timestamp: 1_700_000_000_001, Value: []byte{0, 0xFF}, Headers: []record.HeaderField{{Key: "null"}}},
		{Timestamp: 1_700_000_000_002, Key: []byte("k")},
	}
	for _, r := range records {
		builder.Append(r.Timestamp, r.Key, r.Value, r.Headers)
	}
	batch, err := builder.Build()
	if err != nil {
		t.Fatal(err)
	}
	appended := make(chan error, 1)
	p.Append(context.Background(), batch, func(_ broker.Appended, err error) { appended <- err })
	if err := <-appended; err != nil {
		t.Fatal(err)
	}
	list := tt.receive(t, everything)
	if len(list) != 3 || list[0].get(systemSent) != "1700000000000" {
		t.Fatalf("%+v", list)
	}
	for i, want := range []string{
		`안녕 🚢 | naru.key={"text":"주문-1"} | n=2 | naru.headers=[{"name":"도시","text":"부산"},{"name":"n","text":"1"}]`,
		`AP8= | naru.encoding=base64 | naru.headers=[{"name":"null"}]`,
		` | naru.encoding=null`,
	} {
		got := string(list[i].body)
		for _, a := range list[i].attributes {
			got += " | " + a.name + "=" + string(a.value)
		}
		if got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		in := sendIn{MessageBody: list[i].body, MessageAttributes: map[string]attributeValue{}}
		for _, a := range list[i].attributes {
			in.MessageAttributes[a.name] = attributeValue{DataType: a.dataType, StringValue: ptr(string(a.value))}
		}
		if g := list[i].get(systemGroup); g != "" {
			in.MessageGroupId = &g
		}
		tt.send(t, in)
	}
	s, err := p.Read(3, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	var got []record.Record
	for _, payload := range s.Payloads {
		r, err := record.NewReader(payload, record.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Offset >= 3 {
				compareRecords(t, records[len(got)], stored{rec.Key, rec.Value, rec.Headers})
				got = append(got, rec)
			}
		}
	}
	if len(got) != 1 && len(got) != 3 { // a read may end after the first batch
		t.Errorf("%d records", len(got))
	}
}
