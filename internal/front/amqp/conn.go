package amqp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// conn is one client's connection. Its fields are the reader's where nothing else is said.
type conn struct {
	s      *Server
	nc     *counted
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	in     input
	out    *output
	since  time.Time

	r        wire.Reader
	interned wire.Interner
	publish  wire.BasicPublish // hot methods are decoded into these
	ack      wire.BasicAck

	// Set by the handshake, before opened.
	vhost, user, mechanism      string
	client                      wire.Table
	cancelNotify, blockedNotify bool
	failureClose                bool // it is told why it may not come in
	frameMax                    uint32
	channelMax                  int
	beat                        time.Duration // 0: no heartbeats
	heartbeat                   chan time.Duration
	opened                      atomic.Bool
	access                      atomic.Pointer[access] // nil: not open yet
	answers                     map[question]bool      // of what access allows
	answersOf                   *access                // whose they are

	until      time.Time              // when the handshake, or closing, has to be over
	forced     atomic.Pointer[string] // why it has to end; nil: it has not
	going      chan struct{}          // closed when it has to end
	list       sync.Mutex             // held to change channels, and by others than the reader to look at them
	channels   map[uint16]*channel
	nChannels  atomic.Int32
	consumers  atomic.Int32 // of all channels
	content    int64        // bytes of messages that are not published yet
	bodyUntil  time.Time    // when the first of the long ones has to be complete; zero: there is none
	settling   []*channel   // with acks that were not handed on
	exclusives map[*broker.Queue]string
	exclusiveN int  // so many may be in exclusives before it is looked which of them are gone
	closing    bool // the client has been told to go, or has said so

	publishes atomic.Bool // it has published
	window    window
}

func newConn(s *Server, accepted net.Conn) *conn {
	nc := &counted{Conn: accepted}
	c := &conn{
		s: s, nc: nc, log: s.log.With("peer", nc.RemoteAddr()), out: newOutput(nc, &s.limits), since: time.Now(),
		frameMax: wire.FrameUntuned, heartbeat: make(chan time.Duration, 1),
		channels: map[uint16]*channel{}, exclusives: map[*broker.Queue]string{}, going: make(chan struct{}),
	}
	c.in = input{r: nc, before: c.beforeRead}
	c.r.Intern = &c.interned
	c.window.space.L = &c.window.mu
	c.window.max, c.window.bytesMax = s.limits.PublishingMax, s.limits.PublishingBytesMax
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	return c
}

// run serves the connection until it ends.
func (c *conn) run() {
	defer c.s.forget(c)
	writer := make(chan struct{})
	go func() {
		defer close(writer)
		defer c.nc.Close() // the reader may sit in Read
		defer c.cancel()
		defer c.survive()
		c.out.write(c.heartbeat)
	}()
	// The window waits on a condition, which knows no context.
	stop := context.AfterFunc(c.ctx, c.window.abandon)
	defer stop()
	c.serve()
	c.out.close()
	<-writer
}

// survive keeps a bug in one connection from ending the process, with the stack in the log. No input is meant to get here.
func (c *conn) survive() {
	if p := recover(); p != nil {
		c.log.Error("amqp: internal error, closing the connection", "panic", p, "stack", string(debug.Stack()))
	}
}

// serve reads until the connection ends, and says why.
func (c *conn) serve() {
	defer c.leave()
	defer c.survive()
	err := c.handshake()
	if err == nil {
		err = c.read()
	}
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		c.log.Warn("amqp: closing the connection", "error", err, "user", c.user)
		if f := c.s.observer.Malformed; f != nil && e.Code != wire.ConnectionForced {
			f(err)
		}
		c.sendClose(e)
	case c.s.stopping() && errors.Is(err, os.ErrDeadlineExceeded):
		c.window.drain()
		c.sendClose(refuse(wire.ConnectionForced, "broker forced connection closure with reason 'shutdown'"))
	case c.forced.Load() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		c.window.drain()
		c.sendClose(refuse(wire.ConnectionForced, "%s", *c.forced.Load()))
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
	default:
		c.log.Debug("amqp: connection ended", "error", err)
	}
}

