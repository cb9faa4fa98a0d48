package amqp

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/catalog"
)

func explained(t *testing.T, err error, code int, text string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %d %s", code, text)
		return
	}
	if gotCode, got := Explain(err); gotCode != code || got != text {
		t.Errorf("%d %q, want %d %q", gotCode, got, code, text)
	}
}

func isMade(t *testing.T, want bool) func(made bool, err error) {
	return func(made bool, err error) {
		t.Helper()
		if err != nil || made != want {
			t.Errorf("made %v, %v; want %v", made, err, want)
		}
	}
}

// What is declared without a connection is the same as what clients declare.
func TestManageTopology(t *testing.T) {
	w := newWorld(t)
	arguments := map[string]any{"x-message-ttl": json.Number("60000"), "other": []any{"a", true, map[string]any{"b": nil}}}
	isMade(t, true)(w.s.DeclareQueue("/", "work", true, false, arguments))
	isMade(t, false)(w.s.DeclareQueue("/", "work", true, false, arguments))
	_, err := w.s.DeclareQueue("/", "work", false, false, arguments)
	explained(t, err, 406, "inequivalent arg 'durable' for queue 'work' in vhost '/': received 'false' but current is 'true'")
	_, err = w.s.DeclareQueue("/", "bad", false, false, map[string]any{"x-message-ttl": "soon"})
	explained(t, err, 406, "invalid arg 'x-message-ttl' for queue 'bad' in vhost '/': expected integer, got longstr")
	_, err = w.s.DeclareQueue("/", "amq.mine", false, false, nil)
	explained(t, err, 403, "queue name 'amq.mine' contains reserved prefix 'amq.*'")
	_, err = w.s.DeclareQueue("nowhere", "work", false, false, nil)
	explained(t, err, 530, "vhost nowhere not found")

	isMade(t, true)(w.s.DeclareExchange("/", "logs", "topic", true, false, false, map[string]any{"alternate-exchange": "amq.fanout"}))
	isMade(t, false)(w.s.DeclareExchange("/", "logs", "topic", true, false, false, map[string]any{"alternate-exchange": "amq.fanout"}))
	_, err = w.s.DeclareExchange("/", "logs", "direct", true, false, false, nil)
	explained(t, err, 406, "inequivalent arg 'type' for exchange 'logs' in vhost '/': received 'direct' but current is 'topic'")
	ok(t, w.s.Bind("/", "logs", "work", true, "a.#", map[string]any{"n": json.Number("1"), "list": []any{json.Number("2")}}))
	explained(t, w.s.Bind("/", "logs", "nope", true, "", nil), 404, "no queue 'nope' in vhost '/'")
	bindings := w.b.Bindings("/")
	if len(bindings) != 1 || bindings[0].Key != "a.#" {
		t.Fatalf("bindings %+v", bindings)
	}
	if diff := cmp.Diff(map[string]any{"n": int64(1), "list": []any{int64(2)}}, PlainValues(bindings[0].Arguments)); diff != "" {
		t.Error(diff)
	}

	ch := w.channel()
	must[client.Queue](t)(ch.QueueDeclare("work", true, false, false, false, client.Table{
		"x-message-ttl": int32(60000), "other": []any{"a", true, client.Table{"b": nil}},
	}))
	must[<-chan client.Delivery](t)(ch.Consume("work", "it", false, true, false, false, nil))
	q, err := w.b.NamespaceQueue("/", "work")
	ok(t, err)
	want := QueueInfo{
		Durable: true, Type: "classic", Consumers: 1, SoleConsumer: "it",
		Arguments: map[string]any{"x-message-ttl": int64(60000), "other": []any{"a", true, map[string]any{"b": nil}}},
	}
	if diff := cmp.Diff(want, w.s.DescribeQueue(q)); diff != "" {
		t.Error(diff)
	}
	explained(t, w.s.DeleteQueue("/", "work", true, false), 406, "queue 'work' in vhost '/' in use")
	ok(t, w.s.DeleteQueue("/", "work", false, false))
	explained(t, w.s.PurgeQueue("/", "work"), 404, "no queue 'work' in vhost '/'")
}

