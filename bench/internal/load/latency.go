package load

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Pace is an open loop: records fall due at a fixed rate whatever the broker
// does, and those of the warm-up are not counted.
type Pace struct {
	PerSecond int
	Warm, For time.Duration
}

// Latencies holds sorted end-to-end times and the tally of all records.
type Latencies struct {
	Sorted []time.Duration
	Tally  Tally
}

// Latency sends records on a fixed schedule, without linger, and measures from
// the instant each was due (not sent) until the consumer has it. A stall of
// the broker therefore counts against every record that fell due in it.
func Latency(ctx context.Context, o Options, topic Topic, source Source, pace Pace) (Latencies, error) {
	epoch := time.Now()
	total := int64(float64(pace.PerSecond) * (pace.Warm + pace.For).Seconds())
	arrivals := make([]arrival, 0, total)
	r, err := follow(ctx, o, topic, func(rec *kgo.Record) {
		due := time.Duration(binary.LittleEndian.Uint64(rec.Value))
		arrivals = append(arrivals, arrival{due: due, took: time.Since(epoch) - due})
	})
	if err != nil {
		return Latencies{}, err
	}
	defer r.close()
	client, err := o.producer(kgo.DefaultProduceTopic(topic.Name), kgo.ProducerLinger(0))
	if err != nil {
		return Latencies{}, err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return Latencies{}, err
	}
	s := sender{client: client}
	first := time.Since(epoch)
	s.paced(ctx, source, pace, total, epoch, first)
	acked, err := s.finish(ctx)
	if err != nil {
		return Latencies{}, err
	}
	if _, err := r.drain(ctx, acked); err != nil {
		return Latencies{}, err
	}
	samples := make([]time.Duration, 0, len(arrivals))
	for _, a := range arrivals {
		if a.due >= first+pace.Warm {
			samples = append(samples, a.took)
		}
	}
	slices.Sort(samples)
	return Latencies{Sorted: samples, Tally: acked}, nil
}

// Paced sends records on such a schedule, and nobody reads them.
func Paced(ctx context.Context, o Options, topic Topic, source Source, pace Pace) (Tally, error) {
	client, err := o.producer(kgo.DefaultProduceTopic(topic.Name), kgo.ProducerLinger(0))
	if err != nil {
		return Tally{}, err
	}
	defer client.Close()
	s := sender{client: client}
	s.paced(ctx, source, pace, int64(float64(pace.PerSecond)*(pace.Warm+pace.For).Seconds()), time.Now(), 0)
	return s.finish(ctx)
}

// arrival is one consumed record; due counts from the scenario's epoch.
type arrival struct{ due, took time.Duration }

// paced sends each record as soon as it is due, all overdue ones at once.
func (s *sender) paced(ctx context.Context, source Source, pace Pace, total int64, epoch time.Time, first time.Duration) {
	interval := time.Second / time.Duration(pace.PerSecond)
	stamped := stampedSource{source: source}
	for n := int64(0); n < total && ctx.Err() == nil; n++ {
		stamped.due = first + time.Duration(n)*interval
		if early := stamped.due - time.Since(epoch); early > 0 {
			time.Sleep(early)
		}
		s.send(ctx, &stamped)
	}
}

// stampedSource writes the due time over the first eight bytes of each value.
type stampedSource struct {
	source Source
	due    time.Duration // since the scenario's epoch
}

func (s *stampedSource) Fill(r *kgo.Record) {
	s.source.Fill(r)
	binary.LittleEndian.PutUint64(r.Value, uint64(s.due))
}
