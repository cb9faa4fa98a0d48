package api

import (
	"bytes"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
)

// Headers that stand for fields of a record in the API.
const (
	headerContentType = "content-type"
	headerReplyTo     = broker.HeaderReplyTo
	headerCorrelation = broker.HeaderCorrelation
)

// stampMax is 9999-12-31T23:59:59.999Z, the last that a Timestamp can say.
const stampMax = 253402300799999

func stamp(ms int64) *timestamppb.Timestamp {
	if ms < 0 || ms > stampMax {
		return nil
	}
	return timestamppb.New(time.UnixMilli(ms))
}

// span reads a duration, which must not be negative.
func span(name string, d *durationpb.Duration, or, most time.Duration) (time.Duration, error) {
	if d == nil {
		return or, nil
	}
	if err := d.CheckValid(); err != nil {
		return 0, invalid("%s: %v", name, err)
	}
	if v := d.AsDuration(); v < 0 || v > most {
		return 0, invalid("%s is %v, want 0 to %v", name, v, most)
	}
	return d.AsDuration(), nil
}

// extras are the fields of a record that are headers in the log.
type extras struct{ contentType, replyTo, correlation string }

// headersIn makes a record's headers of those in the API.
func headersIn(list []*naruv1.Header, x extras) ([]record.HeaderField, error) {
	var out []record.HeaderField
	if len(list) > 0 || x != (extras{}) {
		out = make([]record.HeaderField, 0, len(list)+3)
	}
	for _, h := range list {
		if h.GetName() == "" {
			return nil, invalid("a header has no name")
		}
		f := record.HeaderField{Key: h.GetName()}
		switch v := h.GetValue().(type) {
		case *naruv1.Header_Text:
			f.Value = []byte(v.Text)
		case *naruv1.Header_Bytes:
			f.Value = notNil(v.Bytes)
		}
		out = append(out, f)
	}
	for _, e := range [...]struct{ name, value string }{
		{headerContentType, x.contentType}, {headerReplyTo, x.replyTo}, {headerCorrelation, x.correlation},
	} {
		if e.value != "" {
			out = append(out, record.HeaderField{Key: e.name, Value: []byte(e.value)})
		}
	}
	return out, nil
}

// headersOut is the way back. The last of a name is the field, the others stay.
func headersOut(list []record.HeaderField) (out []*naruv1.Header, x extras) {
	for i := len(list) - 1; i >= 0; i-- {
		h := &list[i]
		to := (*string)(nil)
		switch h.Key {
		case headerContentType:
			to = &x.contentType
		case headerReplyTo:
			to = &x.replyTo
		case headerCorrelation:
			to = &x.correlation
		}
		if to != nil && *to == "" && len(h.Value) > 0 && utf8.Valid(h.Value) {
			*to = string(h.Value)
		}
	}
	for i := range list {
		h := &list[i]
		switch v := string(h.Value); {
		case h.Key == headerContentType && v != "" && v == x.contentType,
			h.Key == headerReplyTo && v != "" && v == x.replyTo,
			h.Key == headerCorrelation && v != "" && v == x.correlation:
			continue
		}
		one := &naruv1.Header{Name: validText(h.Key)}
		switch {
		case h.Value == nil:
		case utf8.Valid(h.Value):
			one.Value = &naruv1.Header_Text{Text: string(h.Value)}
		default:
			one.Value = &naruv1.Header_Bytes{Bytes: bytes.Clone(h.Value)}
		}
		out = append(out, one)
	}
	return out, x
}

// validText is s, or as much of it as UTF-8 can say.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func newRecord(in *naruv1.NewRecord) (out broker.NewRecord, err error) {
	out = broker.NewRecord{Partition: -1, Timestamp: -1}
	if in == nil {
		return out, invalid("a record is null")
	}
	if in.Partition != nil {
		if out.Partition = in.GetPartition(); out.Partition < 0 {
			return out, invalid("partition is %d", out.Partition)
		}
	}
	if in.Timestamp != nil {
		if err := in.Timestamp.CheckValid(); err != nil {
			return out, invalid("timestamp: %v", err)
		}
		if out.Timestamp = in.Timestamp.AsTime().UnixMilli(); out.Timestamp < 0 {
			return out, invalid("timestamp is before 1970")
		}
	}
	switch k := in.GetKey().(type) {
	case *naruv1.NewRecord_KeyText:
		out.Key = []byte(k.KeyText)
	case *naruv1.NewRecord_KeyBytes:
		out.Key = notNil(k.KeyBytes)
	}
	switch v := in.GetValue().(type) {
	case *naruv1.NewRecord_Text:
		out.Value = []byte(v.Text)
	case *naruv1.NewRecord_Bytes:
		out.Value = notNil(v.Bytes)
	}
	out.Headers, err = headersIn(in.GetHeaders(), extras{in.GetContentType(), in.GetReplyTo(), in.GetCorrelationId()})
	return out, err
}