// A message that is published without a connection comes to clients as one of theirs, and back.
func TestManageMessages(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	isMade(t, true)(w.s.DeclareQueue("/", "q", true, false, nil))
	properties := map[string]any{
		"content_type": "text/plain", "delivery_mode": json.Number("2"), "priority": json.Number("3"), "timestamp": json.Number("1700000000"),
		"headers": map[string]any{"n": json.Number("5"), "deep": []any{map[string]any{"x": "y"}}}, "unknown": "is left out",
	}
	routed, err := w.s.PublishAs(ctx, "guest", "/", "", "q", properties, []byte("body"))
	if err != nil || !routed {
		t.Fatal(routed, err)
	}
	routed, err = w.s.PublishAs(ctx, "guest", "/", "", "nope", nil, nil)
	if err != nil || routed {
		t.Error(routed, err)
	}
	_, err = w.s.PublishAs(ctx, "guest", "/", "nope", "q", nil, nil)
	explained(t, err, 404, "no exchange 'nope' in vhost '/'")
	_, err = w.s.PublishAs(ctx, "guest", "/", "", "q", map[string]any{"priority": "high"}, nil)
	explained(t, err, 406, "property priority cannot be high")
	_, err = w.s.PublishAs(ctx, "guest", "/", "", "q", map[string]any{"user_id": "root"}, nil)
	explained(t, err, 406, "user_id property set to 'root' but authenticated user was 'guest'")

	want := MessageInfo{RoutingKey: "q", Body: []byte("body"), Properties: map[string]any{
		"content_type": "text/plain", "delivery_mode": uint8(2), "priority": uint8(3), "timestamp": uint64(1700000000),
		"headers": map[string]any{"n": int64(5), "deep": []any{map[string]any{"x": "y"}}},
	}}
	get := func(how Fetch) {
		t.Helper()
		list, err := w.s.Get(ctx, "/", "q", 10, 1<<20, how)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		if diff := cmp.Diff(want, list[0]); diff != "" {
			t.Error(diff)
		}
	}
	get(FetchGiveBack)
	want.Redelivered = true
	get(FetchRejectRequeue)
	d := next(t, consume(t, w.channel(), "q", "", nil))
	if string(d.Body) != "body" || d.Headers["n"] != int64(5) || !d.Redelivered {
		t.Errorf("%+v", d)
	}
	ok(t, d.Reject(true))
}

// A policy's settings count, and a client may still declare the queue as it did.
func TestApplyPolicy(t *testing.T) {
	w := newWorld(t)
	arguments := map[string]any{"x-max-length": json.Number("10"), "x-overflow": "drop-head"}
	isMade(t, true)(w.s.DeclareQueue("/", "q", true, false, arguments))
	policy := map[string]any{
		"max-length": json.Number("5"), "message-ttl": json.Number("1000"), "overflow": "reject-publish", "dead-letter-exchange": "dlx", "ha-mode": "all",
	}
	isMade(t, true)(w.s.ApplyPolicy("/", "q", policy))
	isMade(t, false)(w.s.ApplyPolicy("/", "q", policy))
	isMade(t, false)(w.s.DeclareQueue("/", "q", true, false, arguments))
	q, err := w.b.NamespaceQueue("/", "q")
	ok(t, err)
	s := q.Meta().Settings
	if s.LengthMax != 5 || s.Retention != time.Second || s.Overflow != catalog.OverflowDropHead || s.DeadLetterRoute == nil || s.DeadLetterRoute.Exchange != "dlx" {
		t.Errorf("%+v", s)
	}
	_, err = w.s.ApplyPolicy("/", "q", map[string]any{"max-length": "x"})
	explained(t, err, 406, "invalid arg 'x-max-length' for queue 'q' in vhost '/': expected integer, got longstr")
}
