package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Trickle is a closed loop per partition: each has one record in flight, the
// next follows its acknowledgement.
type Trickle struct {
	Partitions int32
	Clients    int32 // connections that share the partitions
	Warm, For  time.Duration
}

// Trickled is what came of it.
type Trickled struct {
	PerSecond float64         // acknowledged within Trickle.For
	Sorted    []time.Duration // produce to acknowledgement
	Tally     Tally           // of all records, warm-up included
}

// Run trickles to every partition of topic. What it returns is acknowledged;
// reading it back to compare is the caller's.
func (t Trickle) Run(ctx context.Context, o Options, topic string, seed uint64) (Trickled, error) {
	start := time.Now()
	loops := make([]*loop, t.Clients)
	for i := range loops {
		client, err := o.producer(
			kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return Trickled{}, err
		}
		defer client.Close()
		loops[i] = &loop{
			client: client, ctx: ctx, source: NewSynthetic(seed + uint64(i)),
			countFrom: start.Add(t.Warm), end: start.Add(t.Warm + t.For),
		}
	}
	for p := range t.Partitions {
		loops[p%t.Clients].add(p)
	}
	var out Trickled
	var failed []error
	for _, l := range loops {
		l.open.Wait()
		failed = append(failed, l.err)
		out.Sorted = append(out.Sorted, l.samples...)
		out.Tally.Merge(l.acked)
	}
	if err := errors.Join(failed...); err != nil {
		return Trickled{}, err
	}
	slices.Sort(out.Sorted)
	out.PerSecond = float64(len(out.Sorted)) / t.For.Seconds()
	return out, nil
}

// loop is one client's share of the partitions. The client runs the
// acknowledgements of a client one after the other, but the first sends run
// beside them, hence the mutex.
type loop struct {
	client         *kgo.Client
	ctx            context.Context
	countFrom, end time.Time
	open           sync.WaitGroup // partitions still going

	mu      sync.Mutex
	source  *Synthetic
	acked   Tally
	samples []time.Duration
	err     error
}

func (l *loop) add(partition int32) {
	l.open.Add(1)
	l.send(&kgo.Record{Partition: partition})
}

func (l *loop) send(r *kgo.Record) {
	l.mu.Lock()
	l.source.Fill(r)
	l.mu.Unlock()
	*r = kgo.Record{Partition: r.Partition, Value: r.Value}
	sent := time.Now()
	l.client.Produce(l.ctx, r, func(r *kgo.Record, err error) { l.done(r, sent, err) })
}

// done records the acknowledgement and sends the partition's next record.
func (l *loop) done(r *kgo.Record, sent time.Time, err error) {
	now := time.Now()
	l.mu.Lock()
	if err == nil {
		l.acked.Add(r)
		if now.After(l.countFrom) && now.Before(l.end) {
			l.samples = append(l.samples, now.Sub(sent))
		}
	} else if l.err == nil {
		l.err = fmt.Errorf("produce to partition %d: %w", r.Partition, err)
	}
	stop := l.err != nil || now.After(l.end)
	l.mu.Unlock()
	if stop {
		l.open.Done()
		return
	}
	l.send(r)
}