// leave gives up everything that the connection has.
func (c *conn) leave() {
	defer c.survive()
	c.endChannels()
	c.deleteExclusives()
}

func (c *conn) endChannels() {
	for id, ch := range c.channels {
		ch.end()
		c.dropChannel(id)
	}
}

// sendClose gives up what the client had, tells it why, and waits a little for its close-ok. A client that hears it may come again
// at once, and finds none of its consumers in its way.
func (c *conn) sendClose(e *wire.Error) {
	c.closing = true
	c.out.sendConfirms()
	c.endChannels()
	c.out.send(0, e.ConnectionClose())
	c.deleteExclusives()
	c.until = time.Now().Add(c.s.limits.CloseMax)
	if e.Code == wire.FrameError {
		c.discard() // nothing can be made of what follows
		return
	}
	for {
		head, payload, err := c.in.frame(c.frameMax)
		if err != nil {
			return
		}
		if head.Type != wire.FrameMethod || head.Channel != 0 {
			continue
		}
		switch id, _, _ := wire.SplitMethod(payload); id {
		case wire.IDConnectionCloseOk:
			return
		case wire.IDConnectionClose:
			c.out.send(0, &wire.ConnectionCloseOk{})
			return
		}
	}
}

// discard reads until the client has gone, so that it sees what it was sent before its connection is reset.
func (c *conn) discard() {
	for c.in.fill(false) == nil {
		c.in.at = c.in.end
	}
}

