package kafka

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// Fetch (1), versions 4-18.
//
// Behaviour: batches as they are stored, whole, the first of which may begin
// before the offset asked for. An answer waits until min_bytes are there, an
// error is, or max_wait is over. The first batch comes even if it is larger than
// every limit (KIP-74); after it, max_bytes and the partition's own limit hold.
// Incremental sessions (KIP-227) take turns among their partitions and cost what
// has news, not what they hold (see fetch_set.go). Topics are named by id from
// version 13 on (KIP-516). Leader epochs are checked (KIP-320). A partition that
// another broker has, also one that goes there while the answer waits, is
// NOT_LEADER_OR_FOLLOWER, from version 16 on with its leader (KIP-951).
//
// Deviations: there are no followers: replica ids, directory ids and racks are
// not looked at, and every record's epoch is 0. Read committed is the same as
// read uncommitted: there are no transactions. A moved log start alone is told
// with the partition's next answer. A session that is in use by one connection
// is INVALID_FETCH_SESSION_EPOCH for another.
var _ = serve(wire.KeyFetch, fetch)

// Session epochs with a meaning (KIP-227); on the wire: never renumber.
const (
	epochFull  int32 = 0  // all partitions are named; make a session
	epochFinal int32 = -1 // all partitions are named; no session
)

const readCommitted int8 = 1

// fetching is one fetch request on its way.
type fetching struct {
	call    *call
	s       *Server
	set     *fetchSet
	session *session // nil: none
	full    bool     // the answer names every partition
	version int16
	aborted []wire.FetchResponseAbortedTransaction

	bytesMin, bytesMax int
	waitUntil          time.Time

	found  []*fetchPart // those with something to tell, in turn
	total  int          // bytes that they have
	urgent bool         // do not wait

	resp    wire.FetchResponse
	topics  []wire.FetchResponseFetchableTopicResponse
	parts   []wire.FetchResponsePartitionData
	slices  []broker.Slice
	back    []*fetchPart // have had their turn
	bytes   int          // of records in the answer
	granted int          // taken from the server's fetch memory

	reserved int // partitions that are held without a session

	leaders leaders // of partitions that are not here

	sentFunc, waitFunc func() // made once
	timer              *time.Timer
}

var fetchings sync.Pool

func newFetching() *fetching {
	f, ok := fetchings.Get().(*fetching)
	if !ok {
		f = new(fetching)
		f.sentFunc, f.waitFunc = f.sent, f.wait
	}
	return f
}

func fetch(c *call, q *wire.FetchRequest) {
	s := c.conn.s
	f := newFetching()
	f.call, f.s, f.version = c, s, c.version
	f.bytesMax = max(1, min(int(q.MaxBytes), s.limits.FetchBytesMax))
	f.bytesMin = min(int(q.MinBytes), f.bytesMax)
	if q.IsolationLevel == readCommitted {
		f.aborted = []wire.FetchResponseAbortedTransaction{}
	}
	code, err := f.begin(q)
	if err != nil {
		f.call = nil
		f.sent()
		c.fail(err)
		return
	}
	if code != codeNone {
		c.note(code)
		f.resp = wire.FetchResponse{ErrorCode: code}
		f.end(&f.resp)
		return
	}
	f.news()
	f.collect()
	if f.enough() || q.MaxWaitMs <= 0 || f.set.len() == 0 {
		f.complete()
		return
	}
	f.waitUntil = c.began.Add(milliseconds(q.MaxWaitMs))
	c.wait = f.waitFunc
}

var errFetchPartitions = errors.New("too many partitions are being fetched")

// begin finds the partitions that the request is about. An error closes the
// connection.
func (f *fetching) begin(q *wire.FetchRequest) (code int16, err error) {
	byID := f.version >= 13
	id, epoch := q.SessionId, q.SessionEpoch
	if f.version < 7 {
		id, epoch = 0, epochFinal
	}
	if epoch == epochFull || epoch == epochFinal {
		f.full = true
		f.s.sessions.remove(id)
		n := partitionsIn(q)
		if epoch == epochFull {
			f.session = f.s.sessions.create(n, byID, time.Now())
		}
		if f.session != nil {
			f.set = f.session.set
		} else if f.set = new(fetchSet); f.s.sessions.reserve(n) {
			f.reserved = n
		} else {
			return codeNone, fmt.Errorf("%w: %d more", errFetchPartitions, n)
		}
		f.set.update(q.Topics, byID)
		return codeNone, nil
	}
	session, code := f.s.sessions.take(id, epoch, byID)
	if code != codeNone {
		return code, nil
	}
	f.session, f.set = session, session.set
	before := f.set.len()
	f.set.update(q.Topics, byID)
	f.set.forget(q.ForgottenTopicsData, byID)
	return f.s.sessions.resized(session, f.set.len()-before), nil
}

