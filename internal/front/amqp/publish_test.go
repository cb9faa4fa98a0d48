package amqp

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Every property comes back as it was sent.
func TestProperties(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "q", nil)
	sent := client.Publishing{
		ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 7, CorrelationId: "c-1", ReplyTo: "answers",
		Expiration: "600000", MessageId: "m-1", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "app",
		Body: []byte("\x00\xffbinary"),
		Headers: client.Table{
			"text": "나루", "bytes": []byte{1, 2, 0xff}, "int": int32(-5), "short": int16(3), "long": int64(1 << 40), "byte": int8(-1),
			"octet": byte(200), "true": true, "false": false, "float": float32(1.5), "double": 2.25, "void": nil,
			"time": time.Unix(1600000000, 0), "decimal": client.Decimal{Scale: 2, Value: 12345},
			"list":         []any{"a", int32(1), int64(2), true, nil, []byte{9}, []any{"b"}, client.Table{"x": 1.5}},
			"table":        client.Table{"deep": client.Table{"er": []any{int64(0)}}, "s": "t"},
			"content-type": "mine", "naru.due": "mine", "amqp.type": int32(1), "notUTF8": "\xff\xfe", "empty": "",
		},
	}
	if !confirmed(t, ch, "", "q", sent) {
		t.Fatal("nacked")
	}
	d := got(t, ch, "q")
	if !reflect.DeepEqual(d.Headers, sent.Headers) {
		for k, v := range sent.Headers {
			if !reflect.DeepEqual(d.Headers[k], v) {
				t.Errorf("%s: sent %#v, got %#v", k, v, d.Headers[k])
			}
		}
		for k, v := range d.Headers {
			if _, was := sent.Headers[k]; !was {
				t.Errorf("%s: %#v was not sent", k, v)
			}
		}
	}
	have := client.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
		CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp,
		Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
	if !reflect.DeepEqual(have, sent) {
		t.Errorf("sent %+v\n got %+v", sent, have)
	}
	if d.Redelivered || d.Exchange != "" || d.RoutingKey != "q" || d.MessageCount != 0 {
		t.Errorf("%+v", d)
	}
}

// Bodies of all lengths around a frame's.
func TestBodies(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "q", nil)
	for _, n := range []int{0, 1, 131072 - 9, 131072 - 8, 131072 - 7, 300_000, 1 << 20, 3 << 20} {
		body := []byte(strings.Repeat("x", n))
		if !confirmed(t, ch, "", "q", client.Publishing{Body: body}) {
			t.Fatalf("%d bytes: nacked", n)
		}
		if d := got(t, ch, "q"); len(d.Body) != n {
			t.Errorf("sent %d bytes, got %d", n, len(d.Body))
		}
	}
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	publish(t, ch, "", "q", strings.Repeat("x", 16<<20+1))
	refused(t, next(t, closed), 406, "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216")
}

func TestMandatory(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	returns := ch.NotifyReturn(make(chan client.Return, 8))
	confirms := ch.NotifyPublish(make(chan client.Confirmation, 8))
	queueOf(t, ch, "q", nil)
	ctx := context.Background()
	m := client.Publishing{Body: []byte("back"), MessageId: "7", Headers: client.Table{"a": int32(1)}}
	ok(t, ch.PublishWithContext(ctx, "amq.topic", "nobody", true, false, m))
	ok(t, ch.PublishWithContext(ctx, "amq.topic", "nobody", false, false, m))
	ok(t, ch.PublishWithContext(ctx, "", "q", true, false, m))
	r := next(t, returns)
	if r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || string(r.Body) != "back" || r.MessageId != "7" || r.RoutingKey != "nobody" ||
		r.Exchange != "amq.topic" || r.Headers["a"] != int32(1) {
		t.Errorf("%+v", r)
	}
	for i := range 3 {
		if c := next(t, confirms); !c.Ack || c.DeliveryTag != uint64(i+1) {
			t.Errorf("%+v", c)
		}
	}
	if len(returns) != 0 {
		t.Error("more came back")
	}
	closed := w.dial()
	ch = w.channel(closed)
	end := closed.NotifyClose(make(chan *client.Error, 1))
	ok(t, ch.PublishWithContext(ctx, "", "q", false, true, m))
	refused(t, next(t, end), 540, "NOT_IMPLEMENTED - immediate=true")
}