func newMessage(in *naruv1.NewMessage) (out broker.Message, err error) {
	if in == nil {
		return out, invalid("a message is null")
	}
	out = broker.Message{Lane: in.GetPriority(), DedupID: in.GetDedupId()}
	if out.Delay, err = span("delay", in.GetDelay(), -1, delayMax); err != nil {
		return out, err
	}
	if out.Expiry, err = span("expiry", in.GetExpiry(), 0, delayMax); err != nil {
		return out, err
	}
	switch k := in.GetKey().(type) {
	case *naruv1.NewMessage_KeyText:
		out.Key = []byte(k.KeyText)
	case *naruv1.NewMessage_KeyBytes:
		out.Key = notNil(k.KeyBytes)
	}
	switch v := in.GetValue().(type) {
	case *naruv1.NewMessage_Text:
		out.Value = []byte(v.Text)
	case *naruv1.NewMessage_Bytes:
		out.Value = notNil(v.Bytes)
	}
	out.Headers, err = headersIn(in.GetHeaders(), extras{in.GetContentType(), in.GetReplyTo(), in.GetCorrelationId()})
	return out, err
}

// delayMax bounds delays and expiries.
const delayMax = 366 * 24 * time.Hour

// showRecord is r in the API. It copies what r shares with the log's memory.
func showRecord(topic string, partition int32, r *record.Record) *naruv1.Record {
	out := &naruv1.Record{Topic: topic, Partition: partition, Offset: int64(r.Offset), Timestamp: stamp(r.Timestamp)}
	var x extras
	out.Headers, x = headersOut(r.Headers)
	out.ContentType, out.ReplyTo, out.CorrelationId = x.contentType, x.replyTo, x.correlation
	switch {
	case r.Key == nil:
	case utf8.Valid(r.Key):
		out.Key = &naruv1.Record_KeyText{KeyText: string(r.Key)}
	default:
		out.Key = &naruv1.Record_KeyBytes{KeyBytes: bytes.Clone(r.Key)}
	}
	switch {
	case r.Value == nil:
	case utf8.Valid(r.Value):
		out.Value = &naruv1.Record_Text{Text: string(r.Value)}
	default:
		out.Value = &naruv1.Record_Bytes{Bytes: bytes.Clone(r.Value)}
	}
	return out
}

func showMessage(q *broker.Queue, d *broker.Delivery, leased bool) *naruv1.Message {
	r := &d.Record
	out := &naruv1.Message{
		Id: d.ID.String(), Attempts: d.Attempts, SentTime: stamp(r.Timestamp), Partition: int32(d.Tag.Source), Offset: int64(d.Tag.Offset),
	}
	if leased {
		out.Delivery = deliveryName(q.Meta().ID, d.Tag)
	}
	if d.FirstReceivedAt > 0 {
		out.FirstReceivedTime = stamp(d.FirstReceivedAt)
	}
	var x extras
	out.Headers, x = headersOut(r.Headers)
	out.ContentType, out.ReplyTo, out.CorrelationId = x.contentType, x.replyTo, x.correlation
	switch {
	case r.Key == nil:
	case utf8.Valid(r.Key):
		out.Key = &naruv1.Message_KeyText{KeyText: string(r.Key)}
	default:
		out.Key = &naruv1.Message_KeyBytes{KeyBytes: r.Key}
	}
	switch {
	case r.Value == nil:
	case utf8.Valid(r.Value):
		out.Value = &naruv1.Message_Text{Text: string(r.Value)}
	default:
		out.Value = &naruv1.Message_Bytes{Bytes: r.Value}
	}
	return out
}

func showMessages(q *broker.Queue, list []broker.Delivery, leased bool) []*naruv1.Message {
	out := make([]*naruv1.Message, len(list))
	for i := range list {
		out[i] = showMessage(q, &list[i], leased)
	}
	return out
}

func showSent(list []broker.Sent, withID bool) []*naruv1.Produced {
	out := make([]*naruv1.Produced, len(list))
	for i := range list {
		s := &list[i]
		if s.Err != nil {
			out[i] = &naruv1.Produced{Partition: -1, Offset: -1, Error: itemError(s.Err)}
			continue
		}
		out[i] = &naruv1.Produced{Partition: s.Partition, Offset: int64(s.Offset), Timestamp: stamp(s.Timestamp), Duplicate: s.Duplicate}
		if withID {
			out[i].Id = s.ID.String()
		}
	}
	return out
}

// allFailed is the error of a call of which nothing was done, for one reason.
func allFailed(list []broker.Sent) error {
	for i := range list {
		if list[i].Err == nil || i > 0 && codeOf(list[i].Err) != codeOf(list[0].Err) {
			return nil
		}
	}
	return list[0].Err
}
