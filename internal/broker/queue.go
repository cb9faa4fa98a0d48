package broker

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// ErrQueueClosed: the broker is stopping.
var ErrQueueClosed = fault.New(fault.Unavailable, "the broker is stopping")

// Queue is a queue of the catalog, wherever its home is: it is a handle, which stays the
// same from the queue's making to its end, while its home's slot comes and goes.
//
// What is said of errors below holds for all that has an error: ErrNotOwner, which is
// passing, where nobody has the queue at the moment.
type Queue struct {
	b    *Broker
	id   uint64
	meta atomic.Pointer[catalog.Queue]
	at   atomic.Pointer[queueAt]
	away asker       // of sends, while the queue is elsewhere
	gone atomic.Bool // it was deleted

	expected atomic.Int32 // receives that are about to come
}

// queueAt is where a queue is.
type queueAt struct{ queueBackend }

func newQueue(b *Broker, meta *catalog.Queue) *Queue {
	q := &Queue{b: b, id: meta.ID}
	q.meta.Store(meta)
	q.away.b, q.away.slot = b, q.home()
	q.move(newRemoteQueue(q))
	return q
}

// home is the slot that has the queue's state.
func (q *Queue) home() journal.SlotID { return q.b.homeOf(q.Meta().Name) }

func (q *Queue) backend() queueBackend { return q.at.Load().queueBackend }

// move says where the queue is from now on.
func (q *Queue) move(to queueBackend) { q.at.Store(&queueAt{to}) }

// local is a queue that is open here; else nil.
func (q *Queue) local() *openQueue {
	here, _ := q.backend().(*openQueue)
	return here
}

// ended is why there will be nothing more.
func (q *Queue) ended() error {
	switch {
	case q.gone.Load():
		return ErrQueueDeleted
	case q.b.ctx.Err() != nil:
		return ErrQueueClosed
	}
	return nil
}

// Meta is the queue as the catalog has it now.
func (q *Queue) Meta() *catalog.Queue { return q.meta.Load() }

// sendsTo is where messages go now: behind those that wait for an owner.
func (q *Queue) sendsTo() queueBackend {
	if q.away.pending.Load() {
		return newRemoteQueue(q)
	}
	return q.backend()
}

// Send appends messages, in order. done is called once, when all of them are
// durable or refused, maybe before Send returns, else from the committer: it must
// be quick and must not block. Send may wait for room until ctx ends. What the
// messages hold is copied.
//
// Errors of single messages: ErrMessageTooLarge, ErrNoGroup, ErrNoDedupID, and
// those of Partition.Append.
func (q *Queue) Send(ctx context.Context, msgs []Message, done func([]Sent)) {
	q.SendOnce(ctx, nil, msgs, done)
}

// SendOnce is Send, but appends nothing that an earlier call with the same once
// has appended; nil is Send. Its messages get batches of their own.
func (q *Queue) SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent)) {
	to := q.sendsTo()
	if here, ok := to.(*openQueue); ok {
		here.SendOnce(ctx, once, msgs, done)
		return
	}
	to.SendOnce(ctx, once, slices.Clone(msgs), done) // so that msgs need not be on the heap
}

// forward is Send of a record that comes from another queue.
func (q *Queue) forward(rec *record.Record, lane int32, done func(Sent)) {
	q.sendsTo().Forward(rec, lane, done)
}

// Expect says that a Receive is about to come: until end is called, what is ready is not taken for what nobody waits for, or for
// too much, unless it is more than wantedMax messages. Between two receives of one who wants all there is, that would depend on
// who is quicker. Of a queue that is elsewhere it says nothing.
func (q *Queue) Expect() (end func()) {
	q.expected.Add(1)
	return func() {
		if here := q.local(); q.expected.Add(-1) == 0 && here != nil && here.eager() {
			here.poke()
		}
	}
}

// Receive leases up to req.Max messages. If there are none it waits as long as
// asked, and then returns none. Messages that were leased to a caller whose ctx
// ended are given back.
//
// Errors: ErrInFlightLimit, ErrQueueDeleted, ErrQueueClosed, ErrStream, those of the
// log, and of ctx.
func (q *Queue) Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error) {
	var end time.Time // of the wait
	for {
		from := q.at.Load()
		list, err := from.Receive(ctx, req)
		if !errors.Is(err, ErrNotOwner) || q.at.Load() == from {
			return list, err
		}
		if req.Wait < 0 {
			req.Wait = q.Meta().Settings.Wait
		}
		if end.IsZero() {
			end = time.Now().Add(req.Wait)
		}
		req.Wait = max(0, time.Until(end)) // it goes on where the queue is now
	}
}

// Ack ends deliveries for good. done is called once, when that is durable, with
// an outcome for each tag: nil, queue.ErrUnknownRecord, queue.ErrNotLeased, or a
// storage error, after which the leases are as before.
// tags stay untouched until then. Without done nobody waits: then it is durable with what
// else becomes so, or a few milliseconds later (journal.PatienceMax).
func (q *Queue) Ack(tags []queue.Tag, done func([]error)) { q.backend().Ack(tags, done) }

// Nack gives deliveries back: the messages are ready again after delay. done is
// called as soon as that holds.
func (q *Queue) Nack(tags []queue.Tag, delay time.Duration, done func([]error)) {
	q.backend().Nack(tags, delay, done)
}

// Reject gives up messages: they go to the dead-letter queue, if there is one, and
// else nowhere. done is called as soon as nobody gets them any more.
func (q *Queue) Reject(tags []queue.Tag, done func([]error)) { q.backend().Reject(tags, done) }

// Extend makes each lease end so long from now.
func (q *Queue) Extend(tags []queue.Tag, leases []time.Duration, done func([]error)) {
	q.backend().Extend(tags, leases, done)
}

// GiveBack releases deliveries that never reached anybody.
func (q *Queue) GiveBack(list []Delivery) { giveBack(q.backend(), list) }

func giveBack(q queueBackend, list []Delivery) {
	tags := make([]queue.Tag, len(list))
	for i := range list {
		tags[i] = list[i].Tag
	}
	q.Nack(tags, 0, func([]error) {})
}

// Peek returns messages from the head of each partition on that are not done,
// up to limit in all and no more once they have bytesMax, without leasing them.
func (q *Queue) Peek(limit, bytesMax int) ([]Delivery, error) {
	return q.backend().Peek(limit, bytesMax)
}

// Purge makes everything that is in the queue now done.
func (q *Queue) Purge() error { return q.backend().Purge() }

// PurgeReady is Purge but for what is in flight.
func (q *Queue) PurgeReady() error { return q.backend().PurgeReady() }

// Stats counts. Of a long queue, records that were not looked at yet count as
// ready; those of a stream are ready for ever.
func (q *Queue) Stats() QueueStats { return q.backend().Stats() }

// Counts are how many messages were delivered and acknowledged since the queue's owner
// took it. Unlike Stats it costs nothing.
func (q *Queue) Counts() (delivered, acked int64) { return q.backend().Counts() }

// AfterBurials calls done when the dead letters that are on their way to an exchange
// now have arrived, or are put off because they cannot.
func (q *Queue) AfterBurials(done func()) { q.backend().AfterBurials(done) }