func TestUnknownExchange(t *testing.T) {
	w := newWorld(t)
	for _, confirm := range []bool{false, true} {
		ch := w.channel()
		if confirm {
			ok(t, ch.Confirm(false))
		}
		closed := ch.NotifyClose(make(chan *client.Error, 1))
		publish(t, ch, "none", "k", "x")
		refused(t, next(t, closed), 404, "NOT_FOUND - no exchange 'none' in vhost '/'")
	}
	ch := w.channel()
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	ok(t, ch.PublishWithContext(context.Background(), "", "q", false, false, client.Publishing{Expiration: "soon"}))
	refused(t, next(t, closed), 406, "invalid expiration 'soon'")
	ch = w.channel()
	closed = ch.NotifyClose(make(chan *client.Error, 1))
	ok(t, ch.PublishWithContext(context.Background(), "", "q", false, false, client.Publishing{UserId: "somebody"}))
	refused(t, next(t, closed), 406, "PRECONDITION_FAILED - user_id property set to 'somebody' but authenticated user was 'guest'")
}

func TestOverflow(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "short", client.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"})
	for i, want := range []bool{true, true, false} {
		if have := confirmed(t, ch, "", "short", client.Publishing{Body: []byte{byte(i)}}); have != want {
			t.Errorf("message %d: ack is %v", i, have)
		}
	}
}

func TestConfirmsAreGathered(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	confirms := ch.NotifyPublish(make(chan client.Confirmation, 10_000))
	queueOf(t, ch, "q", nil)
	const n = 5_000
	for i := range n {
		publish(t, ch, "", "q", fmt.Sprint(i))
	}
	for i := range n {
		if c := next(t, confirms); !c.Ack || c.DeliveryTag != uint64(i+1) {
			t.Fatalf("%+v, want %d", c, i+1)
		}
	}
}

func TestCarbonCopies(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	for _, name := range []string{"to", "cc", "bcc"} {
		queueOf(t, ch, name, nil)
	}
	m := client.Publishing{Headers: client.Table{"CC": []any{"cc"}, "BCC": []any{"bcc", "nowhere"}}}
	confirmed(t, ch, "", "to", m)
	for _, name := range []string{"to", "cc", "bcc"} {
		d := got(t, ch, name)
		if _, seen := d.Headers["BCC"]; seen || !reflect.DeepEqual(d.Headers["CC"], []any{"cc"}) || d.RoutingKey != "to" {
			t.Errorf("%s: %+v", name, d)
		}
	}
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	ok(t, ch.PublishWithContext(context.Background(), "", "to", false, false, client.Publishing{Headers: client.Table{"CC": "cc"}}))
	refused(t, next(t, closed), 406, "unacceptable_type_in_header")
}

func TestPriority(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "q", client.Table{"x-max-priority": int32(5)})
	for _, p := range []uint8{1, 5, 0, 200, 3} {
		confirmed(t, ch, "", "q", client.Publishing{Priority: p})
	}
	var order []uint8
	for range 5 {
		order = append(order, got(t, ch, "q").Priority)
	}
	if !slices.Equal(order, []uint8{5, 200, 3, 1, 0}) {
		t.Errorf("got %v", order)
	}
}

func TestTransactions(t *testing.T) {
	w := newWorld(t)
	ch, other := w.channel(), w.channel()
	queueOf(t, ch, "q", nil)
	queueOf(t, ch, "in", nil)
	publish(t, other, "", "in", "a")
	publish(t, other, "", "in", "b")
	queueOf(t, other, "in", nil)
	ok(t, ch.Tx())
	returns := ch.NotifyReturn(make(chan client.Return, 1))
	publish(t, ch, "", "q", "1")
	publish(t, ch, "", "q", "2")
	ok(t, ch.PublishWithContext(context.Background(), "amq.direct", "no", true, false, client.Publishing{}))
	a, b := got(t, ch, "in"), got(t, ch, "in")
	ok(t, a.Ack(false))
	ok(t, b.Nack(false, true))
	if q := queueOf(t, other, "q", nil); q.Messages != 0 {
		t.Errorf("before the commit: %+v", q)
	}
	ok(t, ch.TxCommit())
	next(t, returns)
	if q := queueOf(t, other, "q", nil); q.Messages != 2 {
		t.Errorf("after the commit: %+v", q)
	}
	b = got(t, ch, "in")
	if string(b.Body) != "b" || !b.Redelivered {
		t.Errorf("%+v", b)
	}
	publish(t, ch, "", "q", "3")
	ok(t, b.Ack(false))
	ok(t, ch.TxRollback())
	if q := queueOf(t, other, "q", nil); q.Messages != 2 {
		t.Errorf("after the rollback: %+v", q)
	}
	ok(t, b.Ack(false)) // it is unacked again
	ok(t, ch.TxCommit())
	refused(t, ch.Confirm(false), 406, "cannot switch from tx to confirm mode")
	refused(t, w.confirming().Tx(), 406, "cannot switch from confirm to tx mode")
	refused(t, w.channel().TxCommit(), 406, "channel is not transactional")
	if _, there, _ := other.Get("in", true); there {
		t.Error("an acked message is there")
	}
}

