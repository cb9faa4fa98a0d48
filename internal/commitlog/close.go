package commitlog

import (
	"context"
	"fmt"

	"github.com/narumq/naru/internal/record"
)

// Close refuses appends from now on, and waits for those that are on their way. It
// returns where the partition ends: everything below is durable, and nothing else
// will ever be there unless Reopen is called. Reads go on as before.
//
// Errors: ctx's; the journal's if an append failed. The partition is closed all
// the same.
func (p *Partition) Close(ctx context.Context) (end record.Offset, err error) {
	p.mu.Lock()
	p.closed = true
	end = p.next
	var settled chan struct{}
	if p.pending > 0 {
		if p.settled == nil {
			p.settled = make(chan struct{})
		}
		settled = p.settled
	}
	p.mu.Unlock()
	if settled != nil {
		select {
		case <-settled:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	if high := p.HighWatermark(); high < end {
		return 0, fmt.Errorf("partition %d: appends from %d on failed: %w", p.id, high, p.journal.Err())
	}
	return end, nil
}

// Reopen undoes Close.
func (p *Partition) Reopen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

// Wake tells those who watch that something other than the records changed.
func (p *Partition) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches.notify()
}
