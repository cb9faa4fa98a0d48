package server

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/journal"
)

const (
	activityEvery = time.Second
	activityKept  = 10 * 60 // samples
	// activityLooksMax bounds the partitions, and the queues, that a sample looks at.
	activityLooksMax = 20_000
)

// latencies counts durations in buckets, four to a doubling, from 1 µs on.
type latencies struct{ buckets [26 * 4]atomic.Int64 }

func (l *latencies) add(d time.Duration) {
	us := uint64(max(4, d.Microseconds()))
	exp := bits.Len64(us) - 1
	i := exp*4 + int(us>>(exp-2)&3)
	l.buckets[min(i, len(l.buckets)-1)].Add(1)
}

// counts is what was counted so far.
func (l *latencies) counts() (out [26 * 4]int64) {
	for i := range l.buckets {
		out[i] = l.buckets[i].Load()
	}
	return out
}

// quantile is the upper bound of the bucket in which a share of what was counted
// between two looks lies; false if nothing was.
func quantile(before, after *[26 * 4]int64, share float64) (time.Duration, bool) {
	var total int64
	for i := range after {
		total += after[i] - before[i]
	}
	rest := int64(share * float64(total))
	for i := range after {
		if rest -= after[i] - before[i]; rest < 0 {
			return time.Duration(1<<(i/4)*(5+i%4)/4) * time.Microsecond, true
		}
	}
	return 0, false
}

// totals are what samples are differences of.
type totals struct {
	slots []journal.SlotID

	records, bytesIn, bytesOut, requests, delivered, acked int64
	appends                                                [26 * 4]int64
}

// activity remembers what went on in the last minutes.
type activity struct {
	s    *Server
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex // guards samples
	samples []*naruv1.ActivitySample
}

func (s *Server) watchActivity() *activity {
	a := &activity{s: s, stop: make(chan struct{}), done: make(chan struct{})}
	go a.run()
	return a
}

func (a *activity) end() {
	close(a.stop)
	<-a.done
}

func (a *activity) run() {
	defer close(a.done)
	tick := time.NewTicker(activityEvery)
	defer tick.Stop()
	last := a.look()
	for {
		select {
		case now := <-tick.C:
			next := a.look()
			a.add(now, &last, &next)
			last = next
		case <-a.stop:
			return
		}
	}
}

// look adds up what is at this broker.
func (a *activity) look() (t totals) {
	b := a.s.broker
	t.slots = b.OwnedSlots()
	looks := 0
	for _, topic := range b.Topics() {
		if topic.Internal || looks > activityLooksMax {
			continue
		}
		for i := range topic.Partitions {
			if p, err := b.Partition(topic.Name, int32(i)); err == nil && p.Local() == nil {
				t.records += int64(p.HighWatermark())
			}
		}
		looks += len(topic.Partitions)
	}
	for i, meta := range b.Queues() {
		if i > activityLooksMax {
			break
		}
		if q, err := b.Queue(meta.Name); err == nil && q.Local() == nil {
			delivered, acked := q.Counts()
			t.delivered += delivered
			t.acked += acked
		}
	}
	st := b.JournalCounters()
	t.bytesIn, t.bytesOut = st.BytesWritten, st.BytesHit+st.BytesMissed
	t.requests = a.s.metrics.answered.Load()
	t.appends = a.s.metrics.appends.counts()
	return t
}

func (a *activity) add(now time.Time, from, to *totals) {
	// A topic or queue that was deleted takes its totals with it, as a slot that went does, and one that came brings those of all its past.
	if !slices.Equal(from.slots, to.slots) {
		from.records, from.delivered, from.acked = to.records, to.delivered, to.acked
		from.bytesIn, from.bytesOut = to.bytesIn, to.bytesOut
	}
	sample := &naruv1.ActivitySample{
		Time: timestamppb.New(now), RecordsIn: max(0, to.records-from.records), BytesIn: to.bytesIn - from.bytesIn,
		BytesOut: to.bytesOut - from.bytesOut, Requests: to.requests - from.requests,
		MessagesDelivered: max(0, to.delivered-from.delivered), MessagesAcked: max(0, to.acked-from.acked),
		Connections: a.s.connectionCounts()["all"],
	}
	if d, ok := quantile(&from.appends, &to.appends, 0.5); ok {
		sample.AppendP50 = durationpb.New(d)
	}
	if d, ok := quantile(&from.appends, &to.appends, 0.99); ok {
		sample.AppendP99 = durationpb.New(d)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.samples) == activityKept {
		a.samples = a.samples[1:]
	}
	a.samples = append(a.samples, sample)
}

// after returns the samples since a time.
func (a *activity) after(t time.Time) *naruv1.Activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := len(a.samples)
	for i > 0 && a.samples[i-1].Time.AsTime().After(t) {
		i--
	}
	return &naruv1.Activity{Samples: append([]*naruv1.ActivitySample(nil), a.samples[i:]...)}
}
