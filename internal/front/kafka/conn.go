package kafka

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// readBufferBytes holds a few small requests; larger ones bypass it.
const readBufferBytes = 4 << 10

// conn is one client's connection.
type conn struct {
	s      *Server
	nc     net.Conn
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	host       string // what the client is told to connect to
	port       int32
	clientHost string // who it is, as group descriptions show it
	since      time.Time
	requests   atomic.Int64
	said       atomic.Bool            // it got an answer, and not only to what it asks of every new connection
	client     atomic.Pointer[string] // what it calls itself; nil: not said

	queue chan *call // in the order of requests; closed by the reader at a graceful end

	// Of the reader alone.
	r          *bufio.Reader
	header     wire.RequestHeader
	body       wire.Reader
	current    *frame // that the reader holds a reference to; nil: none
	software   string // what the client says it is
	lastSerial bool   // the last call started may not overlap others

	outstanding atomic.Int32 // calls started and not answered
	bytes       atomic.Int64 // of frames in use
	wake        chan struct{}
	released    func(*frame) // frameReleased, made once
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		s: s, nc: nc, log: s.log.With("peer", nc.RemoteAddr()),
		queue: make(chan *call, s.limits.PipelineMax), wake: make(chan struct{}, 1),
		r: bufio.NewReaderSize(nc, readBufferBytes), since: time.Now(),
	}
	c.released = c.frameReleased
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.host, c.port = s.cfg.Advertised(nc.LocalAddr())
	peer, _ := localAddress(nc.RemoteAddr())
	c.clientHost = "/" + peer
	return c
}

// run serves the connection until it ends.
func (c *conn) run() {
	defer c.s.forget(c)
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		defer c.cancel()
		// The reader may sit in Read: it ends with the socket.
		defer c.close()
		defer c.survive()
		c.write()
	}()
	c.readAll()
	<-writer
	for {
		select {
		case x, ok := <-c.queue:
			if !ok {
				return
			}
			x.abandon()
		default:
			return
		}
	}
}

// close ends the connection, once what was read has its answers. A client whose first request meets the end of the stream, be it the
// first after ApiVersions, may take that for a listener of another kind, TLS say, and give up what it has to send; it tries again
// where the connection is reset, also if the request was read and there was no time for its answer.
func (c *conn) close() {
	if !c.said.Load() && c.draining() {
		reset(c.nc)
		return
	}
	c.nc.Close()
}

// reset closes a connection as the kernel closes those that nobody accepted.
func reset(nc net.Conn) {
	if tcp, ok := nc.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	nc.Close()
}

// survive keeps a bug in one request from ending the process: this connection
// ends, with the stack in the log. No input is meant to get here.
func (c *conn) survive() {
	if p := recover(); p != nil {
		// What the request held otherwise is lost to this process: it is a bug.
		c.log.Error("kafka: internal error, closing the connection", "panic", p, "stack", string(debug.Stack()))
	}
}

// readAll reads until the connection ends or the server stops, and says why.
func (c *conn) readAll() {
	defer c.cancelUnlessDraining()
	defer func() {
		if c.current != nil {
			c.current.release()
		}
	}()
	defer c.survive()
	err := c.read()
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
	case errors.Is(err, errFrame), errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrUnsupported):
		c.log.Warn("kafka: closing the connection", "error", err, "client", c.software)
		if f := c.s.observer.Malformed; f != nil {
			f(err)
		}
	default:
		c.log.Debug("kafka: connection ended", "error", err)
	}
}

// cancelUnlessDraining lets the writer finish what was read if the server is
// stopping, and else stops it too.
func (c *conn) cancelUnlessDraining() {
	if c.draining() {
		close(c.queue)
		return
	}
	c.cancel()
}

func (c *conn) draining() bool {
	select {
	case <-c.s.draining:
		return true
	default:
		return false
	}
}

// stopReading interrupts a read that waits for a request.
func (c *conn) stopReading() { c.nc.SetReadDeadline(time.Unix(1, 0)) }

// read takes requests until an error; nil means that the server is stopping.
func (c *conn) read() error {
	for {
		n, key, err := c.nextFrame()
		if err != nil {
			if c.draining() {
				return nil
			}
			return err
		}
		f, err := c.takeFrame(n, key)
		if err != nil {
			return err
		}
		c.current = f
		x, err := c.open(f)
		if err == nil {
			err = c.start(x)
		}
		c.current = nil
		if err != nil || x.api.overlap || !x.finished() {
			f.release()
		} else {
			x.held = f // stands for the answer's memory too
		}
		if err != nil {
			return err
		}
		select {
		case c.queue <- x:
		case <-c.ctx.Done():
			x.abandon()
			return c.ctx.Err()
		}
	}
}

