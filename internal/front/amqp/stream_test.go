package amqp

import (
	"context"
	"fmt"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

func streamArgs(more ...any) client.Table {
	t := client.Table{argQueueType: typeStream}
	for i := 0; i < len(more); i += 2 {
		t[more[i].(string)] = more[i+1]
	}
	return t
}

// streamOf declares a stream with the messages 0 to n-1.
func (w *world) streamOf(name string, n int) {
	w.t.Helper()
	ch := w.confirming()
	queueOf(w.t, ch, name, streamArgs())
	w.append(name, 0, n)
}

func (w *world) append(name string, from, to int) {
	w.t.Helper()
	ch := w.confirming()
	for i := from; i < to; i++ {
		if !confirmed(w.t, ch, "", name, client.Publishing{Body: fmt.Append(nil, i)}) {
			w.t.Fatalf("message %d was not confirmed", i)
		}
	}
	ok(w.t, ch.Close())
}

// reader reads a stream from offset on; nil is where RabbitMQ begins.
func (w *world) reader(name string, prefetch int, offset any) (*client.Channel, <-chan client.Delivery) {
	w.t.Helper()
	ch := w.channel()
	ok(w.t, ch.Qos(prefetch, 0, false))
	args := client.Table{}
	if offset != nil {
		args[argStreamOffset] = offset
	}
	return ch, consume(w.t, ch, name, "", args)
}

// read takes the messages from..to-1, and acks them.
func read(t testing.TB, c <-chan client.Delivery, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		d := next(t, c)
		if string(d.Body) != fmt.Sprint(i) || d.Headers[argStreamOffset] != int64(i) || d.Redelivered {
			t.Fatalf("got %q with %v, redelivered %v, want %d", d.Body, d.Headers, d.Redelivered, i)
		}
		ok(t, d.Ack(false))
	}
}

func TestStreamIsReadByMany(t *testing.T) {
	w := newWorld(t)
	w.streamOf("s", 10)
	for range 2 {
		_, c := w.reader("s", 3, "first")
		read(t, c, 0, 10)
	}
	_, fromNext := w.reader("s", 3, nil)
	_, fromFive := w.reader("s", 3, int64(5))
	_, fromLater := w.reader("s", 3, int64(12))
	_, fromLast := w.reader("s", 3, "last")
	_, anHour := w.reader("s", 3, "1h")
	_, future := w.reader("s", 3, time.Now().Add(time.Hour))
	w.append("s", 10, 15)
	read(t, fromNext, 10, 15)
	read(t, fromFive, 5, 15)
	read(t, fromLater, 12, 15)
	read(t, fromLast, 9, 15)
	read(t, anHour, 0, 15)
	read(t, future, 10, 15)
}

func TestStreamAcksAreCredit(t *testing.T) {
	w := newWorld(t)
	w.streamOf("s", 10)
	_, c := w.reader("s", 2, "first")
	one := next(t, c)
	two := next(t, c)
	select {
	case d := <-c:
		t.Fatalf("%q came beyond the prefetch", d.Body)
	case <-time.After(50 * time.Millisecond):
	}
	ok(t, two.Ack(true))
	if one.DeliveryTag != 1 || two.DeliveryTag != 2 {
		t.Errorf("tags are %d, %d", one.DeliveryTag, two.DeliveryTag)
	}
	read(t, c, 2, 10)
	q := must[client.Queue](t)(w.channel().QueueDeclarePassive("s", true, false, false, false, nil))
	if q.Messages != 10 || q.Consumers != 1 {
		t.Errorf("%d messages, %d consumers", q.Messages, q.Consumers)
	}
}

