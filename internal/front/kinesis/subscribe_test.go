package kinesis

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/narumq/naru/internal/front/aws"
)

// subscribed is a subscription over HTTP.
type subscribed struct {
	t    *testing.T
	resp *http.Response
	end  context.CancelFunc
}

func (w *world) subscribe(t *testing.T, web *httptest.Server, arn, shard, position string) *subscribed {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := request(subscribeToShard, `{"ConsumerARN":"`+arn+`","ShardId":"`+shard+`","StartingPosition":`+position+`}`)
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, web.URL, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	out.Header = r.Header
	resp, err := web.Client().Do(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); resp.Body.Close() })
	return &subscribed{t, resp, cancel}
}

// next returns the next event, or the exception that ended the stream.
func (s *subscribed) next() (event subscribeEvent, exception string, ended bool) {
	s.t.Helper()
	m, err := readMessage(s.resp.Body)
	if err == io.EOF {
		return event, "", true
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if x := m.headers[":exception-type"]; x != "" {
		return event, x, false
	}
	if m.headers[":event-type"] == "initial-response" {
		return s.next()
	}
	if err := aws.Unmarshal(&aws.Call{Body: []byte(m.doc)}, &event); err != nil {
		s.t.Fatal(err)
	}
	return event, "", false
}

func (s *subscribed) refused(shape string) {
	s.t.Helper()
	b, _ := io.ReadAll(s.resp.Body)
	var e struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(b, &e); err != nil || s.resp.StatusCode != 400 || e.Type != shape {
		s.t.Errorf("%d %s, want %s", s.resp.StatusCode, b, shape)
	}
}

func newSubscriptions(t *testing.T) (*world, *httptest.Server, string) {
	w := newWorld(t, false)
	web := httptest.NewServer(w.h)
	t.Cleanup(web.Close)
	t.Cleanup(w.s.Stop) // streams end first
	w.must("CreateStream", `{"StreamName":"s","ShardCount":1}`, nil)
	var out registerConsumerOut
	w.must("RegisterStreamConsumer", `{`+streamARNOfS+`,"ConsumerName":"c"}`, &out)
	return w, web, out.Consumer.ConsumerARN
}

// Records come as they are put, a subscription goes on where another stopped, and the
// end of a shard ends it.
func TestSubscribe(t *testing.T) {
	w, web, arn := newSubscriptions(t)
	w.put("s", "a", "0")
	s := w.subscribe(t, web, arn, "shardId-000000000000", `{"Type":"TRIM_HORIZON"}`)
	event, _, _ := s.next()
	if len(event.Records) != 1 || string(event.Records[0].Data) != "0" || event.ContinuationSequenceNumber == "" {
		t.Fatalf("%+v", event)
	}
	w.put("s", "a", "1")
	if event, _, _ = s.next(); len(event.Records) != 1 || string(event.Records[0].Data) != "1" {
		t.Fatalf("%+v", event)
	}
	s.end()
	w.add(subscriptionKept)
	w.put("s", "a", "2")
	for _, kind := range []string{"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"} {
		s = w.subscribe(t, web, arn, "0", `{"Type":"`+kind+`","SequenceNumber":"`+event.ContinuationSequenceNumber+`"}`)
		if got, _, _ := s.next(); len(got.Records) != 1 || string(got.Records[0].Data) != "2" {
			t.Fatalf("%s: %+v", kind, got)
		}
		w.add(subscriptionKept)
	}
	w.must("SplitShard", `{"StreamName":"s","ShardToSplit":"0","NewStartingHashKey":"5"}`, nil)
	event, _, _ = s.next()
	if len(event.ChildShards) != 2 || event.ContinuationSequenceNumber != "" || event.ChildShards[1].ParentShards[0] != "shardId-000000000000" {
		t.Errorf("%+v", event)
	}
	if _, _, ended := s.next(); !ended {
		t.Error("it goes on after the end of the shard")
	}
}

// A consumer has one subscription to a shard.
func TestSubscribeTwice(t *testing.T) {
	w, web, arn := newSubscriptions(t)
	first := w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`)
	first.next()
	w.add(subscriptionKept - time.Millisecond)
	w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`).refused("ResourceInUseException")
	w.add(time.Millisecond)
	second := w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`)
	second.next()
	if _, exception, _ := first.next(); exception != "ResourceInUseException" {
		t.Errorf("the first ended with %q", exception)
	}
	w.must("DeregisterStreamConsumer", `{"ConsumerARN":"`+arn+`"}`, nil)
	if _, exception, _ := second.next(); exception != "ResourceNotFoundException" {
		t.Errorf("a consumer that is gone is told %q", exception)
	}
	w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`).refused("ResourceNotFoundException")
}

// A stream that is deleted ends its subscriptions.
func TestSubscribedStreamIsDeleted(t *testing.T) {
	w, web, arn := newSubscriptions(t)
	s := w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`)
	s.next()
	w.must("DeleteStream", `{"StreamName":"s","EnforceConsumerDeletion":true}`, nil)
	if _, exception, _ := s.next(); exception != "ResourceNotFoundException" {
		t.Errorf("it ended with %q", exception)
	}
}

// At shutdown a subscription ends as one does whose time is over.
func TestSubscriptionsStop(t *testing.T) {
	w, web, arn := newSubscriptions(t)
	s := w.subscribe(t, web, arn, "0", `{"Type":"LATEST"}`)
	s.next()
	w.s.Stop()
	if _, exception, ended := s.next(); !ended || exception != "" {
		t.Errorf("%q, ended %v", exception, ended)
	}
}
