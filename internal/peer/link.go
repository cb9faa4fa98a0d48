package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
)

// link is a client's stream of calls, from its beginning to its end.
type link struct {
	ctx    context.Context
	cancel context.CancelFunc
	stream grpc.ClientStream
	out    *outbox

	mu    sync.Mutex // guards what follows
	calls map[uint64]*call
	next  uint64
	ended error // why it is over
}

// call is one that is under way. link.mu guards sent.
type call struct {
	id   uint64
	sent bool
	push func([]byte)
	done func([]byte, error)
	stop func() bool // ends the watch for the caller's ctx
}

func newLink(ctx context.Context, cancel context.CancelFunc, stream grpc.ClientStream) *link {
	l := &link{ctx: ctx, cancel: cancel, stream: stream, out: newOutbox(), calls: make(map[uint64]*call)}
	go func() {
		_ = l.out.run(ctx, stream.SendMsg)
		cancel() // the reader then says why
	}()
	go l.ping()
	go func() { l.end(l.read()) }()
	return l
}

func (l *link) ping() {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.out.put(outgoing{message: (&frame{kind: kindPing}).buffer(nil)})
		case <-l.ctx.Done():
			return
		}
	}
}

// over is why the link ended; nil: it has not.
func (l *link) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// start sends a call. The link calls done unless there is an error.
func (l *link) start(ctx context.Context, c *call, method Method, parts [][]byte) error {
	l.mu.Lock()
	if l.ended != nil {
		defer l.mu.Unlock()
		return l.ended
	}
	l.next++
	c.id = l.next
	l.calls[c.id] = c
	c.stop = context.AfterFunc(ctx, func() { l.canceled(c, ctx.Err()) })
	l.mu.Unlock()
	f := frame{kind: kindCall, id: c.id, method: method}
	l.out.put(outgoing{message: f.buffer(parts), begin: func() bool { return l.begin(c) }})
	return nil
}

// begin notes that a call is about to be sent, unless it is over.
func (l *link) begin(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[c.id] != c {
		return false
	}
	c.sent = true
	return true
}

// canceled: the caller wants no answer any more. One that was sent is asked to end.
func (l *link) canceled(c *call, why error) {
	l.mu.Lock()
	if l.calls[c.id] != c {
		l.mu.Unlock()
		return
	}
	if c.sent {
		l.out.put(outgoing{message: (&frame{kind: kindCancel, id: c.id}).buffer(nil)})
		l.mu.Unlock()
		return
	}
	delete(l.calls, c.id)
	l.mu.Unlock()
	c.done(nil, notSent(why))
}

// finish takes the call out.
func (l *link) finish(id uint64) *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[id]
	delete(l.calls, id)
	return c
}

// read hands out answers until the stream ends.
func (l *link) read() error {
	for {
		var b []byte
		if err := l.stream.RecvMsg(&b); err != nil {
			return err
		}
		f, err := parseFrame(b)
		if err != nil {
			return err
		}
		if err := l.take(&f); err != nil {
			return err
		}
	}
}

func (l *link) take(f *frame) error {
	switch f.kind {
	case kindPing:
		return nil
	case kindPush:
		l.mu.Lock()
		c := l.calls[f.id]
		l.mu.Unlock()
		if c == nil || c.push == nil {
			return fmt.Errorf("%w: a push that nobody waits for", ErrMalformed)
		}
		c.push(f.payload)
		return nil
	case kindAnswer, kindFail:
		c := l.finish(f.id)
		if c == nil {
			return fmt.Errorf("%w: an answer that nobody waits for", ErrMalformed)
		}
		c.stop()
		if f.kind == kindAnswer {
			if f.confirm {
				l.out.put(outgoing{message: (&frame{kind: kindConfirm, id: f.id}).buffer(nil)})
			}
			c.done(f.payload, nil)
			return nil
		}
		err, ok := ParseError(f.payload)
		if !ok {
			c.done(nil, unknown(ErrMalformed))
			return fmt.Errorf("%w: an error", ErrMalformed)
		}
		c.done(nil, err)
		return nil
	}
	return fmt.Errorf("%w: kind %d from a server", ErrMalformed, f.kind)
}

// end ends the calls that are under way.
func (l *link) end(why error) {
	l.cancel()
	l.mu.Lock()
	l.ended = why
	calls := l.calls
	l.calls = make(map[uint64]*call)
	l.mu.Unlock()
	for _, c := range calls {
		c.stop()
		if c.sent { // nobody writes it any more: the call is in no table
			c.done(nil, unknown(why))
		} else {
			c.done(nil, notSent(why))
		}
	}
}

func notSent(why error) error {
	if errors.Is(why, ErrNotSent) {
		return why
	}
	return fmt.Errorf("%w: %w", ErrNotSent, why)
}

func unknown(why error) error { return fmt.Errorf("%w: %w", ErrUnknownOutcome, why) }
