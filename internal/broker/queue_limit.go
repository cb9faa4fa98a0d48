package broker

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// ErrQueueFull: the queue is as long as it may be.
var ErrQueueFull = fault.New(fault.ResourceExhausted, "the queue is full")

// eager tells whether the queue is looked after though nobody waits for a message:
// what is too much, and what expires, becomes a dead letter when it does, or nothing
// if there is no place for dead letters.
func (q *openQueue) eager() bool {
	s := &q.Meta().Settings
	return !s.Stream && (s.ExpireUnwaited || s.LengthMax != 0 || s.BytesMax != 0 || s.DeadLetterExpired && (s.Retention > 0 || q.expiring.Load()))
}

// tend gives up what is too much or has expired. Caller holds mu.
func (q *openQueue) tend() {
	s, now := &q.Meta().Settings, q.b.nowMS()
	for {
		if err := q.load(now); err != nil {
			q.b.log.Warn("queue cannot be read", "queue", q.Meta().Name, "err", err)
			return
		}
		wanted := q.wanted()
		if s.Overflow == catalog.OverflowDropHead && !wanted {
			n, bytes := q.excess(s)
			if n > 0 || bytes > 0 {
				q.t.log.Read(func() { q.core.DropHead(n, bytes) })
			}
		}
		if s.ExpireUnwaited && !wanted {
			q.t.log.Read(func() { q.core.GiveUpReady(queue.ReasonExpired) })
		}
		if q.buryDead() == 0 {
			return
		}
	}
}

// wantedMax is how much of what is ready is for those who are about to receive: they may be slower than those who send.
const wantedMax = 10_000

// wanted tells whether all that is ready is for those who are about to receive; see Queue.Expect.
func (q *openQueue) wanted() bool {
	if q.handle.expected.Load() == 0 {
		return false
	}
	loaded, _ := q.core.Size()
	return int64(loaded)+q.loadable() <= wantedMax
}

// excess is how many messages and bytes are ready beyond what may be.
func (q *openQueue) excess(s *catalog.QueueSettings) (n int, bytes int64) {
	loaded, size := q.core.Size()
	return int(max(0, int64(loaded)+q.loadable()-bound(s.LengthMax))), max(0, size-bound(s.BytesMax))
}

// bound is the most that a setting allows.
func bound(n int64) int64 {
	switch n {
	case 0:
		return math.MaxInt64
	case catalog.BoundNothing:
		return 0
	}
	return n
}

// full tells whether the queue does not take a message of so many bytes.
func (q *openQueue) full(bytes int) bool {
	s := &q.Meta().Settings
	if s.Overflow == catalog.OverflowDropHead || s.LengthMax == 0 && s.BytesMax == 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.load(q.b.nowMS()); err != nil {
		return false
	}
	loaded, size := q.core.Size()
	return int64(loaded)+q.loadable()+q.taken.Load() >= bound(s.LengthMax) || size+int64(bytes) > bound(s.BytesMax)
}

// countsTaken tells whether messages on their way count for the queue's length.
func (q *openQueue) countsTaken() bool {
	return q.Meta().Settings.Overflow != catalog.OverflowDropHead
}

// refuseFull refuses a message, and makes it a dead letter if it shall be one.
func (q *openQueue) refuseFull(m *Message) error {
	if s := &q.Meta().Settings; s.Overflow == catalog.OverflowRejectDeadLetter && s.DeadLetterRoute != nil {
		rec := record.Record{Key: m.Key, Value: m.Value, Headers: m.Headers, Timestamp: q.b.nowMS()}
		q.publishDead(rec, exchange.MaxLength, m.Lane, func(err error) {
			if err != nil {
				q.b.log.Warn("dead letter lost", "queue", q.Meta().Name, "err", err)
			}
		})
	}
	return fmt.Errorf("%w: %s", ErrQueueFull, q.Meta().Name)
}

var deathReasons = map[queue.Reason]exchange.Reason{
	queue.ReasonAttempts: exchange.DeliveryLimit, queue.ReasonExpired: exchange.Expired,
	queue.ReasonRejected: exchange.Rejected, queue.ReasonLength: exchange.MaxLength,
}

// DeathsOf reads a record's history as a dead letter; none if it has none.
func DeathsOf(headers []record.HeaderField) (d exchange.Deaths) {
	if b, ok := headerValue(headers, HeaderDeaths); ok && json.Unmarshal(b, &d) != nil {
		return exchange.Deaths{}
	}
	return d
}

// headerExpiration has what the message's sender asked for; it is for its first queue.
const headerExpiration = "amqp.expiration"

// headerMoreKeys is how the message's sender said HeaderMoreKeys.
const (
	headerMoreKeys     = "CC"
	headerMoreKeysType = "naru.type:CC"
)

// userName is what the queue's users call it.
func (q *openQueue) userName() string {
	meta := q.Meta()
	if name, ok := meta.Labels[LabelName]; ok {
		return name
	}
	return meta.Name
}

// publishDead publishes a dead letter to where the queue's dead letters go. done is
// called once. It goes to no queue where it has been, and in a circle since.
func (q *openQueue) publishDead(rec record.Record, why exchange.Reason, lane int32, done func(error)) {
	to := q.Meta().Settings.DeadLetterRoute
	from, _ := headerValue(rec.Headers, HeaderExchange)
	key, _ := headerValue(rec.Headers, HeaderRoutingKey)
	expiration, _ := headerValue(rec.Headers, headerExpiration)
	var more []string
	if b, ok := headerValue(rec.Headers, HeaderMoreKeys); ok && json.Unmarshal(b, &more) != nil {
		more = nil
	}
	deaths := DeathsOf(rec.Headers).Record(exchange.Death{
		Queue: q.userName(), Reason: why, Exchange: string(from), RoutingKeys: append([]string{string(key)}, more...),
		TimeMillis: q.b.nowMS(), OriginalExpiration: string(expiration),
	})
	history, err := json.Marshal(deaths)
	if err != nil {
		done(err)
		return
	}
	next := string(key)
	if to.Key != nil {
		next, more = *to.Key, nil
	}
	headers := make([]record.HeaderField, 0, len(rec.Headers)+3)
	for _, h := range rec.Headers {
		switch h.Key {
		case HeaderDue, HeaderExpires, HeaderDeaths, HeaderExchange, HeaderRoutingKey, headerExpiration:
		case HeaderMoreKeys, headerMoreKeys, headerMoreKeysType:
			if to.Key == nil { // else there are none
				headers = append(headers, h)
			}
		default:
			headers = append(headers, h)
		}
	}
	headers = append(headers, record.HeaderField{Key: HeaderDeaths, Value: history},
		record.HeaderField{Key: HeaderExchange, Value: []byte(to.Exchange)}, record.HeaderField{Key: HeaderRoutingKey, Value: []byte(next)})
	msg := Message{Key: rec.Key, Value: rec.Value, Headers: headers, Lane: lane, Delay: -1}
	q.b.publishLetter(letter{to.Namespace, to.Exchange, next, more, msg}, done)
}
