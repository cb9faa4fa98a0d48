package kafka

import (
	"fmt"
	"net"
	"sync"
	"time"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// writers are shared by all connections: an idle one holds no buffer.
var writers = sync.Pool{New: func() any { return new(wire.Writer) }}

// writerBytesKept is the longest frame whose writer is kept for the next.
const writerBytesKept = 1 << 20

// writeRate is the least that a client has to take of an answer in a second.
const writeRate = 64 << 10

// Answers that are ready together go to the socket together: those of a group
// commit, mostly.
const (
	gatherBytes    = 64 << 10 // and no more are gathered than this
	gatherBytesMax = 8 << 10  // longer answers go by themselves
)

// write sends the answers in the order of their requests.
func (c *conn) write() {
	out := outgoing{conn: c}
	defer out.drop()
	for {
		x, open := c.nextReady(&out)
		if x == nil {
			if open || out.flush() != nil {
				c.log.Debug("kafka: connection ended")
			}
			return
		}
		err := c.send(x, &out)
		x.done()
		if err != nil {
			c.log.Debug("kafka: connection ended", "error", err)
			return
		}
	}
}

// nextReady returns the next call, finished. What was gathered is sent before
// waiting for it. Nil: the connection ended, or, if not open, there are no more.
func (c *conn) nextReady(out *outgoing) (x *call, open bool) {
	select {
	case x, open = <-c.queue:
	default:
		if out.flush() != nil {
			return nil, true
		}
		select {
		case x, open = <-c.queue:
		case <-c.ctx.Done():
			return nil, true
		}
	}
	if !open {
		return nil, false
	}
	if x.wait == nil {
		select {
		case <-x.ready:
			return x, true
		default:
		}
	}
	if out.flush() != nil || !c.await(x) {
		x.abandon()
		return nil, true
	}
	return x, true
}

// await waits until x is finished; false if the connection ends first.
func (c *conn) await(x *call) bool {
	if wait := x.wait; wait != nil {
		x.wait = nil
		wait()
	}
	var drain <-chan struct{}
	if x.interrupt != nil {
		drain = c.s.draining
	}
	for {
		select {
		case <-x.ready:
			return true
		case <-drain:
			drain = nil
			x.interrupt()
		case <-c.ctx.Done():
			return false
		}
	}
}

// send writes a finished call's answer, if it has one.
func (c *conn) send(x *call, out *outgoing) error {
	if x.fatal != nil {
		out.flush() // those before it have their answers
		c.log.Info("kafka: closing the connection", "request", x.api.Name, "client", x.clientID, "error", x.fatal)
		return x.fatal
	}
	n := 0
	if x.resp != nil {
		if x.api.Key != wire.KeyApiVersions {
			c.said.Store(true)
		}
		w := writers.Get().(*wire.Writer)
		err := wire.AppendResponse(w, x.api.Key, x.version, x.correlation, x.resp)
		if n = w.Len(); err == nil {
			err = out.add(w)
		}
		if n <= writerBytesKept {
			w.Reset()
			writers.Put(w)
		}
		if err != nil {
			return fmt.Errorf("%s version %d: answer: %w", x.api.Name, x.version, err)
		}
	}
	if f := c.s.observer.Request; f != nil {
		f(RequestStats{
			API: x.api.Name, Version: x.version, BytesIn: frameSizeBytes + x.frameBytes, BytesOut: n,
			Total: time.Since(x.began), Error: x.code,
		})
	}
	return nil
}

// outgoing is what a connection's writer has to send.
type outgoing struct {
	conn *conn
	box  *[]byte // of the pool, or nil; its first n bytes are waiting
	n    int
	bufs net.Buffers
}

// add sends a frame, now or with the next flush.
func (o *outgoing) add(w *wire.Writer) error {
	n := w.Len()
	list := w.Buffers()
	if n <= gatherBytesMax && len(list) == 1 {
		if o.n+n > gatherBytes {
			if err := o.flush(); err != nil {
				return err
			}
		}
		if o.box == nil {
			o.box = getBuffer(gatherBytes)
		}
		o.n += copy((*o.box)[o.n:], list[0])
		return nil
	}
	if err := o.flush(); err != nil {
		return err
	}
	o.deadline(n)
	if len(list) == 1 {
		_, err := o.conn.nc.Write(list[0])
		return err
	}
	o.bufs = list
	_, err := o.bufs.WriteTo(o.conn.nc)
	o.bufs = nil
	return err
}

// flush sends what was gathered.
func (o *outgoing) flush() error {
	if o.n == 0 {
		return nil
	}
	o.deadline(o.n)
	_, err := o.conn.nc.Write((*o.box)[:o.n])
	o.drop()
	return err
}

func (o *outgoing) deadline(n int) {
	limit := o.conn.s.limits.WriteMax + time.Duration(n/writeRate)*time.Second
	o.conn.nc.SetWriteDeadline(time.Now().Add(limit))
}

// drop gives the buffer back to the pool: an idle connection has none.
func (o *outgoing) drop() {
	if o.box != nil {
		putBuffer(o.box)
	}
	o.box, o.n = nil, 0
}

// done gives back what a call holds, once its answer was written.
func (x *call) done() {
	if x.sent != nil {
		x.sent()
	}
	if x.held != nil {
		x.held.release()
	}
	x.conn.ended()
	x.recycle()
}

// abandon gives back what a call holds that nobody will answer. If it is not
// finished it is left to whoever finishes it, and so is not used again.
func (x *call) abandon() {
	if wait := x.wait; wait != nil {
		x.wait = nil
		wait()
	}
	select {
	case <-x.ready:
		x.done()
	default:
	}
}
