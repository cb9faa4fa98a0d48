package kafka

import (
	"sync"
	"time"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// call is one request on its way to its answer.
type call struct {
	conn        *conn
	api         *api
	version     int16 // of request and answer
	correlation int32
	clientID    string
	frame       *frame // the request's bytes; only until start returns, unless retained
	body        []byte // what follows the header in frame
	held        *frame // released when the call was answered; nil if it was before
	frameBytes  int
	began       time.Time

	// resp is the answer, set by finish; nil if there is none.
	resp wire.Response
	// fatal, set before finish, closes the connection instead of an answer.
	fatal error
	// code is the first error code in the answer, for metrics.
	code int16
	// wait, if set, is called by the writer when it is this call's turn. It
	// returns when the call is finished or the connection's context ends, and
	// finishes the call in either case.
	wait func()
	// interrupt, if set, makes a call that waits for others finish soon,
	// because the server is shutting down.
	interrupt func()
	// sent, if set, is called once the answer was written or will never be.
	sent func()

	ready chan struct{} // one token: the call is finished
}

var calls = sync.Pool{New: func() any { return &call{ready: make(chan struct{}, 1)} }}

// finish sets the answer. It is called once, by whoever finishes the request;
// the call is the writer's from then on.
func (c *call) finish(resp wire.Response) {
	c.resp = resp
	c.ready <- struct{}{}
}

// finished tells the reader, before the call is queued, whether it is.
func (c *call) finished() bool { return len(c.ready) > 0 }

// fail closes the connection over a request that has no answer.
func (c *call) fail(err error) {
	c.fatal = err
	c.finish(nil)
}

// note remembers the first error code of the answer and returns it.
func (c *call) note(code int16) int16 {
	if c.code == codeNone {
		c.code = code
	}
	return code
}

// codeOf translates an error and notes the code.
func (c *call) codeOf(err error) int16 { return c.note(codeOf(err)) }

func (c *call) recycle() {
	*c = call{ready: c.ready}
	calls.Put(c)
}
