package amqp091

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// These tests drive RabbitMQ's own client for Go over a pipe: what its encoder writes we must read, and the other way round.

// clientTable has every type that the client can write, and our own form of it, by name.
var (
	clientTable = amqp.Table{
		"bool": true, "int8": int8(-8), "uint8": byte(8), "int16": int16(-16), "uint16": uint16(16), "int32": int32(-32),
		"uint32": uint32(32), "int64": int64(-64), "float32": float32(1.5), "float64": 2.5, "decimal": amqp.Decimal{Scale: 2, Value: 314},
		"string": "나루", "bytes": []byte{0, 0xff}, "time": time.Unix(1704067200, 0), "void": nil,
		"array": []any{int32(1), "two", nil, []any{true}}, "table": amqp.Table{"deep": amqp.Table{}},
	}
	clientFields = map[string]Value{
		"bool": Bool(true), "int8": {KindInt8, "\xf8"}, "uint8": {KindUint8, "\x08"}, "int16": {KindInt16, "\xff\xf0"},
		"uint16": {KindUint16, "\x00\x10"}, "int32": Int32(-32), "uint32": number(KindUint32, 32), "int64": Int64(-64),
		"float32": {KindFloat32, "\x3f\xc0\x00\x00"}, "float64": Float64(2.5), "decimal": Decimal{2, 314}.Value(),
		"string": String("나루"), "bytes": Bytes([]byte{0, 0xff}), "time": Timestamp(1704067200).Value(), "void": {kind: KindVoid},
		"array": NewArray(Int32(1), String("two"), Value{}, NewArray(Bool(true)).Value()).Value(),
		"table": NewTable(Field{"deep", Table{}.Value()}).Value(),
	}
)

func ourTable() Table {
	var fields []Field
	for name, v := range clientFields {
		fields = append(fields, Field{name, v})
	}
	return NewTable(fields...)
}

func checkTable(t *testing.T, got Table) {
	t.Helper()
	for name, v := range got.All() {
		if v != clientFields[name] {
			t.Errorf("%s: got %v %v, want %v", name, v.Kind(), v, clientFields[name])
		}
	}
	if got.Len() != len(clientFields) {
		t.Errorf("%d fields of %d", got.Len(), len(clientFields))
	}
}

func open(t *testing.T, answer func(*peer, command) bool) (*peer, *amqp.Connection, *amqp.Channel) {
	t.Helper()
	p, end := newPeer(t, answer)
	conn, err := amqp.Open(end, amqp.Config{
		Vhost: "/", Locale: "en_US", SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "u", Password: "p"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return p, conn, ch
}

// TestClientTopology declares, binds and removes with all flags, and compares what we were asked.
func TestClientTopology(t *testing.T) {
	p, conn, ch := open(t, nil)
	q, err := ch.QueueDeclare("q", true, false, true, false, clientTable)
	if err != nil || q != (amqp.Queue{Name: "q", Messages: 7, Consumers: 1}) {
		t.Errorf("%+v, %v", q, err)
	}
	_, purge := ch.QueuePurge("q", false)
	_, remove := ch.QueueDelete("q", true, false, false)
	for _, err := range []error{
		ch.ExchangeDeclare("e", "topic", false, true, true, false, nil),
		ch.ExchangeBind("to", "k", "from", false, nil),
		ch.ExchangeUnbind("to", "k", "from", false, nil),
		ch.QueueBind("q", "k", "e", false, nil),
		ch.QueueUnbind("q", "k", "e", nil),
		ch.ExchangeDelete("e", true, false),
		ch.Qos(500, 0, true),
		ch.Tx(), ch.TxCommit(), ch.TxRollback(),
		//lint:ignore SA1019 other clients still send it
		ch.Recover(true),
		ch.Confirm(false),
		conn.UpdateSecret("s", "r"),
		purge, remove,
		ch.Close(), conn.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got := p.wait(t)
	declare := got[4].method.(*QueueDeclare)
	checkTable(t, declare.Arguments)
	declare.Arguments = Table{}
	got[0].method.(*ConnectionStartOk).ClientProperties = Table{}
	want := []command{
		{method: &ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00u\x00p", Locale: "en_US"}},
		{method: &ConnectionTuneOk{ChannelMax: 2047, FrameMax: peerFrameMax, Heartbeat: 60}},
		{method: &ConnectionOpen{VirtualHost: "/"}},
		{1, &ChannelOpen{}, Properties{}, ""},
		{1, &QueueDeclare{Queue: "q", Durable: true, Exclusive: true}, Properties{}, ""},
		{1, &QueuePurge{Queue: "q"}, Properties{}, ""},
		{1, &QueueDelete{Queue: "q", IfUnused: true}, Properties{}, ""},
		{1, &ExchangeDeclare{Exchange: "e", Type: "topic", AutoDelete: true, Internal: true}, Properties{}, ""},
		{1, &ExchangeBind{Destination: "to", Source: "from", RoutingKey: "k"}, Properties{}, ""},
		{1, &ExchangeUnbind{Destination: "to", Source: "from", RoutingKey: "k"}, Properties{}, ""},
		{1, &QueueBind{Queue: "q", Exchange: "e", RoutingKey: "k"}, Properties{}, ""},
		{1, &QueueUnbind{Queue: "q", Exchange: "e", RoutingKey: "k"}, Properties{}, ""},
		{1, &ExchangeDelete{Exchange: "e", IfUnused: true}, Properties{}, ""},
		{1, &BasicQos{PrefetchCount: 500, Global: true}, Properties{}, ""},
		{1, &TxSelect{}, Properties{}, ""}, {1, &TxCommit{}, Properties{}, ""}, {1, &TxRollback{}, Properties{}, ""},
		{1, &BasicRecover{Requeue: true}, Properties{}, ""},
		{1, &ConfirmSelect{}, Properties{}, ""},
		{0, &ConnectionUpdateSecret{NewSecret: "s", Reason: "r"}, Properties{}, ""},
		{1, &ChannelClose{ReplyCode: 200}, Properties{}, ""},
		{0, &ConnectionClose{ReplyCode: 200, ReplyText: "kthxbai"}, Properties{}, ""},
	}
	compareCommands(t, got, want)
}

func compareCommands(t *testing.T, got, want []command) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("nothing instead of %v", want[i])
		case i >= len(want):
			t.Errorf("%v, which is too much", got[i])
		case !reflect.DeepEqual(got[i], want[i]):
			t.Errorf("got  %v\nwant %v", got[i], want[i])
		}
	}
}

// message has every property but cluster-id, which the client does not know.
var message = amqp.Publishing{
	ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: 2, Priority: 9, CorrelationId: "c", ReplyTo: "r",
	Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1704067200, 0), Type: "t", UserId: "u", AppId: "a", Headers: clientTable,
	Body: []byte(strings.Repeat("body ", 5000)), // of four frames
}