func TestStreamRefusals(t *testing.T) {
	w := newWorld(t)
	declare := func(durable, auto, exclusive bool, more ...any) error {
		_, err := w.channel().QueueDeclare("x", durable, auto, exclusive, false, streamArgs(more...))
		return err
	}
	refused(t, declare(false, false, false), 406, "invalid property 'non-durable' for queue 'x' in vhost '/'")
	refused(t, declare(true, false, true), 406, "invalid property 'exclusive-owner' for queue")
	refused(t, declare(true, true, false), 406, "invalid property 'auto-delete' for queue")
	for _, arg := range notOfStreams[:2] {
		refused(t, declare(true, false, false, argDeadExchange, "", arg, "k"), 406, "of queue type rabbit_stream_queue")
	}
	refused(t, declare(true, false, false, argMessageTTL, 5), 406, "invalid arg 'x-message-ttl' for queue 'x' in vhost '/' of queue type rabbit_stream_queue")
	refused(t, declare(true, false, false, argMaxAge, "1"), 406, "invalid arg 'x-max-age' for queue 'x' in vhost '/': invalid_max_age")
	refused(t, declare(true, false, false, argMaxAge, 1), 406, "{unacceptable_type,")
	refused(t, declare(true, false, false, argSegmentBytes, int64(5e9)), 406, "Exceeded max value for x-stream-max-segment-size-bytes")
	ok(t, declare(true, false, false, argMaxAge, "1h", argMaxBytes, 1000, argSegmentBytes, 500))
	ok(t, declare(true, false, false, argMaxAge, "1h", argMaxBytes, 1000, argSegmentBytes, 500))
	refused(t, declare(true, false, false, argMaxAge, "2h", argMaxBytes, 1000, argSegmentBytes, 500), 406,
		"inequivalent arg 'x-max-age' for queue 'x' in vhost '/': received '2h' but current is '1h'")
	_, err := w.channel().QueueDeclare("x", true, false, false, false, nil)
	refused(t, err, 406, "inequivalent arg 'x-max-length-bytes' for queue 'x'")

	reads := func(prefetch int, noAck bool, args client.Table) error {
		ch := w.channel()
		ok(t, ch.Qos(prefetch, 0, false))
		_, err := ch.Consume("x", "", noAck, false, false, false, args)
		return err
	}
	refused(t, reads(0, false, nil), 406, "consumer prefetch count is not set for 'queue 'x' in vhost '/''")
	refused(t, reads(1, true, nil), 540, "automatic acknowledgement not supported by stream queues queue 'x' in vhost '/'")
	refused(t, reads(1, false, client.Table{"x-priority": 1}), 406, "invalid arg 'x-priority'")
	refused(t, reads(1, false, client.Table{argStreamOffset: "5"}), 406, `invalid arg 'x-stream-offset' for queue 'x' in vhost '/': {invalid_stream_offset_arg,{longstr,<<"5">>}}`)
	refused(t, reads(1, false, client.Table{argStreamOffset: true}), 406, "invalid_stream_offset_arg")
	_, _, err = w.channel().Get("x", false)
	refused(t, err, 540, "basic.get not supported by stream queues queue 'x' in vhost '/'")
	_, err = w.channel().QueuePurge("x", false)
	refused(t, err, 540, "queue.purge not supported by stream queues")
}

func TestStreamDeliveriesCannotBeRejected(t *testing.T) {
	w := newWorld(t)
	w.streamOf("s", 1)
	for _, give := range []func(client.Delivery, *client.Channel) error{
		func(d client.Delivery, _ *client.Channel) error { return d.Nack(false, true) },
		func(d client.Delivery, _ *client.Channel) error { return d.Reject(false) },
		//lint:ignore SA1019 old programs still call it
		func(_ client.Delivery, ch *client.Channel) error { return ch.Recover(true) },
	} {
		ch, c := w.reader("s", 1, "first")
		closed := ch.NotifyClose(make(chan *client.Error, 1))
		give(next(t, c), ch)
		refused(t, next(t, closed), 540, "not supported by stream queues queue 's' in vhost '/'")
	}
}

func TestStreamIsBoundToExchangesAndOutlivesTheProcess(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "two", streamArgs(argMaxAge, "7D", argMaxBytes, int64(1<<40)))
	queueOf(t, ch, "other name!", streamArgs())
	for _, name := range []string{"two", "other name!"} {
		ok(t, ch.QueueBind(name, "#", "amq.topic", false, nil))
	}
	send := func(i int) {
		t.Helper()
		if !confirmed(t, ch, "amq.topic", "k", client.Publishing{Body: fmt.Append(nil, i), Headers: client.Table{argStreamOffset: "mine"}}) {
			t.Fatal("not confirmed")
		}
	}
	send(0)
	w.stop()
	w.start()
	ch = w.confirming()
	send(1)
	for _, name := range []string{"two", "other name!"} {
		_, c := w.reader(name, 5, "first")
		read(t, c, 0, 2)
	}
	topic, err := w.b.Topic("two")
	ok(t, err)
	if s := topic.Settings; s.RetentionMS != 7*24*time.Hour.Milliseconds() || s.RetentionBytes != 1<<40 {
		t.Errorf("the topic keeps %d ms, %d bytes", s.RetentionMS, s.RetentionBytes)
	}
	queueOf(t, ch, "two", streamArgs(argMaxAge, "7D", argMaxBytes, int64(1<<40)))
	must[int](t)(ch.QueueDelete("two", false, false, false))
	if _, err := w.b.Topic("two"); err == nil {
		t.Error("the topic is still there")
	}
	send(2) // to the other alone
}

