package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Limit ends a producer: after so many records or so long, whichever is first.
type Limit struct {
	Records int64
	For     time.Duration
}

// Done is what a throughput scenario measured.
type Done struct {
	Tally   Tally         // of the acknowledged records
	Elapsed time.Duration // first record handed over to last one acknowledged (or consumed)
}

// PerSecond is the rate of records.
func (d Done) PerSecond() float64 { return float64(d.Tally.Records) / d.Elapsed.Seconds() }

// Produce sends records as fast as the broker takes them.
func Produce(ctx context.Context, o Options, topic Topic, source Source, limit Limit) (Done, error) {
	client, err := o.producer(kgo.DefaultProduceTopic(topic.Name))
	if err != nil {
		return Done{}, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return Done{}, err
	}
	s := sender{client: client}
	start := time.Now()
	for n := int64(0); n < limit.Records; n++ {
		// A look at the clock every few hundred records is often enough.
		if n%256 == 0 && (time.Since(start) > limit.For || ctx.Err() != nil) {
			break
		}
		s.send(ctx, source)
	}
	acked, err := s.finish(ctx)
	return Done{Tally: acked, Elapsed: time.Since(start)}, err
}

// sender produces pooled records and tallies their acknowledgements.
type sender struct {
	client *kgo.Client
	free   sync.Pool

	mu    sync.Mutex
	acked Tally // guarded by mu
	err   error // the first failure, guarded by mu
}

// send hands one record to the client; it blocks while too many are buffered.
func (s *sender) send(ctx context.Context, source Source) {
	r, _ := s.free.Get().(*kgo.Record)
	if r == nil {
		r = &kgo.Record{}
	}
	*r = kgo.Record{Key: r.Key, Value: r.Value}
	source.Fill(r)
	s.client.Produce(ctx, r, s.done)
}

func (s *sender) done(r *kgo.Record, err error) {
	s.mu.Lock()
	if err == nil {
		s.acked.Add(r)
	} else if s.err == nil {
		s.err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
	}
	s.mu.Unlock()
	s.free.Put(r)
}

// finish waits for the outstanding acknowledgements. One failed record fails
// the scenario: whether it was stored is unknown, so nothing could be compared.
func (s *sender) finish(ctx context.Context) (Tally, error) {
	flushErr := s.client.Flush(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.acked, s.err
	}
	return s.acked, flushErr
}
