package amqp

import (
	"context"
	"net"
	"sync"
	"time"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// outputs are the buffers of all connections: an idle one holds none.
var outputs = sync.Pool{New: func() any { return new([]byte) }}

// outputBytesKept is the largest buffer that is kept for others.
const outputBytesKept = 2 << 20

// writeRate is the least that a peer has to take in a second.
const writeRate = 64 << 10

// output is what a connection's writer has to send.
type output struct {
	nc       net.Conn
	bytesMax int
	writeMax time.Duration
	wake     chan struct{} // takes one

	mu         sync.Mutex // guards what follows
	box        *[]byte    // where buf came from
	buf        []byte
	confirming []*confirms // channels with something to confirm
	writing    int         // bytes on their way
	idle       bool        // the writer waits for wake
	closed     bool        // nothing is added any more
	failed     bool
	wanted     map[waker]struct{} // to wake when there is room
	space      chan struct{}      // closed when there is room for the reader; nil: it does not wait
	sent       bool               // something was, since the last heartbeat
	beating    bool               // what waits is a heartbeat alone
}

func newOutput(nc net.Conn, l *Limits) *output {
	return &output{nc: nc, bytesMax: l.OutputBytesMax, writeMax: l.WriteMax, wake: make(chan struct{}, 1)}
}

// lock begins to add to buf, unless the output is closed. What is added may wait for a later call of flush.
func (o *output) lock() bool {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return false
	}
	o.prepare()
	return true
}

// prepare makes buf ready. Caller holds mu.
func (o *output) prepare() {
	if o.box == nil {
		o.box = outputs.Get().(*[]byte)
		o.buf = (*o.box)[:0]
	}
}

func (o *output) unlock() { o.mu.Unlock() }

// flush lets the writer send what there is.
func (o *output) flush() {
	o.mu.Lock()
	o.poke()
	o.mu.Unlock()
}

// poke wakes the writer. Caller holds mu.
func (o *output) poke() {
	if o.idle {
		o.idle = false
		o.wake <- struct{}{}
	}
}

// send adds a method.
func (o *output) send(channel uint16, m wire.Method) {
	if !o.lock() {
		return
	}
	o.buf = wire.AppendMethodFrame(o.buf, channel, m)
	o.poke()
	o.unlock()
}

// sendConfirms adds the confirms that are due, before channels end that they are for.
func (o *output) sendConfirms() {
	if !o.lock() {
		return
	}
	o.report()
	o.poke()
	o.unlock()
}

// report adds the confirms that are due. It is done under mu, or a channel could end between its confirms and their place
// in buf. Caller holds mu.
func (o *output) report() {
	for _, c := range o.confirming {
		o.buf = c.report(o.buf)
	}
	o.confirming = nil
}

// confirm notes that a channel has something to confirm.
func (o *output) confirm(c *confirms) {
	o.mu.Lock()
	if !o.closed {
		o.confirming = append(o.confirming, c)
		o.poke()
	}
	o.mu.Unlock()
}

func (o *output) waiting() int { return len(o.buf) + o.writing }

// crowded tells whether so much waits that nobody else may add to it.
func (o *output) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting() >= 4*o.bytesMax
}

// waker is what can be woken: a mailbox, or a reading of a stream.
type waker interface{ wake() }

// hasRoom tells whether deliveries may be added. If not, m is woken when they may.
func (o *output) hasRoom(m waker) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting() < o.bytesMax || o.closed {
		return !o.closed
	}
	if o.wanted == nil {
		o.wanted = make(map[waker]struct{})
	}
	o.wanted[m] = struct{}{}
	return false
}

// awaitRoom waits while far too much is to be sent.
func (o *output) awaitRoom(ctx context.Context) error {
	o.mu.Lock()
	if o.waiting() < 4*o.bytesMax || o.closed {
		o.mu.Unlock()
		return nil
	}
	space := make(chan struct{})
	o.space = space
	o.mu.Unlock()
	select {
	case <-space:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close lets the writer send what there is, and end.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.poke()
	o.mu.Unlock()
}

// take waits for something to send. Nil: there will be no more.
func (o *output) take(beat <-chan time.Time) (box *[]byte, b []byte) {
	for {
		o.mu.Lock()
		if len(o.buf) > 0 || len(o.confirming) > 0 {
			break
		}
		if o.closed {
			o.mu.Unlock()
			return nil, nil
		}
		o.idle = true
		o.mu.Unlock()
		select {
		case <-o.wake:
		case <-beat:
			o.beat()
		}
	}
	o.prepare()
	o.report()
	box, b = o.box, o.buf
	o.box, o.buf = nil, nil
	o.writing, o.sent, o.beating = len(b), !o.beating, false
	o.mu.Unlock()
	return box, b
}

// beat adds a heartbeat if nothing was sent since the last.
func (o *output) beat() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prepare()
	if o.idle { // else somebody has woken the writer, and it will look again
		o.idle = false
	} else {
		<-o.wake
	}
	if !o.sent {
		o.beating = len(o.buf) == 0 && len(o.confirming) == 0
		o.buf = wire.AppendHeartbeat(o.buf)
	}
	o.sent = false
}

// write is the connection's writer. It returns when the output is closed and sent, or when it cannot be sent.
func (o *output) write(heartbeat <-chan time.Duration) {
	var beat <-chan time.Time
	for {
		select {
		case every := <-heartbeat:
			t := time.NewTicker(every)
			defer t.Stop()
			beat, heartbeat = t.C, nil
		default:
		}
		box, b := o.take(beat)
		if box == nil {
			return
		}
		o.nc.SetWriteDeadline(time.Now().Add(o.writeMax + time.Duration(len(b)/writeRate)*time.Second))
		_, err := o.nc.Write(b)
		if cap(b) <= outputBytesKept {
			*box = b[:0]
			outputs.Put(box)
		}
		o.wrote(err)
		if err != nil {
			return
		}
	}
}

// wrote takes up that the writer is done with what it took.
func (o *output) wrote(err error) {
	o.mu.Lock()
	o.writing = 0
	if err != nil {
		o.closed, o.failed = true, true
		o.buf, o.confirming = o.buf[:0], nil
	}
	var wanted map[waker]struct{}
	if o.waiting() < o.bytesMax || err != nil {
		wanted, o.wanted = o.wanted, nil
		if o.space != nil {
			close(o.space)
			o.space = nil
		}
	}
	o.mu.Unlock()
	for m := range wanted {
		m.wake()
	}
}
