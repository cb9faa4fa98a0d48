package sqs

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// Headers that the broker and its front ends keep for themselves. They are on
// disk: never rename one.
const (
	reservedPrefix   = "naru."
	headerGroup      = "naru.group"      // a group that is not the key
	headerDedup      = "naru.dedup"      // deduplication id
	headerTrace      = "naru.trace"      // AWSTraceHeader
	headerDeadQueue  = "naru.dead.queue" // the queue that gave up on the record
	headerTypePrefix = "naru.type:"      // then an attribute's name; the value is its data type
)

// Attributes that stand for what SQS has no place for. What is received with
// them can be sent with them and gives the same record again.
const (
	attributeEncoding = "naru.encoding" // how the body stands for the record's value: one of the encodings
	attributeKey      = "naru.key"      // a record key that cannot be a MessageGroupId, as a piece
	attributeHeaders  = "naru.headers"  // headers that cannot be attributes, as a JSON array of pieces
)

// Values of attributeEncoding.
const (
	encodingBase64 = "base64" // the value is bytes that are not text
	encodingEmpty  = "empty"  // the value has no bytes, as no body may
	encodingNull   = "null"   // there is no value
)

// message is what SQS sees of a record.
type message struct {
	body       []byte
	group      string // "" = none
	trace      string // "" = none
	dedup      string // "" = none
	deadQueue  string // the queue that the record was dead-lettered from; "" = none
	attributes []attribute
}

// messageOf maps a record to the message that stands for it. Nothing is lost:
// what does not fit goes to the three attributes named above. The message
// refers to the record's bytes.
func messageOf(r *record.Record) message {
	m := message{body: r.Value}
	switch {
	case r.Value == nil:
		m.body = []byte{}
		m.add(attributeEncoding, encodingNull)
	case len(r.Value) == 0:
		m.add(attributeEncoding, encodingEmpty)
	case !validText(r.Value):
		m.body = base64.StdEncoding.AppendEncode(nil, r.Value)
		m.add(attributeEncoding, encodingBase64)
	}
	m.takeKey(r)
	if len(r.Headers) > 0 {
		m.takeHeaders(r.Headers)
	}
	return m
}

func (m *message) add(name, value string) {
	m.attributes = append(m.attributes, attribute{name: name, dataType: typeString, value: []byte(value)})
}

// takeKey makes the key the group, or what stands for it.
func (m *message) takeKey(r *record.Record) {
	if g := lastHeader(r.Headers, headerGroup); validID(g) {
		m.group = string(g)
		if r.Key != nil {
			m.add(attributeKey, encodeKey(r.Key))
		}
		return
	}
	switch {
	case r.Key == nil:
	case validID(r.Key):
		m.group = string(r.Key)
	default:
		m.group = groupOfKey(r.Key)
		m.add(attributeKey, encodeKey(r.Key))
	}
}

// groupOfKey is the group of the records of a key that cannot name one itself.
func groupOfKey(key []byte) string {
	sum := sha256.Sum256(key)
	return reservedPrefix + hex.EncodeToString(sum[:16])
}

func lastHeader(headers []record.HeaderField, name string) []byte {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == name {
			return headers[i].Value
		}
	}
	return nil
}

// takeHeaders makes attributes of headers: of the last of each name, as a Kafka
// consumer that asks for one header gets the last. The others, those whose name
// or value no attribute may have, and those for which ten attributes leave no
// room, become pieces of one more attribute.
func (m *message) takeHeaders(headers []record.HeaderField) {
	fits := make([]bool, len(headers))
	seen := make(map[string]bool, len(headers))
	count, rest := 0, 0
	for i := len(headers) - 1; i >= 0; i-- {
		h := &headers[i]
		if strings.HasPrefix(h.Key, reservedPrefix) {
			m.takeReserved(h)
			continue
		}
		fits[i] = len(h.Value) > 0 && !seen[h.Key] && validAttributeName(h.Key)
		seen[h.Key] = true
		if fits[i] {
			count++
		} else {
			rest++
		}
	}
	room := attributesMax - len(m.attributes)
	if rest > 0 || count > room {
		room-- // for the attribute with the rest
	}
	var pieces []piece
	for i := range headers {
		h := &headers[i]
		switch {
		case strings.HasPrefix(h.Key, reservedPrefix):
		case fits[i] && room > 0:
			m.attributes = append(m.attributes, attributeOf(h, headers))
			room--
		default:
			pieces = append(pieces, pieceOf(h.Key, h.Value))
		}
	}
	if pieces != nil {
		m.add(attributeHeaders, encodePieces(pieces))
	}
}

// takeReserved is called with the last header of a name first.
func (m *message) takeReserved(h *record.HeaderField) {
	var field *string
	switch h.Key {
	case headerTrace:
		field = &m.trace
	case headerDedup:
		field = &m.dedup
	case headerDeadQueue:
		field = &m.deadQueue
	default:
		return
	}
	if *field == "" && validText(h.Value) {
		*field = string(h.Value)
	}
}

// attributeOf maps a header whose name and value fit. The type is the one it was
// sent with, as long as the value agrees.
func attributeOf(h *record.HeaderField, headers []record.HeaderField) attribute {
	a := attribute{name: h.Key, dataType: typeString, value: h.Value}
	isText := validText(h.Value)
	if !isText {
		a.dataType = typeBinary
	}
	for i := len(headers) - 1; i >= 0; i-- {
		name, isType := strings.CutPrefix(headers[i].Key, headerTypePrefix)
		if !isType || name != h.Key {
			continue
		}
		sent := string(headers[i].Value)
		switch basicType(sent) {
		case typeBinary:
			a.dataType = sent
		case typeString:
			if isText {
				a.dataType = sent
			}
		case typeNumber:
			if validNumber(string(h.Value)) {
				a.dataType = sent
			}
		}
		break
	}
	return a
}

// appendHeaders maps attributes to headers, and the type of each that is not
// plain text to one more. Those that stand for something else are left out.
func appendHeaders(headers []record.HeaderField, attributes []attribute) []record.HeaderField {
	for i := range attributes {
		a := &attributes[i]
		if a.reserved() {
			continue
		}
		headers = append(headers, record.HeaderField{Key: a.name, Value: a.value})
		if a.dataType != typeString {
			headers = append(headers, record.HeaderField{Key: headerTypePrefix + a.name, Value: []byte(a.dataType)})
		}
	}
	return headers
}
