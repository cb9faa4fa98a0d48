package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/history"
)

// end stops the producers, waits until the group has caught up, and reads everything once more, from the start. What could not be
// read within the time is the end of the log, as far as the judge is told: what was acknowledged beyond it is lost.
func (s *kafkaScene) end(ctx context.Context) error {
	s.stopSends()
	s.sends.Wait()
	_ = until(ctx, s.limit, s.CaughtUp) // what is missing, the judge will tell
	s.askCommitted(ctx)
	s.stopReads()
	s.reads.Wait()
	c, err := s.client(s.FromStart("last", topic, partitions))
	if err != nil {
		return err
	}
	defer c.Close()
	limited, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	ends, err := s.askEnds(limited, c)
	if err != nil {
		fmt.Println("cluster: nobody says where the log ends:", err)
	}
	next := s.ReadTo(limited, c, "last", topic, partitions, ends)
	for p := range int32(partitions) {
		if o, _ := ends.Lookup(topic, p); next[p] < o.Offset {
			fmt.Printf("cluster: partition %d could be read up to %d of %d\n", p, next[p], o.Offset)
		}
		s.Note(history.Event{Kind: history.End, Process: "last", Partition: p, Offset: next[p]})
	}
	return ctx.Err()
}

// askEnds asks until all partitions' ends are known: a broker that does not serve may be asked first.
func (s *kafkaScene) askEnds(ctx context.Context, c *kgo.Client) (kadm.ListedOffsets, error) {
	for {
		ends, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil || !pause(ctx, 50*time.Millisecond) {
			return ends, err
		}
	}
}

// askCommitted reads back what the group has committed, if that is answered in time.
func (s *kafkaScene) askCommitted(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.client()
	if err != nil {
		return
	}
	defer c.Close()
	s.AskCommitted(ctx, c, group)
}
