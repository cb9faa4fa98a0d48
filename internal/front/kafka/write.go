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

// write sends the answers in the order of their requests.
func (c *conn) write() {
	var bufs net.Buffers
	for {
		select {
		case x, ok := <-c.queue:
			if !ok {
				return
			}
			if !c.await(x) {
				x.abandon()
				return
			}
			err := c.send(x, &bufs)
			x.done()
			if err != nil {
				c.log.Debug("kafka: connection ended", "error", err)
				return
			}
		case <-c.ctx.Done():
			return
		}
	}
}

// await waits until x is finished; false if the connection ends first.
func (c *conn) await(x *call) bool {
	if wait := x.wait; wait != nil {
		x.wait = nil
		wait()
	}
	select {
	case <-x.ready:
		return true
	default:
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
func (c *conn) send(x *call, bufs *net.Buffers) error {
	if x.fatal != nil {
		c.log.Info("kafka: closing the connection", "request", x.api.Name, "client", x.clientID, "error", x.fatal)
		return x.fatal
	}
	n := 0
	if x.resp != nil {
		w := writers.Get().(*wire.Writer)
		err := wire.AppendResponse(w, x.api.Key, x.version, x.correlation, x.resp)
		if n = w.Len(); err == nil {
			err = c.writeFrame(w, bufs)
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

func (c *conn) writeFrame(w *wire.Writer, bufs *net.Buffers) error {
	limit := c.s.limits.WriteMax + time.Duration(w.Len()/writeRate)*time.Second
	c.nc.SetWriteDeadline(time.Now().Add(limit))
	list := w.Buffers()
	if len(list) == 1 {
		_, err := c.nc.Write(list[0])
		return err
	}
	*bufs = list
	_, err := bufs.WriteTo(c.nc)
	*bufs = nil
	return err
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
