package sqs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

func TestBatchRules(t *testing.T) {
	numbered := func(n int) (ids []string) {
		for i := range n {
			ids = append(ids, fmt.Sprint(i))
		}
		return ids
	}
	const wrongID = "AWS.SimpleQueueService.InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
	for _, test := range []struct {
		ids  []string
		want string
	}{
		{numbered(1), "<nil>"}, {numbered(10), "<nil>"}, {[]string{"a-B_9", strings.Repeat("x", 80)}, "<nil>"},
		{nil, "AWS.SimpleQueueService.EmptyBatchRequest: There should be at least one Entry in the request."},
		{numbered(11), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest: Maximum number of entries per request are 10. You have sent 11."},
		{[]string{"a", ""}, wrongID}, {[]string{"a.b"}, wrongID}, {[]string{"가"}, wrongID}, {[]string{strings.Repeat("x", 81)}, wrongID},
		{[]string{"a", "b", "a"}, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct: Id a repeated."},
	} {
		err := checkBatch("Entry", len(test.ids), func(i int) string { return test.ids[i] })
		if got := fmt.Sprint(err); got != test.want {
			t.Errorf("%q:\n got %s\nwant %s", test.ids, got, test.want)
		}
	}
}

func TestReceiveRules(t *testing.T) {
	type numbers struct{ count, wait, visibility *int64 }
	n := func(v int64) *int64 { return &v }
	for _, test := range []struct {
		in   numbers
		want string
	}{
		{numbers{}, "max 1, wait -1ns, lease 0s"},
		{numbers{n(10), n(20), n(43200)}, "max 10, wait 20s, lease 12h0m0s"},
		{numbers{n(1), n(0), n(0)}, "max 1, wait 0s, lease 1ms"},
		{numbers{count: n(0)}, "InvalidParameterValue: Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{numbers{count: n(11)}, "InvalidParameterValue: Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{numbers{wait: n(21)}, "InvalidParameterValue: Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{numbers{wait: n(-1)}, "InvalidParameterValue: Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{numbers{visibility: n(43201)}, "InvalidParameterValue: Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
	} {
		r, err := newReceiveRequest(test.in.count, test.in.wait, test.in.visibility)
		got := fmt.Sprintf("max %d, wait %v, lease %v", r.Max, r.Wait, r.Lease)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("\n got %s\nwant %s", got, test.want)
		}
	}
	for _, test := range []struct {
		id      *string
		ordered bool
		ok      bool
	}{{nil, false, true}, {nil, true, true}, {ptr("try-1"), true, true}, {ptr("try-1"), false, false}, {ptr(""), true, false}, {ptr("a b"), true, false}} {
		var r broker.ReceiveRequest
		if err := setAttemptID(&r, test.id, test.ordered); (err == nil) != test.ok || test.ok && test.id != nil && r.AttemptID != *test.id {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// What AWS answers in each case was found out by others; see docs/sqs.md.
func TestOutcomes(t *testing.T) {
	const expired = "InvalidParameterValue: Value H for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
	const notThere = "InvalidParameterValue: Value H for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
	const notInFlight = "AWS.SimpleQueueService.MessageNotInflight: The message referred to is not in flight."
	other := errors.New("other")
	for _, test := range []struct {
		err                                        error
		deleted, deletedFIFO, visible, visibleFIFO string
	}{
		{nil, "<nil>", "<nil>", "<nil>", "<nil>"},
		{queue.ErrUnknownRecord, "<nil>", "<nil>", notThere, notThere},
		{queue.ErrNotLeased, "<nil>", expired, notInFlight, expired},
		{other, "other", "other", "other", "other"},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		for i, got := range []error{
			deleteOutcome(err, false, "H"), deleteOutcome(err, true, "H"), visibilityOutcome(err, false, "H"), visibilityOutcome(err, true, "H"),
		} {
			want := []string{test.deleted, test.deletedFIFO, test.visible, test.visibleFIFO}[i]
			if s := strings.TrimPrefix(fmt.Sprint(got), "wrapped: "); s != want {
				t.Errorf("%v, case %d:\n got %s\nwant %s", test.err, i, s, want)
			}
		}
	}
}

func TestVisibilityLimits(t *testing.T) {
	got := time.UnixMilli(1_700_000_000_000)
	r := receipt{receivedAt: got.UnixMilli()}
	for _, test := range []struct {
		seconds int64
		after   time.Duration
		want    string
	}{
		{0, 0, "0s"}, {43200, 0, "12h0m0s"}, {600, 11 * time.Hour, "10m0s"}, {0, 13 * time.Hour, "0s"},
		{-1, 0, "InvalidParameterValue: Value -1 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
		{43201, 0, "InvalidParameterValue: Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
		{43200, time.Second, "InvalidParameterValue: Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"},
	} {
		d, err := checkVisibility(test.seconds, r, got.Add(test.after))
		s := d.String()
		if err != nil {
			s = err.Error()
		}
		if s != test.want {
			t.Errorf("\n got %s\nwant %s", s, test.want)
		}
	}
	rs := newReceipts("c")
	handle := string(rs.appendHandle(nil, receipt{queue: 7, source: 1, offset: 2, attempt: 3}))
	if tag, _, err := rs.tagOf(7, handle); err != nil || tag != (queue.Tag{Source: 1, Offset: 2, Attempt: 3}) {
		t.Error(tag, err)
	}
	for _, h := range []string{handle, "garbage"} {
		if _, _, err := rs.tagOf(8, h); fmt.Sprint(err) != `ReceiptHandleIsInvalid: The input receipt handle "`+h+`" is not a valid receipt handle.` {
			t.Error(err)
		}
	}
}

func TestShow(t *testing.T) {
	d := broker.Delivery{Attempts: 2, FirstReceivedAt: 1_700_000_000_500, Record: record.Record{
		Offset: 17, Timestamp: 1_700_000_000_000, Key: []byte("g"), Value: []byte("나루"), Headers: []record.HeaderField{
			header("a", "1"), header("b.x", "2"), header("b.y", "\xff"), header("naru.dedup", "d"), header("naru.trace", "Root=1"), header("naru.dead.queue", "q"),
		}}}
	arn := func(q string) string { return "arn:" + q }
	for _, test := range []struct {
		system, attributes []string
		ordered            bool
		want               string
	}{
		{nil, nil, true, ""},
		{[]string{"All"}, nil, false, "ApproximateFirstReceiveTimestamp=1700000000500 ApproximateReceiveCount=2 AWSTraceHeader=Root=1 " +
			"DeadLetterQueueSourceArn=arn:q MessageDeduplicationId=d MessageGroupId=g SenderId=000000000000 SentTimestamp=1700000000000"},
		{[]string{"SequenceNumber", "MessageGroupId", "Policy"}, []string{"b.*"}, true, "MessageGroupId=g SequenceNumber=10000000000000000017 | b.x | b.y | a9a1ca9d"},
		{[]string{"SequenceNumber"}, []string{"All"}, false, " | a | b.x | b.y | b2ce29c8"},
		{nil, []string{"a", "c"}, false, " | a | 314c77b2"},
		{nil, []string{"naru.dedup", "c"}, false, ""},
	} {
		set, err := systemSet(0).add(test.system)
		if err != nil {
			t.Fatal(err)
		}
		r := receiveRequest{system: set, attributes: newAttributeFilter(test.attributes)}
		got := r.show(&d, nil, test.ordered, arn)
		var s []string
		for _, v := range got.system {
			s = append(s, v.name.String()+"="+v.value)
		}
		line := strings.Join(s, " ")
		for _, a := range got.attributes {
			line += " | " + a.name
		}
		if got.md5 != "" {
			line += " | " + got.md5[:8]
		}
		if line != test.want || string(got.body) != "나루" || got.bodyMD5 != hexMD5([]byte("나루")) {
			t.Errorf("%q %q:\n got %s\nwant %s", test.system, test.attributes, line, test.want)
		}
	}
	if _, err := systemSet(0).add([]string{"Nonsense"}); fmt.Sprint(err) != "InvalidAttributeName: Unknown Attribute Nonsense." {
		t.Error(err)
	}
}