func TestDirectReply(t *testing.T) {
	w := newWorld(t)
	caller, server := w.channel(), w.channel()
	queueOf(t, server, "calls", nil)
	refusedAt := w.channel()
	closed := refusedAt.NotifyClose(make(chan *client.Error, 1))
	ctx := context.Background()
	ok(t, refusedAt.PublishWithContext(ctx, "", "calls", false, false, client.Publishing{ReplyTo: replyQueue}))
	refused(t, next(t, closed), 406, "fast reply consumer does not exist")

	answers := must[<-chan client.Delivery](t)(caller.Consume(replyQueue, "", true, false, false, false, nil))
	ok(t, caller.PublishWithContext(ctx, "", "calls", false, false, client.Publishing{ReplyTo: replyQueue, CorrelationId: "1", Body: []byte("?")}))
	call := next(t, consume(t, server, "calls", "", nil))
	if !strings.HasPrefix(call.ReplyTo, replyPrefix) {
		t.Fatalf("reply to %q", call.ReplyTo)
	}
	must[client.Queue](t)(server.QueueDeclarePassive(call.ReplyTo, false, false, false, false, nil))
	ok(t, server.Confirm(false))
	if !confirmed(t, server, "", call.ReplyTo, client.Publishing{CorrelationId: call.CorrelationId, Body: []byte("!"), Type: "answer"}) {
		t.Error("nacked")
	}
	if a := next(t, answers); string(a.Body) != "!" || a.CorrelationId != "1" || a.Type != "answer" || a.RoutingKey != call.ReplyTo {
		t.Errorf("%+v", a)
	}
	returns := server.NotifyReturn(make(chan client.Return, 1))
	ok(t, caller.Close())
	ok(t, server.PublishWithContext(ctx, "", call.ReplyTo, true, false, client.Publishing{}))
	next(t, returns)
	_, err := w.channel().Consume(replyQueue, "", false, false, false, false, nil)
	refused(t, err, 406, "reply consumer cannot acknowledge")
}

// Confirms that are due come before the channel's close-ok.
func TestConfirmsBeforeClose(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		ch := w.confirming()
		queueOf(t, ch, "q", nil)
		confirms := ch.NotifyPublish(make(chan client.Confirmation, 100))
		for range 10 {
			publish(t, ch, "", "q", "x")
		}
		ok(t, ch.Close())
		n := 0
		for range confirms {
			n++
		}
		if n != 10 {
			t.Fatalf("%d of 10 were confirmed", n)
		}
	}
}

// An empty table of headers is not the same as none: clients look into what they get.
func TestEmptyHeaders(t *testing.T) {
	for _, has := range []wire.PropertyFlags{0, wire.HasHeaders} {
		p := newPublication()
		p.props.Has = has
		ok(t, p.prepare())
		var e envelope
		if e.open(p.headers, "q"); e.has != has {
			t.Errorf("properties %b came back as %b", has, e.has)
		}
	}
}

func TestExpirationLimit(t *testing.T) {
	for ms, text := range map[int64]string{expiresMax: "", expiresMax + 1: "invalid expiration '315360000001': {value_too_big,315360000001}"} {
		p := newPublication()
		p.props.Has, p.props.Expiration = wire.HasExpiration, strconv.FormatInt(ms, 10)
		if err := p.prepare(); err == nil != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
			t.Errorf("%d: %v", ms, err)
		}
	}
}

// Who looks after a publish sees no more than the queue may hold, and its end.
func TestBoundIsHeldAtOnce(t *testing.T) {
	w := newWorld(t)
	ch := w.channel()
	for i := range 20 {
		name := fmt.Sprint("q", i)
		queueOf(t, ch, name, client.Table{"x-max-length": int32(1)})
		publish(t, ch, "", name, "1")
		first := got(t, ch, name)
		publish(t, ch, "", name, "2")
		publish(t, ch, "", name, "3")
		if i%2 == 0 {
			ok(t, first.Nack(false, true)) // it goes back to its place, and is the one too many
		}
		if i%4 < 2 {
			if q := must[client.Queue](t)(ch.QueueDeclarePassive(name, true, false, false, false, nil)); q.Messages != 1 {
				t.Errorf("%+v", q)
			}
		}
		if d := got(t, ch, name); string(d.Body) != "3" || d.MessageCount != 0 {
			t.Errorf("got %q, and %d are left", d.Body, d.MessageCount)
		}
	}
}
