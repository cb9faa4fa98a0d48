package main

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/narumq/naru/conformance/history"
)

// endsScene asks each broker by itself, again and again, where the partitions end. A broker that leads a partition answers, any other one
// must refuse. So a broker that believes in an ownership that it lost shows as an end before one that was known earlier.
type endsScene struct {
	mu      sync.Mutex
	answers []endAnswer
}

type endAnswer struct {
	broker      int
	partition   int32
	offset      int64
	start, time int64 // of the request, and of its answer, ns
}

const askEndsEvery = 50 * time.Millisecond

func (s *endsScene) begin(ctx context.Context, p *parts) error {
	for _, b := range p.brokers {
		c, err := kgo.NewClient(kgo.SeedBrokers(b.kafka), kgo.RequestRetries(0), kgo.DialTimeout(time.Second), kgo.RequestTimeoutOverhead(time.Second))
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			for pause(ctx, askEndsEvery) {
				s.ask(ctx, c, b.number)
			}
		}()
	}
	return nil
}

func (s *endsScene) ask(ctx context.Context, c *kgo.Client, broker int) {
	r := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1 // the end
		t.Partitions = append(t.Partitions, p)
	}
	r.Topics = append(r.Topics, t)
	start := time.Now().UnixNano()
	// A broker that was stopped may answer very late: that is what this is about, so that there is no limit here but the client's.
	answer, err := c.SeedBrokers()[0].Request(ctx, r)
	if err != nil {
		return
	}
	now := time.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range answer.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			if kerr.ErrorForCode(p.ErrorCode) == nil {
				s.answers = append(s.answers, endAnswer{broker, p.Partition, p.Offset, start, now})
			}
		}
	}
}

// stale returns the answers that tell of less than what was known when they were asked for.
func (s *endsScene) stale(records []history.Event) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type known struct{ time, offset int64 }
	highest := make([][]known, partitions)
	for _, e := range records {
		if e.Kind == history.Ack {
			highest[e.Partition] = append(highest[e.Partition], known{e.Time, e.Offset + 1})
		}
	}
	for _, a := range s.answers {
		highest[a.partition] = append(highest[a.partition], known{a.time, a.offset})
	}
	for _, list := range highest {
		sort.Slice(list, func(i, j int) bool { return list[i].time < list[j].time })
		for i := 1; i < len(list); i++ {
			list[i].offset = max(list[i].offset, list[i-1].offset)
		}
	}
	for _, a := range s.answers {
		list := highest[a.partition]
		if i := sort.Search(len(list), func(i int) bool { return list[i].time >= a.start }); i > 0 && a.offset < list[i-1].offset {
			found = append(found, fmt.Sprintf("broker %d says that partition %d ends at %d, %d ms after somebody knew of %d",
				a.broker, a.partition, a.offset, (a.start-list[i-1].time)/1e6, list[i-1].offset))
		}
	}
	return found
}

func (s *endsScene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	by := map[int]int{}
	for _, a := range s.answers {
		by[a.broker]++
	}
	return fmt.Sprintf("ends told by brokers: %v", by)
}
