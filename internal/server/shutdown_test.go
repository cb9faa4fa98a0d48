package server

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What was acknowledged before and during an orderly shutdown is there after
// it, and each record once.
func TestShutdownLosesNothing(t *testing.T) {
	c := testConfig(t)
	s := start(t, c, Options{})
	cl := kafkaClient(t, s.addr("kafka"), kgo.DefaultProduceTopic("t"), kgo.MaxBufferedRecords(500), kgo.ProducerLinger(0))
	var mu sync.Mutex
	acked := map[string]bool{}
	enough := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var producing sync.WaitGroup
	producing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			cl.Produce(ctx, &kgo.Record{Value: []byte(strconv.Itoa(i))}, func(r *kgo.Record, err error) {
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				acked[string(r.Value)] = true
				if len(acked) == 1000 {
					close(enough)
				}
			})
		}
	})
	select {
	case <-enough:
	case <-time.After(20 * time.Second):
		t.Fatal("1000 records were not acknowledged")
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	cancel()
	producing.Wait()
	cl.Close()

	again := start(t, c, Options{})
	p, err := again.broker.Partition("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]int{}
	total := int(p.HighWatermark())
	reader := kafkaClient(t, again.addr("kafka"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	reading, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	for n := 0; n < total; {
		fetches := reader.PollFetches(reading)
		if reading.Err() != nil {
			t.Fatalf("read %d of %d", n, total)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			stored[string(r.Value)]++
			n++
		})
	}
	for v := range acked {
		if stored[v] != 1 {
			t.Errorf("record %s was acknowledged and is stored %d times", v, stored[v])
		}
	}
	t.Logf("%d acknowledged, %d stored", len(acked), total)
}
