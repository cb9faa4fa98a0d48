package amqp091

import (
	"fmt"
	"math/bits"
	"strings"
)

// ContentHeader is the payload of a header frame, without the properties.
type ContentHeader struct {
	Class    uint16
	BodySize uint64
}

// PropertyFlags say which properties there are. The lowest bit is never set: on the wire it says that another word of
// flags follows.
type PropertyFlags uint16

// flagWordsMax is how many words of flags we read. All properties are in the first, so others can only be empty.
const flagWordsMax = 4

// SplitContentHeader divides a header frame's payload into the header and the encoded properties, which alias it. They
// are not looked at: Parse does that. Who passes them on to a peer parses them first.
func SplitContentHeader(payload []byte) (h ContentHeader, properties []byte, err error) {
	r := Reader{b: payload}
	h.Class = r.short()
	if weight := r.short(); weight != 0 {
		r.fail("weight %d in a content header", weight)
	}
	h.BodySize = r.longlong()
	return h, payload[r.pos:], r.Err()
}

// Parse reads encoded properties. The strings of p share one copy of them, so clone what is kept for long. The error is an
// *Error of code SyntaxError.
func (p *Properties) Parse(properties []byte) error {
	r := Reader{b: properties}
	*p = Properties{Has: r.flags()}
	if p.Has != 0 {
		r.share()
		p.decode(&r)
	}
	return r.Finish()
}

// flags reads the words of flags (4.2.6.1). A flag that we do not know is an error, as nobody knows how long its property is.
func (r *Reader) flags() PropertyFlags {
	first := r.short()
	unknown := PropertyFlags(first) &^ (knownProperties | 1)
	for word, words := first, 1; word&1 != 0; words++ {
		if words == flagWordsMax {
			r.fail("more than %d words of property flags", flagWordsMax)
			return 0
		}
		word = r.short()
		unknown |= PropertyFlags(word) &^ 1
	}
	if unknown != 0 {
		r.fail("unknown property flags %#04x", uint16(unknown))
		return 0
	}
	return PropertyFlags(first) &^ 1
}

// Append adds the encoded properties.
func (p *Properties) Append(b []byte) []byte {
	has := p.Has & knownProperties
	return p.append(appendShort(b, uint16(has)))
}

// Len returns how many properties there are.
func (p *Properties) Len() int { return bits.OnesCount16(uint16(p.Has & knownProperties)) }

// AppendContentHeader adds a header frame's payload, with properties that are encoded already.
func AppendContentHeader(b []byte, h ContentHeader, properties []byte) []byte {
	b = appendShort(appendShort(b, h.Class), 0)
	return append(appendLonglong(b, h.BodySize), properties...)
}

// AppendContentHeaderFrame adds a whole frame, with properties that are encoded already.
func AppendContentHeaderFrame(b []byte, channel uint16, h ContentHeader, properties []byte) []byte {
	b, at := openFrame(b, FrameHeader, channel)
	return closeFrame(AppendContentHeader(b, h, properties), at)
}

// propertyList is the text of properties, for logs.
type propertyList struct{ b strings.Builder }

func (l *propertyList) add(name string, v any) {
	if l.b.Len() > 0 {
		l.b.WriteString(", ")
	}
	if s, ok := v.(string); ok {
		v = fmt.Sprintf("%q", s)
	}
	fmt.Fprintf(&l.b, "%s: %v", name, v)
}

func (l *propertyList) String() string { return "{" + l.b.String() + "}" }