func ourMessage() *Properties {
	p := &Properties{
		ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: 2, Priority: 9, CorrelationID: "c", ReplyTo: "r",
		Expiration: "60000", MessageID: "m", Timestamp: 1704067200, Type: "t", UserID: "u", AppID: "a", Headers: ourTable(),
	}
	p.Has = knownProperties &^ HasClusterID
	return p
}

// TestClientPublish publishes with confirms: one is acked, one comes back, one is nacked.
func TestClientPublish(t *testing.T) {
	p, conn, ch := open(t, func(p *peer, c command) bool {
		m, ok := c.method.(*BasicPublish)
		switch {
		case !ok:
		case m.Mandatory:
			p.sendContent(1, &BasicReturn{ReplyCode: uint16(NoRoute), ReplyText: NoRoute.String(), Exchange: m.Exchange, RoutingKey: m.RoutingKey},
				&c.properties, c.body)
			p.send(1, &BasicAck{DeliveryTag: 2})
		case c.body == "":
			p.send(1, &BasicNack{DeliveryTag: 3, Multiple: true})
		default:
			p.send(1, &BasicAck{DeliveryTag: 1})
		}
		return ok
	})
	confirms, returns := ch.NotifyPublish(make(chan amqp.Confirmation, 9)), ch.NotifyReturn(make(chan amqp.Return, 9))
	if err := ch.Confirm(true); err != nil {
		t.Fatal(err)
	}
	for i, m := range []amqp.Publishing{message, {Body: []byte("lost")}, {}} {
		if err := ch.PublishWithContext(context.Background(), "e", "key", i == 1, false, m); err != nil {
			t.Fatal(err)
		}
		if c := <-confirms; c != (amqp.Confirmation{DeliveryTag: uint64(i + 1), Ack: i < 2}) {
			t.Errorf("message %d: %+v", i, c)
		}
	}
	if r := <-returns; r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || r.RoutingKey != "key" || string(r.Body) != "lost" {
		t.Errorf("%+v", r)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	got := p.wait(t)[4:]
	checkTable(t, got[1].properties.Headers)
	got[1].properties.Headers = Table{}
	full := ourMessage()
	full.Headers = Table{}
	compareCommands(t, got[:4], []command{
		{1, &ConfirmSelect{NoWait: true}, Properties{}, ""},
		{1, &BasicPublish{Exchange: "e", RoutingKey: "key"}, *full, string(message.Body)},
		{1, &BasicPublish{Exchange: "e", RoutingKey: "key", Mandatory: true}, got[2].properties, "lost"},
		{1, &BasicPublish{Exchange: "e", RoutingKey: "key"}, got[3].properties, ""},
	})
}

// TestClientConsume delivers a message with all properties, by a consumer and by get, and sees it acked.
func TestClientConsume(t *testing.T) {
	var gets int
	p, conn, ch := open(t, func(p *peer, c command) bool {
		switch m := c.method.(type) {
		case *BasicCancel: // the last deliveries may pass a cancel on its way
			p.sendContent(1, &BasicDeliver{ConsumerTag: m.ConsumerTag, DeliveryTag: 1, Redelivered: true, Exchange: "e", RoutingKey: "key"},
				ourMessage(), string(message.Body))
		case *BasicGet:
			if gets++; gets > 1 {
				p.send(1, &BasicGetEmpty{})
			} else {
				p.sendContent(1, &BasicGetOk{DeliveryTag: 2, Exchange: "e", RoutingKey: "key", MessageCount: 41}, new(Properties), "")
			}
			return true
		}
		return false
	})
	deliveries, err := ch.Consume("q", "tag", false, true, false, false, amqp.Table{"x-priority": int32(5)})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Cancel("tag", false); err != nil {
		t.Fatal(err)
	}
	d := <-deliveries
	if d.DeliveryTag != 1 || !d.Redelivered || d.Exchange != "e" || d.RoutingKey != "key" || d.ConsumerTag != "tag" {
		t.Errorf("%+v", d)
	}
	if got := (amqp.Publishing{Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration,
		MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}); !reflect.DeepEqual(got, message) {
		t.Errorf("got %+v", got)
	}
	got, ok, err := ch.Get("q", true)
	if err != nil || !ok || got.DeliveryTag != 2 || got.MessageCount != 41 {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if _, ok, err := ch.Get("q", false); err != nil || ok {
		t.Errorf("%v, %v", ok, err)
	}
	for _, err := range []error{ch.Ack(1, true), ch.Nack(2, false, true), ch.Reject(3, false), conn.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	compareCommands(t, p.wait(t)[4:10], []command{
		{1, &BasicConsume{Queue: "q", ConsumerTag: "tag", Exclusive: true, Arguments: NewTable(Field{"x-priority", Int32(5)})}, Properties{}, ""},
		{1, &BasicCancel{ConsumerTag: "tag"}, Properties{}, ""},
		{1, &BasicGet{Queue: "q", NoAck: true}, Properties{}, ""},
		{1, &BasicGet{Queue: "q"}, Properties{}, ""},
		{1, &BasicAck{DeliveryTag: 1, Multiple: true}, Properties{}, ""},
		{1, &BasicNack{DeliveryTag: 2, Requeue: true}, Properties{}, ""},
	})
}

// TestClientErrors: what we tell of a failure is what the client reports.
func TestClientErrors(t *testing.T) {
	notFound := &Error{Code: NotFound, Text: "no queue 'q' in vhost '/'", Class: 50, Method: 10}
	p, conn, ch := open(t, func(p *peer, c command) bool {
		switch m := c.method.(type) {
		case *QueueBind:
			p.send(c.channel, notFound.ChannelClose())
			return true
		case *BasicQos:
			p.send(0, &ConnectionBlocked{Reason: "low on disk"})
			p.send(0, &ConnectionUnblocked{})
			p.send(c.channel, &BasicCancel{ConsumerTag: "gone", NoWait: true})
			p.send(c.channel, &ChannelFlow{Active: m.Global})
			p.out <- AppendHeartbeat(nil)
		}
		return false
	})
	blocked, cancelled := conn.NotifyBlocked(make(chan amqp.Blocking, 9)), ch.NotifyCancel(make(chan string, 9))
	flow := ch.NotifyFlow(make(chan bool, 9))
	if err := ch.Qos(1, 0, false); err != nil {
		t.Fatal(err)
	}
	if a, b := <-blocked, <-blocked; a != (amqp.Blocking{Active: true, Reason: "low on disk"}) || b.Active {
		t.Errorf("%+v, %+v", a, b)
	}
	if tag, active := <-cancelled, <-flow; tag != "gone" || active {
		t.Errorf("%s, %v", tag, active)
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	bindErr := ch.QueueBind("q", "k", "e", false, nil)
	for _, err := range []error{bindErr, <-closed} {
		var e *amqp.Error
		if !errors.As(err, &e) || e.Code != 404 || e.Reason != "NOT_FOUND - no queue 'q' in vhost '/'" {
			t.Errorf("%+v", err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	p.wait(t)
}
