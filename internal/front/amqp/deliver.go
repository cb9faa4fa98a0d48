package amqp

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// envelope is what a delivery says of a message besides its content.
type envelope struct {
	exchange, key string
	deaths        []byte // its history as a dead letter, if it has one
	properties    [14][]byte
	has           wire.PropertyFlags
	typed         bool // there are headers with kinds
	fields        int  // headers of the user's
}

// slots are the properties that record headers stand for.
var slots = map[string]wire.PropertyFlags{
	headerContentType: wire.HasContentType, headerContentEncoding: wire.HasContentEncoding, headerDeliveryMode: wire.HasDeliveryMode,
	headerPriority: wire.HasPriority, broker.HeaderCorrelation: wire.HasCorrelationID, broker.HeaderReplyTo: wire.HasReplyTo,
	headerExpiration: wire.HasExpiration, headerMessageID: wire.HasMessageID, headerTimestamp: wire.HasTimestamp,
	headerType: wire.HasType, headerUserID: wire.HasUserID, headerAppID: wire.HasAppID, headerClusterID: wire.HasClusterID,
}

// slotOf is the place of a property in their order, which is that of the flags from the highest down.
func slotOf(flag wire.PropertyFlags) int { return bits.LeadingZeros16(uint16(flag)) }

// open reads a record's headers. A record that another protocol wrote went through the default exchange, by the queue's
// name.
func (e *envelope) open(headers []record.HeaderField, queue string) {
	*e = envelope{key: queue}
	for i := range headers {
		h := &headers[i]
		if !special(h.Key) {
			e.fields++
			continue
		}
		switch h.Key {
		case broker.HeaderExchange:
			e.exchange = short(h.Value)
			continue
		case broker.HeaderRoutingKey:
			e.key = short(h.Value)
			continue
		case broker.HeaderDeaths:
			e.deaths = h.Value
			continue
		}
		if flag, ok := slots[h.Key]; ok {
			if len(h.Value) <= wire.ShortStringMax {
				e.has |= flag
				e.properties[slotOf(flag)] = h.Value
			}
		} else if strings.HasPrefix(h.Key, headerEscape) {
			e.fields++
		} else if h.Key == headerTyped {
			e.has |= wire.HasHeaders
		} else if strings.HasPrefix(h.Key, headerTyped) {
			e.typed = true
		}
	}
}

// special tells whether a header's name means something in a record.
func special(key string) bool {
	return strings.HasPrefix(key, reservedNaru) || strings.HasPrefix(key, reservedAMQP) || key == headerContentType
}

func short(b []byte) string {
	return string(b[:min(len(b), wire.ShortStringMax)])
}

// fieldOf is the name of the user's header that a record's stands for.
func fieldOf(key string) (name string, ok bool) {
	if name, ok := strings.CutPrefix(key, headerEscape); ok {
		return name, len(name) <= wire.ShortStringMax
	}
	return key, !special(key) && len(key) <= wire.ShortStringMax
}

// appendContent adds the frames of header and body. count, if not 0, is how often the message came back.
func (e *envelope) appendContent(b []byte, channel uint16, frameMax uint32, rec *record.Record, count int) []byte {
	table := e.fields > 0 || e.deaths != nil || count > 0
	if table {
		e.has |= wire.HasHeaders
	}
	at := len(b)
	b = wire.AppendFrameHeader(b, wire.FrameHeader, channel, 0)
	b = wire.AppendContentHeader(b, wire.ContentHeader{Class: wire.ClassBasic, BodySize: uint64(len(rec.Value))}, nil)
	flags := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(e.has))
	// The table ends where all else still fits into the frame.
	end := at + int(frameMax) - wire.FrameOverheadBytes - len(e.properties)*(1+wire.ShortStringMax)
	for i := range e.properties {
		flag := wire.PropertyFlags(1) << (15 - i)
		if e.has&flag == 0 {
			continue
		}
		if flag == wire.HasHeaders {
			b = e.appendTable(b, end, rec.Headers, count)
			continue
		}
		var ok bool
		if b, ok = appendProperty(b, flag, e.properties[i]); !ok {
			e.has &^= flag
		}
	}
	binary.BigEndian.PutUint16(b[flags:], uint16(e.has))
	binary.BigEndian.PutUint32(b[at+3:], uint32(len(b)-at-wire.FrameHeaderBytes))
	b = append(b, wire.FrameEnd)
	return wire.AppendBodyFrames(b, channel, frameMax, rec.Value)
}