func partitionsIn(q *wire.FetchRequest) int {
	n := 0
	for i := range q.Topics {
		n += len(q.Topics[i].Partitions)
	}
	return n
}

func (f *fetching) enough() bool { return f.urgent || f.total >= f.bytesMin }

// news queues the partitions that got records.
func (f *fetching) news() {
	set := f.set
	if set.waiter == nil {
		return
	}
	set.dirty = set.waiter.Dirty(set.dirty[:0])
	for _, slot := range set.dirty {
		if slot >= len(set.parts) || set.parts[slot] == nil {
			continue // forgotten since
		}
		p := set.parts[slot]
		if !p.found {
			set.enqueue(p)
			continue
		}
		f.total -= p.avail
		f.look(p)
	}
}

// collect looks at the queued partitions in turn, until there is enough for the
// whole answer.
func (f *fetching) collect() {
	set := f.set
	i := 0
	for ; i < len(set.queue) && (f.full || f.total < f.bytesMax); i++ {
		p := set.queue[i]
		p.queued = false
		if p.gone {
			continue
		}
		f.look(p)
		if p.code != codeNone || p.avail > 0 || p.untold() {
			p.found = true
			f.found = append(f.found, p)
		}
	}
	set.shift(i)
}

// look sees what a partition has to tell.
func (f *fetching) look(p *fetchPart) {
	p.probe(f.s, f.set, f.version)
	if p.code != codeNone || p.diverges {
		f.urgent = true
	}
	f.total += p.avail
}

// wait is the long poll; it runs in the connection's writer.
func (f *fetching) wait() {
	if f.timer == nil {
		f.timer = time.NewTimer(time.Until(f.waitUntil))
	} else {
		f.timer.Reset(time.Until(f.waitUntil))
	}
	defer f.timer.Stop()
	set := f.set // end lets go of it
	if set.waiter == nil {
		// No session: the partitions are watched only now, so look again.
		set.watch()
		defer set.close()
		for _, p := range f.found {
			f.total -= p.avail
			f.look(p)
		}
	}
	conn := f.call.conn
	for !f.enough() {
		select {
		case <-set.waiter.C():
			f.news()
			f.collect()
			continue
		case <-f.timer.C:
		case <-f.s.draining:
		case <-conn.ctx.Done():
			f.end(nil)
			return
		}
		break
	}
	f.complete()
}

// complete reads what there is and answers.
func (f *fetching) complete() {
	f.resp = wire.FetchResponse{}
	if f.session != nil && f.set.len() > 0 {
		f.resp.SessionId = f.session.id
	}
	f.settle()
	f.read()
	f.resp.Responses, f.resp.NodeEndpoints = f.topics, f.endpoints()
	f.end(&f.resp)
}

// end gives the session back and finishes the call.
func (f *fetching) end(resp wire.Response) {
	if f.set != nil {
		f.requeue()
	}
	if f.session != nil {
		f.s.sessions.give(f.session)
	}
	f.session, f.set = nil, nil
	if f.reserved > 0 {
		f.s.sessions.reserve(-f.reserved)
		f.reserved = 0
	}
	c := f.call
	c.sent = f.sentFunc
	c.finish(resp)
}

// sent gives everything back once the answer was written or dropped.
func (f *fetching) sent() {
	for i := range f.slices {
		f.slices[i].Release()
	}
	f.s.fetchMemory.adjust(-f.granted)
	clear(f.slices)
	clear(f.parts)
	clear(f.topics)
	clear(f.found)
	clear(f.back)
	*f = fetching{
		slices: f.slices[:0], parts: f.parts[:0], topics: f.topics[:0], found: f.found[:0], back: f.back[:0],
		sentFunc: f.sentFunc, waitFunc: f.waitFunc, timer: f.timer,
	}
	fetchings.Put(f)
}
