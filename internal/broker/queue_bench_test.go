package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
)

// BenchmarkQueueCycle sends, receives and acks messages of 100 bytes one by one,
// without a protocol, on a real directory with fdatasync before each answer. As
// many as a busy front end has are on their way at once; the sender does not wait
// for single answers.
func BenchmarkQueueCycle(b *testing.B) {
	br, err := Open(Config{Dir: b.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1})
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close()
	spec := catalog.QueueSpec{Name: "q", Settings: catalog.DefaultQueueSettings()}
	if _, err := br.CreateQueue(spec); err != nil {
		b.Fatal(err)
	}
	q, err := br.Queue("q")
	if err != nil {
		b.Fatal(err)
	}
	const inFlight = 8_192
	slots := make(chan struct{}, inFlight)
	value := make([]byte, 100)
	var acked atomic.Int64
	var failed sync.Once
	fail := func(err error) { failed.Do(func() { b.Error(err) }) }
	n := int64(b.N)
	done := make(chan struct{})
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for range n {
			slots <- struct{}{}
			q.Send(context.Background(), []Message{{Value: value}}, func(s []Sent) {
				if s[0].Err != nil {
					fail(s[0].Err)
				}
			})
		}
	}()
	go func() {
		var got int64
		for got < n {
			list, err := q.Receive(context.Background(), ReceiveRequest{Max: 100, Wait: 10e9})
			if err != nil {
				fail(err)
				return
			}
			got += int64(len(list))
			for i := range list {
				<-slots
				q.Ack([]queue.Tag{list[i].Tag}, func(errs []error) {
					if errs[0] != nil {
						fail(errs[0])
					}
					if acked.Add(1) == n {
						close(done)
					}
				})
			}
		}
	}()
	<-done
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "cycles/s")
}
