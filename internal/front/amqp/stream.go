package amqp

import (
	"strconv"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Arguments of streams and of those who read them.
const (
	argMaxAge       = "x-max-age"
	argSegmentBytes = "x-stream-max-segment-size-bytes"
	argStreamOffset = "x-stream-offset"

	// headerStreamPartition is there if the stream's topic has more partitions than one: the offset is of that.
	headerStreamPartition = "x-stream-partition"
)

// notOfStreams are arguments that a stream cannot have, in the order in which they are looked for.
var notOfStreams = []string{
	argDeadExchange, argDeadKey, argDeliveryLimit, argExpires, argMaxLength, argMaxPriority, argMessageTTL, argOverflow, argQueueMode,
	argSingleConsumer, "x-queue-master-locator",
}

// segmentBytesMax bounds argSegmentBytes, as in RabbitMQ. The argument decides nothing: segments are the journal's.
const segmentBytesMax = 3_000_000_000

// stream reads what only streams have.
func (d *declaration) stream(t wire.Table) (string, string) {
	if v, ok := t.Get(argMaxAge); ok {
		text, isText := v.Text()
		if !isText {
			return argMaxAge, "{unacceptable_type," + typeName(v.Kind()) + "}"
		}
		age, ok := parseAge(text)
		if !ok {
			return argMaxAge, "invalid_max_age"
		}
		d.maxAge = age
	}
	n, there, problem := number(t, argSegmentBytes, 0)
	if there && problem == "" {
		d.segmentBytes = n
	}
	return argSegmentBytes, problem
}

// asStream makes the declaration one of a stream, if it can be.
func (d *declaration) asStream(name string) error {
	what := queueNamed(name, d.vhost)
	for _, p := range []struct {
		property string
		set      bool
	}{{"auto-delete", d.autoDelete}, {"exclusive-owner", d.exclusive}, {"non-durable", !d.durable}} {
		if p.set {
			return failedPrecondition("invalid property '%s' for %s", p.property, what)
		}
	}
	for _, arg := range notOfStreams {
		if _, there := find(d.arguments, arg); there {
			return failedPrecondition("invalid arg '%s' for %s of queue type rabbit_stream_queue", arg, what)
		}
	}
	if d.segmentBytes > segmentBytesMax {
		return failedPrecondition("Exceeded max value for %s", argSegmentBytes)
	}
	d.settings.Stream, d.settings.DeadLetterExpired = true, false
	d.settings.Retention = d.maxAge
	return nil
}

// ageUnits are those of x-max-age and of intervals.
var ageUnits = map[byte]time.Duration{
	'Y': 365 * 24 * time.Hour, 'M': 30 * 24 * time.Hour, 'D': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second,
}

// ageMax is 200 years: what is longer does not fit into a duration.
const ageMax = 200 * 365 * 24 * time.Hour

// parseAge reads a number above 0 with a unit, such as 7D or 12h.
func parseAge(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	unit := ageUnits[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 63)
	if err != nil || n == 0 || unit == 0 {
		return 0, false
	}
	if n > uint64(ageMax/unit) {
		return ageMax, true
	}
	return time.Duration(n) * unit, true
}

func isStream(meta *catalog.Queue) bool { return meta.Settings.Stream }

// notForStreams refuses a method on a stream.
func (ch *channel) notForStreams(q *broker.Queue, name, what string) error {
	if !isStream(q.Meta()) {
		return nil
	}
	return refuse(wire.NotImplemented, "%s not supported by stream queues %s", what, queueNamed(name, ch.c.vhost))
}

// onlyAcked refuses a method on deliveries of a stream, which can be acked and nothing else.
func (ch *channel) onlyAcked(list []delivery, what string) error {
	for i := range list {
		if x := list[i].consumer; x != nil && x.reading != nil {
			return ch.notForStreams(x.box.q, x.box.name, what)
		}
	}
	return nil
}

// streamStart reads x-stream-offset. Without it, a reader begins with what comes next.
func streamStart(v wire.Value, there bool, now time.Time) (start broker.StreamStart, ok bool) {
	if !there {
		return start, true
	}
	if text, isText := v.Text(); isText {
		return namedStart(text, now)
	}
	if at, isTime := v.Timestamp(); isTime {
		const secondsMax = 1 << 50 // milliseconds of it fit
		return broker.StreamStart{At: broker.AtTime, Time: int64(min(at, secondsMax)) * 1000}, true
	}
	if n, isNumber := v.Int(); isNumber && v.Kind() != wire.KindBool {
		return broker.StreamStart{At: broker.AtOffset, Offset: record.Offset(max(n, 0))}, true
	}
	return start, false
}

func namedStart(text string, now time.Time) (start broker.StreamStart, ok bool) {
	switch text {
	case "first":
		return broker.StreamStart{At: broker.AtFirst}, true
	case "last":
		return broker.StreamStart{At: broker.AtLast}, true
	case "next":
		return broker.StreamStart{At: broker.AtNext}, true
	}
	age, ok := parseAge(text)
	return broker.StreamStart{At: broker.AtTime, Time: max(0, now.Add(-age).UnixMilli())}, ok
}

// readStream makes x a reader of a stream, if it may be one.
func (ch *channel) readStream(m *wire.BasicConsume, x *consumer, q *broker.Queue, name string) error {
	what := queueNamed(name, ch.c.vhost)
	_, hasPriority := m.Arguments.Get("x-priority")
	offset, there := m.Arguments.Get(argStreamOffset)
	start, ok := streamStart(offset, there, time.Now())
	switch {
	case hasPriority:
		return failedPrecondition("invalid arg 'x-priority' for %s of queue type rabbit_stream_queue", what)
	case x.prefetch == 0:
		return failedPrecondition("consumer prefetch count is not set for '%s'", what)
	case x.noAck:
		return ch.notForStreams(q, name, "automatic acknowledgement")
	case !ok:
		return failedPrecondition("invalid arg '%s' for %s: {invalid_stream_offset_arg,{%s,<<%q>>}}", argStreamOffset, what,
			typeName(offset.Kind()), fieldText(offset))
	}
	from, err := q.ReadStream(start)
	if err != nil {
		return queueRefusal(err, name, ch.c.vhost)
	}
	x.exclusive = false // who reads takes nothing from others
	x.reading = newReading(x, from)
	return nil
}
