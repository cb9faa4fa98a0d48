package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// outgoing is a message on its way to a queue, as the client gave it.
type outgoing struct {
	body       []byte
	attributes []attribute
	system     []attribute // MessageSystemAttributes
	trace      string      // the request's X-Amzn-Trace-Id, unless the message has its own
	group      *string
	dedup      *string
	delay      *int64 // seconds
}

// queueRules is what a queue asks of the messages sent to it.
type queueRules struct {
	ordered        bool
	dedupByContent bool
	bytesMax       int // body and attributes
}

const delaySecondsMax = 900

// check holds a message against all rules but those for its size and its
// attributes.
func (o *outgoing) check(q queueRules) error {
	if o.group != nil && !validID(*o.group) {
		return invalidParameter("MessageGroupId", *o.group, "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	if o.dedup != nil {
		if !validID(*o.dedup) {
			return invalidParameter("MessageDeduplicationId", *o.dedup, "MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.")
		}
		if !q.ordered {
			return invalidParameter("MessageDeduplicationId", *o.dedup, reasonQueueType)
		}
	}
	if o.delay != nil {
		switch d := *o.delay; {
		case d < 0 || d > delaySecondsMax:
			return invalidParameter("DelaySeconds", d, "DelaySeconds must be >= 0 and <= 900.")
		case d > 0 && q.ordered:
			return invalidParameter("DelaySeconds", d, reasonQueueType)
		}
	}
	return nil
}

// missing returns what a FIFO queue wants and the message has not. In a batch it
// fails the whole request.
func (o *outgoing) missing(q queueRules) error {
	switch {
	case !q.ordered:
		return nil
	case o.group == nil:
		return missingParameter("MessageGroupId")
	case o.dedup == nil && !q.dedupByContent:
		return invalidValue("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	}
	return nil
}

// bytes is the message's size: system attributes do not count.
func (o *outgoing) bytes() int {
	size := len(o.body)
	for i := range o.attributes {
		size += o.attributes[i].bytes()
	}
	return size
}

// dedupID is the deduplication id: the one given, or on a queue that
// deduplicates by content the SHA-256 of the body.
func (o *outgoing) dedupID(q queueRules) string {
	switch {
	case o.dedup != nil:
		return *o.dedup
	case !q.ordered || !q.dedupByContent:
		return ""
	}
	sum := sha256.Sum256(o.body)
	return hex.EncodeToString(sum[:])
}

// checkAttributes holds message attributes against the rules for them.
func checkAttributes(attributes []attribute) error {
	if len(attributes) > attributesMax {
		return invalidValue("Number of message attributes [%d] exceeds the allowed maximum [%d].", len(attributes), attributesMax)
	}
	for i := range attributes {
		a := &attributes[i]
		if !validAttributeName(a.name) {
			return invalidValue("Message (user) attribute name '%s' is invalid. A name has 1 to 256 letters, digits, periods, "+
				"hyphens and underscores, no period at either end or beside another, and does not begin with 'AWS.' or 'Amazon.'.", clip(a.name))
		}
		if a.reserved() && a.name != attributeEncoding && a.name != attributeKey && a.name != attributeHeaders {
			return invalidValue("Message (user) attribute name '%s' is invalid. Names that begin with 'naru.' are reserved.", clip(a.name))
		}
		for j := range i {
			if attributes[j].name == a.name {
				return invalidValue("Message (user) attribute name '%s' appears more than once.", a.name)
			}
		}
		if err := a.checkValue(); err != nil {
			return err
		}
	}
	return nil
}

// reserved reports whether the attribute is one that stands for something else
// than a header.
func (a *attribute) reserved() bool { return strings.HasPrefix(a.name, reservedPrefix) }

func (a *attribute) checkValue() error {
	basic := basicType(a.dataType)
	switch {
	case basic == "":
		return invalidValue("The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: "+
			"Binary, Number, String.", a.name)
	case len(a.value) == 0:
		return invalidValue("Message (user) attribute '%s' must contain a non-empty value of type '%s'.", a.name, a.dataType)
	case basic == typeString && !validText(a.value):
		return invalidValue("%s", invalidCharacters)
	case basic == typeNumber && !validNumber(string(a.value)):
		return invalidValue("Can't cast the value of message (user) attribute '%s' to a number.", a.name)
	}
	return nil
}

const attributeTrace = "AWSTraceHeader"

// checkSystem takes the one system attribute that can be sent.
func (o *outgoing) checkSystem() error {
	for i := range o.system {
		a := &o.system[i]
		if a.name != attributeTrace {
			return invalidParameter("MessageSystemAttributeName", clip(a.name), "Message system attribute name must be AWSTraceHeader.")
		}
		if err := a.checkValue(); err != nil {
			return err
		}
		if a.dataType != typeString {
			return invalidValue("The type of message system attribute 'AWSTraceHeader' must be 'String'.")
		}
		o.trace = string(a.value)
	}
	if !validText(o.trace) {
		o.trace = ""
	}
	return nil
}

// stored is what a message becomes in the log.
type stored struct {
	key, value []byte
	headers    []record.HeaderField
}

// store maps the message to a record, after all checks but those of the body and
// of the attributes that stand for something else. It is the reverse of messageOf.
func (o *outgoing) store(q queueRules) (stored, error) {
	var encoding, key, extra []byte
	for i := range o.attributes {
		a := &o.attributes[i]
		if !a.reserved() {
			continue
		}
		if a.dataType != typeString {
			return stored{}, invalidValue("Message (user) attribute '%s' must be of type 'String'.", a.name)
		}
		switch a.name {
		case attributeEncoding:
			encoding = a.value
		case attributeKey:
			key = a.value
		case attributeHeaders:
			extra = a.value
		}
	}
	s := stored{value: o.body}
	var err error
	if s.value, err = decodeBody(o.body, encoding); err != nil {
		return stored{}, err
	}
	if extra != nil {
		if s.headers, err = decodePieces(extra); err != nil {
			return stored{}, invalidValue("Message (user) attribute '%s' cannot be read: %v.", attributeHeaders, err)
		}
	}
	s.headers = appendHeaders(s.headers, o.attributes)
	if o.trace != "" {
		s.headers = append(s.headers, record.HeaderField{Key: headerTrace, Value: []byte(o.trace)})
	}
	if o.group != nil {
		s.key = []byte(*o.group)
	}
	if key != nil {
		return s, o.storeKey(&s, key, q)
	}
	return s, nil
}

// storeKey stores a key that is given beside the group.
func (o *outgoing) storeKey(s *stored, text []byte, q queueRules) error {
	key, err := decodeKey(text)
	if err != nil {
		return invalidValue("Message (user) attribute '%s' cannot be read: %v.", attributeKey, err)
	}
	group := groupOfKey(key)
	switch {
	case o.group == nil || *o.group == group:
	case q.ordered:
		return invalidParameter("MessageGroupId", *o.group, "The group of the key in '"+attributeKey+"' is "+group+".")
	default:
		s.headers = append(s.headers, record.HeaderField{Key: headerGroup, Value: []byte(*o.group)})
	}
	s.key = key
	return nil
}

// decodeBody returns the value that a body stands for. Bodies without any
// encoding are the value.
func decodeBody(body, encoding []byte) ([]byte, error) {
	switch e := string(encoding); {
	case (e == encodingNull || e == encodingEmpty) && len(body) > 0:
		return nil, invalidValue("A body whose '%s' is '%s' must be empty.", attributeEncoding, e)
	case e == encodingNull:
		return nil, nil
	case e == encodingEmpty:
		return []byte{}, nil
	case len(body) == 0:
		return nil, missingParameter("MessageBody")
	case !validText(body):
		return nil, invalidContents()
	case e == "":
		return body, nil
	case e != encodingBase64:
		return nil, invalidValue("Message (user) attribute '%s' must be one of base64, empty and null.", attributeEncoding)
	}
	value, err := decodeBase64(body)
	if err != nil {
		return nil, invalidValue("The body is not base64, as '%s' says: %v.", attributeEncoding, err)
	}
	return value, nil
}
