package kafka

import (
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// fetchPart is one partition that a client fetches from.
type fetchPart struct {
	topic string    // as the client names it: by name,
	id    wire.UUID // or by id
	index int32
	slot  int

	offset    record.Offset
	bytesMax  int
	epoch     int32 // that the client believes in
	lastEpoch int32 // of the last record it has

	part     *broker.Partition // nil while there is none
	watched  bool
	code     int16 // what is wrong
	avail    int   // bytes to read, up to bytesMax
	diverges bool

	toldHigh, toldStart record.Offset // what the client was told last; -1: nothing

	queued bool // in set.queue
	found  bool // in fetching.found
	turned bool // in fetching.back
	gone   bool // forgotten
}

// untold says whether the client does not know where the log begins and ends.
func (p *fetchPart) untold() bool {
	return p.diverges || p.part != nil && (p.toldHigh != p.part.HighWatermark() || p.toldStart != p.part.LogStart())
}

// fetchKey is how a client names a partition.
type fetchKey struct {
	topic string
	id    wire.UUID
	index int32
}

// fetchSet are the partitions of one session, or of one request without.
//
// Those that may have something to tell are queued: after the client changed
// what it wants of them, after there was news (the waiter's dirty tokens are
// slots), and while they had more than the last answer took. All others cost a
// fetch nothing.
type fetchSet struct {
	parts  []*fetchPart // by slot; a session's may have holes
	holes  []int
	byKey  map[fetchKey]*fetchPart // nil without a session
	queue  []*fetchPart
	spare  []*fetchPart   // the other queue
	waiter *broker.Waiter // nil while nothing is watched
	dirty  []int
}

// newFetchSet returns a set that is watched from the start.
func newFetchSet() *fetchSet {
	return &fetchSet{byKey: map[fetchKey]*fetchPart{}, waiter: broker.NewWaiter()}
}

func (set *fetchSet) len() int { return len(set.parts) - len(set.holes) }

// update takes what the client wants of some partitions.
func (set *fetchSet) update(topics []wire.FetchRequestFetchTopic, byID bool) {
	for i := range topics {
		t := &topics[i]
		key := fetchKey{topic: t.Topic, id: t.TopicId}
		if byID {
			key.topic = ""
		}
		for j := range t.Partitions {
			q := &t.Partitions[j]
			key.index = q.Partition
			p := set.byKey[key]
			if p == nil {
				p = set.insert(key)
			}
			p.offset, p.bytesMax = record.Offset(q.FetchOffset), max(0, int(q.PartitionMaxBytes))
			p.epoch, p.lastEpoch = q.CurrentLeaderEpoch, q.LastFetchedEpoch
			set.enqueue(p)
		}
	}
}

func (set *fetchSet) insert(key fetchKey) *fetchPart {
	p := &fetchPart{topic: key.topic, id: key.id, index: key.index, toldHigh: -1, toldStart: -1}
	if n := len(set.holes); n > 0 {
		p.slot, set.holes = set.holes[n-1], set.holes[:n-1]
		set.parts[p.slot] = p
	} else {
		p.slot = len(set.parts)
		set.parts = append(set.parts, p)
	}
	if set.byKey != nil {
		set.byKey[key] = p
	}
	return p
}

// forget takes partitions out of the set.
func (set *fetchSet) forget(topics []wire.FetchRequestForgottenTopic, byID bool) {
	for i := range topics {
		t := &topics[i]
		key := fetchKey{topic: t.Topic, id: t.TopicId}
		if byID {
			key.topic = ""
		}
		for _, key.index = range t.Partitions {
			p := set.byKey[key]
			if p == nil {
				continue
			}
			set.point(p, nil, false)
			p.gone = true
			delete(set.byKey, key)
			set.parts[p.slot] = nil
			set.holes = append(set.holes, p.slot)
		}
	}
}

// enqueue puts a partition last in the queue.
func (set *fetchSet) enqueue(p *fetchPart) {
	if !p.queued && !p.found {
		p.queued = true
		set.queue = append(set.queue, p)
	}
}

// shift drops the first n of the queue.
func (set *fetchSet) shift(n int) {
	rest := copy(set.queue, set.queue[n:])
	clear(set.queue[rest:])
	set.queue = set.queue[:rest]
}

// point makes p stand for that partition, nil for none. One that is here is watched if
// the set is; of one that is not there is nothing to wait for.
func (set *fetchSet) point(p *fetchPart, part *broker.Partition, here bool) {
	if p.watched && (p.part != part || !here) {
		p.part.Unwatch(set.waiter, p.slot)
		p.watched = false
	}
	p.part = part
	if here && part != nil && !p.watched && set.waiter != nil {
		part.Watch(set.waiter, p.slot)
		p.watched = true
	}
}

// watch begins to watch a set that was not.
func (set *fetchSet) watch() {
	set.waiter = broker.NewWaiter()
	for _, p := range set.parts {
		set.point(p, p.part, p.code == codeNone)
	}
}

// close ends the watches.
func (set *fetchSet) close() {
	for _, p := range set.parts {
		if p != nil && p.watched {
			p.part.Unwatch(set.waiter, p.slot)
			p.watched = false
		}
	}
	set.waiter = nil
}
