package peer

import (
	"context"
	"sync"

	"google.golang.org/grpc/mem"
)

// outgoing is a message that waits to be sent.
type outgoing struct {
	message mem.Buffer
	begin   func() bool // is asked before it is sent; false: do not. nil: yes
	sent    func()      // is told when it was; nil: nobody asks
}

// outbox is what one end of a stream has to send, in order. put never waits.
type outbox struct {
	mu    sync.Mutex // guards what follows
	list  []outgoing
	bytes int
	space chan struct{} // closed when bytes fell to queuedBytesMax; nil: nobody waits
	wake  chan struct{} // takes one
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) put(m outgoing) {
	o.mu.Lock()
	o.list = append(o.list, m)
	o.bytes += m.message.Len()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// waitSpace waits until no more than queuedBytesMax wait to be sent.
func (o *outbox) waitSpace(ctx context.Context) error {
	o.mu.Lock()
	if o.bytes <= queuedBytesMax {
		o.mu.Unlock()
		return nil
	}
	if o.space == nil {
		o.space = make(chan struct{})
	}
	space := o.space
	o.mu.Unlock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take waits for messages.
func (o *outbox) take(ctx context.Context) ([]outgoing, error) {
	for {
		o.mu.Lock()
		list := o.list
		o.list = nil
		o.mu.Unlock()
		if len(list) > 0 {
			return list, nil
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (o *outbox) gone(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= n
	if o.space != nil && o.bytes <= queuedBytesMax {
		close(o.space)
		o.space = nil
	}
}

// run sends until ctx ends or a message cannot be sent.
func (o *outbox) run(ctx context.Context, send func(any) error) error {
	for {
		list, err := o.take(ctx)
		if err != nil {
			return err
		}
		for _, m := range list {
			n := m.message.Len()
			if m.begin != nil && !m.begin() {
				m.message.Free()
			} else if err := send(m.message); err != nil {
				return err
			} else if m.sent != nil {
				m.sent()
			}
			o.gone(n)
		}
	}
}
