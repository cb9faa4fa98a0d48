package amqp

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Record headers that stand for properties. On disk: never rename. Those that other protocols know too have names of
// their own: reply-to and correlation-id are the broker's.
const (
	headerContentType     = "content-type"
	headerContentEncoding = "amqp.content-encoding"
	headerDeliveryMode    = "amqp.delivery-mode"
	headerPriority        = "amqp.priority"
	headerExpiration      = "amqp.expiration"
	headerMessageID       = "amqp.message-id"
	headerTimestamp       = "amqp.timestamp"
	headerType            = "amqp.type"
	headerUserID          = "amqp.user-id"
	headerAppID           = "amqp.app-id"
	headerClusterID       = "amqp.cluster-id"

	// headerEscape begins the name of a header whose own name means something else in a record.
	headerEscape = "amqp.header."
	headerTyped  = "naru.type:" // and a header's name: the kind of its value, if that is no text. No name: there was an empty table
	reservedAMQP = "amqp."
	reservedNaru = "naru."
)

// Headers by which a message says where else it goes.
const (
	headerCC  = "CC"
	headerBCC = "BCC"
)

// kindTexts are the values of headerTyped.
var kindTexts = func() (t [256][]byte) {
	for i := range t {
		t[i] = []byte{byte(i)}
	}
	return t
}()

// text copies s to where the publication's record finds it.
func (p *publication) text(s string) []byte {
	at := len(p.scratch)
	p.scratch = append(p.scratch, s...)
	return p.scratch[at:len(p.scratch):len(p.scratch)]
}

func (p *publication) number(n uint64) []byte {
	at := len(p.scratch)
	p.scratch = strconv.AppendUint(p.scratch, n, 10)
	return p.scratch[at:len(p.scratch):len(p.scratch)]
}

func (p *publication) add(key string, value []byte) {
	p.headers = append(p.headers, record.HeaderField{Key: key, Value: value})
}

// prepare makes the record and what routing looks at. The error is the client's.
func (p *publication) prepare() error {
	p.m.Key, p.m.CC, p.m.BCC = p.key, p.m.CC[:0], p.m.BCC[:0]
	p.scratch, p.headers = p.scratch[:0], p.headers[:0]
	if p.exchange != exchange.Default {
		p.add(broker.HeaderExchange, p.text(p.exchange))
	}
	p.add(broker.HeaderRoutingKey, p.text(p.key))
	p.msg = broker.Message{Value: p.body, Delay: -1}
	if p.msg.Value == nil {
		p.msg.Value = []byte{}
	}
	x := &p.props
	p.texts(x)
	if x.Has&wire.HasUserID != 0 && x.UserID != p.ch.c.user && !p.ch.c.access.Load().user.HasTag(user.TagImpersonator) {
		return failedPrecondition("user_id property set to '%s' but authenticated user was '%s'", x.UserID, p.ch.c.user)
	}
	if x.Has&wire.HasDeliveryMode != 0 {
		p.add(headerDeliveryMode, p.number(uint64(x.DeliveryMode)))
	}
	if x.Has&wire.HasPriority != 0 {
		p.add(headerPriority, p.number(uint64(x.Priority)))
		p.msg.Lane = int32(x.Priority)
	}
	if x.Has&wire.HasTimestamp != 0 {
		p.add(headerTimestamp, p.number(x.Timestamp))
	}
	if x.Has&wire.HasExpiration != 0 {
		ms, err := strconv.ParseUint(x.Expiration, 10, 63)
		if err != nil {
			return failedPrecondition("invalid expiration '%s': not a number of milliseconds", x.Expiration)
		}
		if ms > expiresMax {
			return failedPrecondition("invalid expiration '%s': {value_too_big,%d}", x.Expiration, ms)
		}
		p.msg.Expiry = ttlOf(int64(ms))
	}
	err := p.table(x.Headers)
	p.msg.Headers = p.headers
	return err
}

func (p *publication) texts(x *wire.Properties) {
	for _, t := range [...]struct {
		has   wire.PropertyFlags
		key   string
		value string
	}{
		{wire.HasContentType, headerContentType, x.ContentType},
		{wire.HasContentEncoding, headerContentEncoding, x.ContentEncoding},
		{wire.HasCorrelationID, broker.HeaderCorrelation, x.CorrelationID},
		{wire.HasReplyTo, broker.HeaderReplyTo, x.ReplyTo},
		{wire.HasExpiration, headerExpiration, x.Expiration},
		{wire.HasMessageID, headerMessageID, x.MessageID},
		{wire.HasType, headerType, x.Type},
		{wire.HasUserID, headerUserID, x.UserID},
		{wire.HasAppID, headerAppID, x.AppID},
		{wire.HasClusterID, headerClusterID, x.ClusterID},
	} {
		if x.Has&t.has != 0 {
			p.add(t.key, p.text(t.value))
		}
	}
}

// table adds the headers, each after its kind if that cannot be told from its value.
func (p *publication) table(t wire.Table) error {
	if p.props.Has&wire.HasHeaders != 0 && t.Empty() {
		p.add(headerTyped, kindTexts[wire.KindTable])
	}
	history := p.addDeaths(t)
	for name, v := range t.All() {
		if history && isDeathHeader(name) {
			continue
		}
		switch name {
		case headerCC, headerBCC:
			list := &p.m.CC
			if name == headerBCC {
				list = &p.m.BCC
			}
			a, ok := v.Array()
			if !ok {
				return failedPrecondition("invalid message: {unacceptable_type_in_header,\"%s\",%s}", name, typeName(v.Kind()))
			}
			for e := range a.All() {
				if key, ok := e.Text(); ok {
					*list = append(*list, key)
				}
			}
			if name == headerBCC {
				continue // nobody sees it
			}
		}
		key := recordKey(name)
		if name == headerCC {
			if b, err := json.Marshal(p.m.CC); err == nil {
				p.add(broker.HeaderMoreKeys, b)
			}
		}
		value := fieldText(v)
		if k := v.Kind(); k != wire.KindString || !utf8.ValidString(value) {
			p.add(headerTyped+key, kindTexts[k])
		}
		p.add(key, p.text(value))
	}
	return nil
}

// recordKey is the name of a header in a record.
func recordKey(name string) string {
	if name == headerContentType || strings.HasPrefix(name, reservedAMQP) || strings.HasPrefix(name, reservedNaru) {
		return headerEscape + name
	}
	return name
}

// header is what routing asks for.
func (p *publication) header(name string) (exchange.Value, bool) {
	v, ok := p.props.Headers.Get(name)
	if !ok {
		return exchange.Value{}, false
	}
	return valueOf(v), true
}