func appendProperty(b []byte, flag wire.PropertyFlags, v []byte) ([]byte, bool) {
	switch flag {
	case wire.HasDeliveryMode, wire.HasPriority:
		n, err := strconv.ParseUint(string(v), 10, 8)
		if err != nil {
			return b, false
		}
		return append(b, byte(n)), true
	case wire.HasTimestamp:
		n, err := strconv.ParseUint(string(v), 10, 64)
		if err != nil {
			return b, false
		}
		return binary.BigEndian.AppendUint64(b, n), true
	}
	return append(append(b, byte(len(v))), v...), true
}

// appendTable adds the headers. What would make the frame too long is left out.
func (e *envelope) appendTable(b []byte, end int, headers []record.HeaderField, count int) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	if count > 0 {
		b = appendNamed(b, "x-delivery-count", wire.KindInt64, strconv.AppendInt(nil, int64(count), 10))
	}
	if e.deaths != nil {
		b = e.appendDeaths(b, end, headers)
	}
	for i := range headers {
		h := &headers[i]
		name, ok := fieldOf(h.Key)
		if !ok || e.deaths != nil && isDeathHeader(name) || len(b)+2+len(name)+len(h.Value) > end {
			continue
		}
		had := len(b)
		kind := e.kindOf(headers, i)
		if b = appendNamed(b, name, kind, h.Value); len(b) == had { // not what its kind says
			b = appendNamed(b, name, wire.KindString, h.Value)
		}
		if len(b) > end {
			b = b[:had]
		}
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// appendNamed adds a field; nothing if the text is none of its kind.
func appendNamed(b []byte, name string, k wire.Kind, text []byte) []byte {
	was := len(b)
	b, ok := appendField(append(append(b, byte(len(name))), name...), k, text)
	if !ok {
		return b[:was]
	}
	return b
}

// kindOf is the kind of a header's value: what is noted, most of the time just before it.
func (e *envelope) kindOf(headers []record.HeaderField, i int) wire.Kind {
	h := &headers[i]
	if e.typed {
		note := func(x *record.HeaderField) bool {
			return len(x.Key) == len(headerTyped)+len(h.Key) && strings.HasPrefix(x.Key, headerTyped) && x.Key[len(headerTyped):] == h.Key
		}
		if i > 0 && note(&headers[i-1]) {
			return kindNamed(headers[i-1].Value, h.Value)
		}
		if i > 0 && i+1 < len(headers) || i == 0 {
			for j := range headers[:min(len(headers), kindsLookedAt)] {
				if note(&headers[j]) {
					return kindNamed(headers[j].Value, h.Value)
				}
			}
		}
	}
	if !utf8.Valid(h.Value) {
		return wire.KindBytes
	}
	return wire.KindString
}

// kindsLookedAt bounds the search for the kind of a header that another protocol wrote.
const kindsLookedAt = 64

// kindNamed is a kind as AMQP, or SQS, notes it.
func kindNamed(note, value []byte) wire.Kind {
	base, _, _ := strings.Cut(string(note), ".")
	switch {
	case len(note) == 1:
		return wire.Kind(note[0])
	case base == "Number":
		if _, err := strconv.ParseInt(string(value), 10, 64); err == nil {
			return wire.KindInt64
		}
		return wire.KindFloat64
	case base == "Binary":
		return wire.KindBytes
	}
	return wire.KindString
}
