package peer

import (
	"context"
	"fmt"
)

// Call is a call from another broker. Exactly one of Answer, AnswerOr and Fail ends it.
// They, and Push, do not block.
type Call struct {
	Method  Method
	Payload []byte // the handler's to keep
	Session *Session

	ctx    context.Context
	cancel context.CancelFunc
	id     uint64
	bytes  int
}

// Context ends when the caller wants no answer any more, or is gone.
func (c *Call) Context() context.Context { return c.ctx }

// Push sends something before the answer. The payload is copied. written, which may be
// nil, is called when it is on its way: who pushes more than a little waits for that. It
// is not called once the call's context has ended with its session.
func (c *Call) Push(written func(), payload ...[]byte) {
	if c.ctx.Err() == nil && size(payload) <= PayloadMax {
		c.Session.out.put(outgoing{message: (&frame{kind: kindPush, id: c.id}).buffer(payload), sent: written})
	}
}

// Answer ends the call well. The payload is copied.
func (c *Call) Answer(payload ...[]byte) { c.AnswerOr(nil, payload...) }

// AnswerOr is Answer, and calls lost, once, if the other broker did not say that it has
// the answer before it was gone: maybe at once, and maybe although it has it.
func (c *Call) AnswerOr(lost func(), payload ...[]byte) {
	if n := size(payload); n > PayloadMax {
		c.Fail(fmt.Errorf("%w: an answer of %d bytes, at most %d", ErrTooLarge, n, PayloadMax))
		if lost != nil {
			lost()
		}
		return
	}
	if c.end(lost) {
		c.Session.out.put(outgoing{message: (&frame{kind: kindAnswer, id: c.id, confirm: lost != nil}).buffer(payload)})
	} else if lost != nil {
		lost()
	}
}

// Fail ends the call with an error.
func (c *Call) Fail(err error) {
	if c.end(nil) {
		c.Session.out.put(outgoing{message: (&frame{kind: kindFail, id: c.id}).buffer([][]byte{AppendError(nil, err)})})
	}
}

// end takes the call out of its session; false: that is over. A second answer is a
// mistake of this broker's.
func (c *Call) end(lost func()) bool {
	s := c.Session
	defer c.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if s.calls[c.id] != c {
		panic("peer: a call was answered twice")
	}
	delete(s.calls, c.id)
	s.bytes -= c.bytes
	if lost != nil {
		s.lost[c.id] = lost
	}
	return true
}

// WaitSpace waits until not too much waits to be sent to the other broker: for who makes
// an answer that is not small. It fails when nobody wants it any more.
func (c *Call) WaitSpace() error { return c.Session.out.waitSpace(c.ctx) }
