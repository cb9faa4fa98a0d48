package sqs

import (
	"context"
	"sync"
	"testing"
)

// BenchmarkLife sends, receives and deletes messages from 16 workers on one
// queue of a real directory, each step durable, without HTTP.
func BenchmarkLife(b *testing.B) {
	tt := newTarget(b, newBroker(b), "q")
	body := make([]byte, 512)
	for i := range body {
		body[i] = 'x'
	}
	ctx := context.Background()
	b.ReportAllocs()
	var wg sync.WaitGroup
	work := make(chan struct{})
	for range 16 {
		wg.Go(func() {
			for range work {
				if _, err := sendMessage(ctx, tt, &sendIn{MessageBody: body}); err != nil {
					b.Error(err)
				}
				out, err := receiveMessage(ctx, tt, &receiveIn{WaitTimeSeconds: ptr(int64(5))})
				if err != nil || len(out.messages) != 1 {
					b.Error(out, err)
					continue
				}
				if err := deleteMessage(ctx, tt, &receiptIn{ReceiptHandle: string(out.messages[0].handle)}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
}