// TestStreamReadsATopic reads what others wrote to partitions of a topic, which outlives the stream.
func TestStreamReadsATopic(t *testing.T) {
	w := newWorld(t)
	_, err := w.b.CreateTopic(catalog.TopicSpec{Name: "orders", Partitions: 3}, false)
	ok(t, err)
	produce(t, w.b, "orders", 0, "a", "b")
	produce(t, w.b, "orders", 2, "c")
	ch := w.channel()
	queueOf(t, ch, "orders", streamArgs())
	_, c := w.reader("orders", 10, "first")
	seen := map[string]string{}
	for range 3 {
		d := next(t, c)
		seen[string(d.Body)] = fmt.Sprint(d.Headers[headerStreamPartition], "/", d.Headers[argStreamOffset])
	}
	if seen["a"] != "0/0" || seen["b"] != "0/1" || seen["c"] != "2/0" {
		t.Errorf("partitions and offsets are %v", seen)
	}
	must[int](t)(ch.QueueDelete("orders", false, false, false))
	if _, err := w.b.Topic("orders"); err != nil {
		t.Errorf("the topic went with the stream: %v", err)
	}
}

func produce(t testing.TB, b *broker.Broker, topic string, partition int32, values ...string) {
	t.Helper()
	var list []broker.NewRecord
	for _, v := range values {
		list = append(list, broker.NewRecord{Partition: partition, Timestamp: -1, Key: []byte("key " + v), Value: []byte(v)})
	}
	done := make(chan error, 1)
	ok(t, b.Produce(context.Background(), topic, nil, list, func(s []broker.Sent) { done <- s[0].Err }))
	ok(t, next(t, done))
}

func TestStreamEndsForItsReaders(t *testing.T) {
	w := newWorld(t)
	w.streamOf("s", 3)
	ch, c := w.reader("s", 10, "first")
	read(t, c, 0, 3)
	cancelled := ch.NotifyCancel(make(chan string, 1))
	must[int](t)(w.channel().QueueDelete("s", false, false, false))
	next(t, cancelled)
	w.streamOf("t", 3)
	ch, c = w.reader("t", 1, "first")
	next(t, c)
	ok(t, ch.Cancel("", false))
	ok(t, ch.Close())
	eventually(t, func() bool { return w.s.Stats().Consumers == 0 })
}

func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "7D": 7 * 24 * time.Hour, "90s": 90 * time.Second, "2M": 60 * 24 * time.Hour, "5m": 5 * time.Minute,
		"1Y": 365 * 24 * time.Hour, "9223372036854775807Y": ageMax,
		"": -1, "h": -1, "0h": -1, "-1h": -1, "1": -1, "1d": -1, "1H": -1, "1.5h": -1, "1 h": -1, "18446744073709551616s": -1,
	} {
		got, ok := parseAge(text)
		if want < 0 && ok || want > 0 && (got != want || !ok) {
			t.Errorf("%q is %v, %v", text, got, ok)
		}
	}
}

// FuzzStreamStart: any argument is a place that can be read from, or refused.
func FuzzStreamStart(f *testing.F) {
	for _, s := range []string{"first", "1h", "9999999999Y", "0s", ""} {
		f.Add(s, int64(5), uint8(0))
	}
	f.Add("", int64(-1), uint8(2))
	f.Add("", int64(1<<62), uint8(3))
	now := time.UnixMilli(1_700_000_000_000)
	f.Fuzz(func(t *testing.T, text string, n int64, kind uint8) {
		v := []wire.Value{wire.String(text), wire.Bool(n > 0), wire.Int64(n), wire.Timestamp(uint64(n)).Value(), wire.Float64(float64(n))}[kind%5]
		start, ok := streamStart(v, true, now)
		switch {
		case !ok:
		case start.Offset < 0 || start.Time < 0:
			t.Errorf("%v begins at %+v", v, start)
		case v.Kind() == wire.KindBool || v.Kind() == wire.KindFloat64:
			t.Errorf("%v is a place", v)
		}
	})
}
