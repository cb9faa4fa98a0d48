package sqs

import (
	"context"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// sendOut answers one message.
type sendOut struct {
	Id                           string `json:",omitempty"` // in batches
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"` // on FIFO queues
}

// answer describes a message that was sent.
func (o *outgoing) answer(sent *broker.Sent, ordered bool) sendOut {
	out := sendOut{
		MessageId:                    sent.ID.String(),
		MD5OfMessageBody:             hexMD5(o.body),
		MD5OfMessageAttributes:       attributesMD5(o.attributes),
		MD5OfMessageSystemAttributes: attributesMD5(o.system),
	}
	if ordered {
		out.SequenceNumber = sequenceNumber(int64(sent.Offset))
	}
	return out
}

// sendMessage is SendMessage.
//
// Behaviour: answered when the message is durable. A duplicate is answered with
// the first one's id and sequence number.
// Deviations: naru.encoding, naru.key and naru.headers stand for what SQS has no
// place for, and other names that begin with naru. are refused. The form of a
// trace header is not checked.
func sendMessage(ctx context.Context, t *target, in *sendIn) (*sendOut, error) {
	o, err := in.outgoing(t.trace)
	if err != nil {
		return nil, err
	}
	if err := o.missing(t.rules); err != nil {
		return nil, err
	}
	m, err := o.message(t.rules, tooLong)
	if err != nil {
		return nil, err
	}
	sent, err := send(ctx, t.q, []broker.Message{m})
	if err == nil {
		err = sent[0].Err
	}
	if err != nil {
		return nil, err
	}
	out := o.answer(&sent[0], t.rules.ordered)
	return &out, nil
}

// sequenceBase makes sequence numbers of 20 digits out of offsets.
const sequenceBase = 10_000_000_000_000_000_000

func sequenceNumber(offset int64) string { return strconv.FormatUint(sequenceBase+uint64(offset), 10) }

// message makes o what the broker takes, or says what is wrong with it. tooLong
// is the problem of a message that is longer than the queue allows.
func (o *outgoing) message(q queueRules, tooLong func(bytesMax int) error) (broker.Message, error) {
	var none broker.Message
	if o.bytes() > q.bytesMax {
		return none, tooLong(q.bytesMax)
	}
	if err := o.check(q); err != nil {
		return none, err
	}
	if err := checkAttributes(o.attributes); err != nil {
		return none, err
	}
	if err := o.checkSystem(); err != nil {
		return none, err
	}
	s, err := o.store(q)
	if err != nil {
		return none, err
	}
	m := broker.Message{Key: s.key, Value: s.value, Headers: s.headers, DedupID: o.dedupID(q), Delay: -1}
	if o.delay != nil && !q.ordered {
		m.Delay = time.Duration(*o.delay) * time.Second
	}
	return m, nil
}

func tooLong(bytesMax int) error {
	return invalidValue("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", bytesMax)
}

func entryTooLong(bytesMax int) error {
	return invalidValue("One or more parameters cannot be validated. Reason: Message must be shorter than %d bytes.", bytesMax)
}
