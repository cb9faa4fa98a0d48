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
	Ran       int64           // records of the run, its warm-up included
	Tally     Tally           // of all records since Prime
}

// Trickler is a Trickle whose partitions have all taken their first records.
type Trickler struct {
	Trickle
	loops  []*loop
	primed int64 // records before the run
}

// primeRecords is how many records each partition takes before the run. Kafka
// touches its index files for the first time after 4 KiB
// (index.interval.bytes), which costs it milliseconds of page faults for each,
// and a run of seconds should not consist of those.
const primeRecords = 7

// Prime connects and sends the first records to each partition of topic. The
// caller must Close what it returns.
func (t Trickle) Prime(ctx context.Context, o Options, topic Topic, seed uint64) (*Trickler, error) {
	tr := &Trickler{Trickle: t}
	if err := tr.prime(ctx, o, topic, seed); err != nil {
		tr.Close()
		return nil, err
	}
	return tr, nil
}

func (tr *Trickler) prime(ctx context.Context, o Options, topic Topic, seed uint64) error {
	for i := range tr.Clients {
		client, err := o.producer(
			kgo.DefaultProduceTopic(topic.Name), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return err
		}
		tr.loops = append(tr.loops, &loop{client: client, ctx: ctx, source: NewSynthetic(seed + uint64(i))})
	}
	for range primeRecords {
		now := time.Now() // a loop whose end is now sends one record to each partition
		if err := tr.turn(now, now); err != nil {
			return err
		}
	}
	tr.primed = tr.tally().Records
	return nil
}

// Close ends the connections.
func (tr *Trickler) Close() {
	for _, l := range tr.loops {
		l.client.Close()
	}
}

// Run trickles. What it returns is acknowledged; reading it back to compare is
// the caller's.
func (tr *Trickler) Run() (Trickled, error) {
	now := time.Now()
	if err := tr.turn(now.Add(tr.Warm), now.Add(tr.Warm+tr.For)); err != nil {
		return Trickled{}, err
	}
	out := Trickled{Tally: tr.tally()}
	for _, l := range tr.loops {
		out.Sorted = append(out.Sorted, l.samples...)
	}
	slices.Sort(out.Sorted)
	out.Ran = out.Tally.Records - tr.primed
	out.PerSecond = float64(len(out.Sorted)) / tr.For.Seconds()
	return out, nil
}

func (tr *Trickler) tally() (t Tally) {
	for _, l := range tr.loops {
		t.Merge(l.acked)
	}
	return t
}

// turn runs all loops until end and counts the acknowledgements from countFrom on.
func (tr *Trickler) turn(countFrom, end time.Time) error {
	for _, l := range tr.loops {
		l.countFrom, l.end = countFrom, end // nothing is in flight between turns
	}
	for p := range tr.Partitions {
		tr.loops[p%tr.Clients].add(p)
	}
	var failed []error
	for _, l := range tr.loops {
		l.open.Wait()
		failed = append(failed, l.err)
	}
	return errors.Join(failed...)
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