// nextFrame waits for the head of the next request. A connection is idle only
// while it waits for nothing itself.
func (c *conn) nextFrame() (int, wire.APIKey, error) {
	for {
		c.nc.SetReadDeadline(time.Now().Add(c.s.limits.IdleMax))
		if c.draining() {
			return 0, 0, os.ErrDeadlineExceeded
		}
		n, key, err := frameHead(c.r, &c.s.limits)
		if errors.Is(err, os.ErrDeadlineExceeded) && c.outstanding.Load() > 0 && !c.draining() {
			continue
		}
		return n, key, err
	}
}

// frameRate is the least that a client has to send of a frame in a second.
const frameRate = 256 << 10

// takeFrame reads a request of n bytes once there is room for it.
func (c *conn) takeFrame(n int, key wire.APIKey) (*frame, error) {
	for c.bytes.Load() > 0 && c.bytes.Load()+int64(n) > c.s.limits.PipelineBytesMax {
		if err := c.sleep(); err != nil {
			return nil, err
		}
	}
	charge := int64(n)
	if key != wire.KeyProduce {
		charge *= controlWeight
	}
	if err := c.s.requestMemory.take(c.ctx, charge); err != nil {
		return nil, err
	}
	if c.r.Buffered() < frameSizeBytes+n {
		limit := c.s.limits.FrameMax + time.Duration(n/frameRate)*time.Second
		c.nc.SetReadDeadline(time.Now().Add(limit))
	}
	f, err := readFrame(c.r, n)
	if err != nil {
		c.s.requestMemory.give(charge)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, fmt.Errorf("%w: of %d bytes not all came: %w", errFrame, n, err)
		}
		return nil, err
	}
	c.bytes.Add(int64(n))
	f.charge, f.released = charge, c.released
	return f, nil
}

func (c *conn) frameReleased(f *frame) {
	c.s.requestMemory.give(f.charge)
	c.bytes.Add(int64(-len(f.b)))
	c.ping()
}

// open reads a request's header and makes a call of it.
func (c *conn) open(f *frame) (*call, error) {
	var r wire.Reader
	r.Reset(f.b)
	h := &c.header
	h.Decode(&r)
	a := served[h.RequestApiKey]
	switch {
	case a == nil:
		return nil, fmt.Errorf("%w: %v version %d", wire.ErrUnsupported, h.RequestApiKey, h.RequestApiVersion)
	case a.supports(h.RequestApiVersion):
		if err := r.Err(); err != nil {
			return nil, err
		}
	case a.Key != wire.KeyApiVersions:
		return nil, fmt.Errorf("%w: %s version %d, served are %d to %d", wire.ErrUnsupported, a.Name, h.RequestApiVersion, a.Min, a.high)
	}
	x := calls.Get().(*call)
	x.conn, x.api, x.version, x.correlation = c, a, h.RequestApiVersion, h.CorrelationId
	x.frame, x.frameBytes, x.began = f, len(f.b), time.Now()
	c.requests.Add(1)
	if h.ClientId != nil {
		x.clientID = *h.ClientId
		if named := c.client.Load(); named == nil || *named != x.clientID {
			name := x.clientID
			c.client.Store(&name)
		}
	}
	x.body = f.b[len(f.b)-r.Remaining():]
	return x, c.order(x)
}

// order waits until x may start; see doc.go.
func (c *conn) order(x *call) error {
	if x.api.overlap && !c.lastSerial {
		return nil
	}
	for c.outstanding.Load() > 0 {
		if err := c.sleep(); err != nil {
			return err
		}
	}
	c.lastSerial = !x.api.overlap
	return nil
}

// start carries x out, as far as that goes without waiting.
func (c *conn) start(x *call) error {
	c.outstanding.Add(1)
	if !x.api.supports(x.version) {
		refuseVersion(x)
		return nil
	}
	body := x.body
	x.body = nil
	if err := x.api.start(x, body); err != nil {
		return fmt.Errorf("%s version %d: %w", x.api.Name, x.version, err)
	}
	return nil
}

// ended is called when a call was answered.
func (c *conn) ended() {
	if c.outstanding.Add(-1) == 0 {
		c.ping()
	}
}

func (c *conn) ping() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// sleep waits until something ended.
func (c *conn) sleep() error {
	select {
	case <-c.wake:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}
