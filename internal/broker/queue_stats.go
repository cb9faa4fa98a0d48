package broker

import (
	"time"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// Stats implements queueBackend.
func (q *openQueue) Stats() QueueStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.isStream() {
		return QueueStats{Ready: q.streamLength(), Sent: q.sent.Load()}
	}
	now := q.b.nowMS()
	if q.eager() && q.closed == nil {
		q.tend() // what is too much does not count
		q.arm()
		q.write()
	} else if q.loadable() <= statsLoadMax {
		q.load(now) // so that what is delayed is known as such
	}
	var st queue.Stats
	q.t.log.Read(func() { st = q.core.Stats() })
	out := QueueStats{
		Ready: int64(st.Ready), InFlight: int64(st.InFlight), Delayed: int64(st.Delayed), Sent: q.sent.Load(),
		Received: st.Received, Redelivered: st.Redelivered, Acked: st.Acked, DeadLettered: st.DeadLettered, Expired: st.Expired,
	}
	out.Ready += q.loadable()
	oldest := int64(0)
	for i := range q.parts {
		if at := q.oldest(queue.Source(i)); at > 0 && (oldest == 0 || at < oldest) {
			oldest = at
		}
	}
	if oldest > 0 {
		out.OldestAge = time.Duration(max(0, now-oldest)) * time.Millisecond
	}
	return out
}

// statsLoadMax is how many records are loaded in order to count them: many queues
// that nobody receives from may be counted often.
const statsLoadMax = 1_000

// loadable is how many records were not looked at yet. Caller holds mu.
func (q *openQueue) loadable() (n int64) {
	for i := range q.parts {
		n += q.loadableOf(i)
	}
	return n
}

// oldest is when the first message of s that is not done was sent, milliseconds;
// 0 if there is none. Caller holds mu.
func (q *openQueue) oldest(s queue.Source) int64 {
	p := q.parts[s]
	var floor record.Offset
	q.t.log.Read(func() { floor = q.ledger.Floor(s) })
	floor = max(floor, p.LogStart())
	if floor >= p.HighWatermark() {
		return 0
	}
	if at, ok := q.core.SentAt(s, floor); ok {
		return at
	}
	slice, err := p.Read(floor, 1, true)
	if err != nil || len(slice.Payloads) == 0 {
		return 0
	}
	defer slice.Release()
	h, err := record.ParseHeader(slice.Payloads[0])
	if err != nil {
		return 0
	}
	return h.BaseTimestamp
}