// beforeRead sets by when the next bytes have to come. Two heartbeats that are missed end the connection.
func (c *conn) beforeRead(begun bool) error {
	var at time.Time
	switch {
	case !c.until.IsZero():
		at = c.until
	case c.beat > 0:
		at = time.Now().Add(2 * c.beat)
	case begun:
		at = time.Now().Add(c.s.limits.FrameMax)
	}
	at = earlier(at, c.bodyUntil)
	c.nc.SetReadDeadline(at)
	if !c.closing && (c.s.stopping() || c.forced.Load() != nil) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// stopReading interrupts a read that waits.
func (c *conn) stopReading() {
	c.window.end()
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// read takes frames until an error; io.EOF means that the client has closed the connection.
func (c *conn) read() error {
	for {
		if c.in.empty() {
			c.handOn()
		}
		if err := c.out.awaitRoom(c.ctx); err != nil {
			return err
		}
		head, payload, err := c.in.frame(c.frameMax)
		if err == nil {
			err = c.frame(head, payload)
		}
		if err != nil {
			return err
		}
	}
}

// handOn hands acks on to the queues. They gather while there is more to read.
func (c *conn) handOn() {
	for _, ch := range c.settling {
		ch.handOn()
	}
	clear(c.settling)
	c.settling = c.settling[:0]
}

func (c *conn) frame(head wire.Head, payload []byte) error {
	switch {
	case head.Type == wire.FrameHeartbeat && head.Channel == 0:
		return nil
	case head.Type == wire.FrameHeartbeat:
		return refuse(wire.UnexpectedFrame, "a heartbeat on channel %d", head.Channel)
	case head.Channel == 0:
		return c.own(head, payload)
	}
	ch := c.channels[head.Channel]
	if ch == nil {
		return c.openChannel(head, payload)
	}
	err := ch.frame(head, payload)
	e, ok := err.(*wire.Error)
	if ok && e.Code.Closes() == wire.ClosesChannel {
		c.log.Info("amqp: closing a channel", "channel", ch.id, "error", e, "user", c.user)
		ch.end()
		ch.closing = true
		c.out.send(ch.id, e.ChannelClose())
		return nil
	}
	return err
}

// own takes a frame of channel 0.
func (c *conn) own(head wire.Head, payload []byte) error {
	if head.Type != wire.FrameMethod {
		return refuse(wire.UnexpectedFrame, "a %v frame on channel 0", head.Type)
	}
	m, err := c.r.DecodeMethod(payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.ConnectionClose:
		c.handOn()
		c.window.drain()
		c.closing = true
		c.out.sendConfirms()
		c.endChannels()
		c.deleteExclusives()
		c.out.send(0, &wire.ConnectionCloseOk{})
		c.until = time.Now().Add(c.s.limits.CloseMax)
		c.discard() // what a client has sent after its close, and would fail to send
		return io.EOF
	case *wire.ConnectionUpdateSecret:
		return inMethod(c.updateSecret(m), m.ID())
	case *wire.ConnectionCloseOk:
		return io.EOF
	default:
		return inMethod(refuse(wire.CommandInvalid, "%v is not expected on channel 0", m.ID()), m.ID())
	}
}

// openChannel takes the first frame of a channel.
func (c *conn) openChannel(head wire.Head, payload []byte) error {
	if head.Type != wire.FrameMethod {
		return refuse(wire.ChannelError, "expected 'channel.open'")
	}
	m, err := c.r.DecodeMethod(payload)
	if err != nil {
		return err
	}
	switch m.(type) {
	case *wire.ChannelOpen:
	case *wire.ChannelCloseOk: // late
		return nil
	default:
		return inMethod(refuse(wire.ChannelError, "expected 'channel.open'"), m.ID())
	}
	if int(head.Channel) > c.channelMax || len(c.channels) >= c.channelMax {
		return inMethod(refuse(wire.NotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)",
			len(c.channels), c.channelMax), m.ID())
	}
	c.addChannel(newChannel(c, head.Channel))
	c.s.counters.channels.Add(1)
	c.out.send(head.Channel, &wire.ChannelOpenOk{})
	return nil
}

// exclusivesLeast is how many queues of its own a connection may note without a look at which are gone.
const exclusivesLeast = 64

// addExclusive notes a queue that goes with the connection. Those that were deleted before are forgotten, now and then.
func (c *conn) addExclusive(q *broker.Queue, name string) {
	if len(c.exclusives) >= max(c.exclusiveN, exclusivesLeast) {
		maps.DeleteFunc(c.exclusives, func(q *broker.Queue, name string) bool {
			now, err := c.s.broker.NamespaceQueue(c.vhost, name)
			return err != nil || now != q
		})
		c.exclusiveN = 2 * len(c.exclusives)
	}
	c.exclusives[q] = name
}

// deleteExclusives deletes the queues that go with the connection.
func (c *conn) deleteExclusives() {
	for q, name := range c.exclusives {
		delete(c.exclusives, q)
		if err := c.s.deleteQueue(c.vhost, name, q); err != nil {
			c.log.Warn("amqp: exclusive queue stays", "queue", name, "error", err)
		}
	}
}

// window bounds what was published and is not durable.
type window struct {
	max      int
	bytesMax int64

	mu    sync.Mutex
	space sync.Cond // of mu
	n     int       // guarded by mu
	bytes int64     // guarded by mu
	ended bool      // guarded by mu: nobody waits for room any more
	gone  bool      // guarded by mu: nor for anything else
}

// enter waits for room for a message.
func (w *window) enter(bytes int64) {
	w.mu.Lock()
	for w.n > 0 && !w.ended && (w.n >= w.max || w.bytes+bytes > w.bytesMax) {
		w.space.Wait()
	}
	w.n++
	w.bytes += bytes
	w.mu.Unlock()
}

func (w *window) exit(bytes int64) {
	w.mu.Lock()
	w.n--
	w.bytes -= bytes
	w.space.Broadcast()
	w.mu.Unlock()
}

// end lets nobody wait for room any more.
func (w *window) end() {
	w.mu.Lock()
	w.ended = true
	w.space.Broadcast()
	w.mu.Unlock()
}

// abandon lets nobody wait for anything.
func (w *window) abandon() {
	w.mu.Lock()
	w.ended, w.gone = true, true
	w.space.Broadcast()
	w.mu.Unlock()
}

// drain waits until everything is durable, or refused.
func (w *window) drain() {
	w.mu.Lock()
	for w.n > 0 && !w.gone {
		w.space.Wait()
	}
	w.mu.Unlock()
}
