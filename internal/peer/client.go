package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Client calls one other broker. It connects when it is needed, and again after the
// connection broke, at most so often.
type Client struct {
	cfg    Config
	node   int32
	addr   string
	conn   *grpc.ClientConn
	calls  *Room
	bytes  *Room
	active atomic.Int64 // calls and tunnels
	used   atomic.Int64 // when it was used last, in nanoseconds since 1970

	mu      sync.Mutex // guards what follows
	link    *link
	opening *opening
	closed  bool
}

// opening is a link that is being made.
type opening struct {
	done chan struct{}
	link *link // set before done
	err  error
}

var errClosed = errors.New("closed")

// NewClient makes a client of the broker with a number at an address, HOST:PORT. With
// number 0 it is whoever is there.
func NewClient(cfg Config, node int32, addr string) (*Client, error) {
	dial := cfg.Dial
	if dial == nil {
		var d net.Dialer
		dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(clientCredentials(cfg.TLS)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return watched{c}, nil
		}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffMin, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMax},
			MinConnectTimeout: openMax,
		}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(frameMax), grpc.MaxCallSendMsgSize(frameMax)),
		grpc.WithStaticStreamWindowSize(streamWindow), grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(), grpc.WithMaxHeaderListSize(headersMax),
	)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, node: node, addr: addr, conn: conn, calls: NewRoom(CallsMax), bytes: NewRoom(BytesMax)}
	c.used.Store(time.Now().UnixNano())
	return c, nil
}

func clientCredentials(cfg *tls.Config) credentials.TransportCredentials {
	if cfg == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(cfg.Clone())
}

// Node is the other broker's number.
func (c *Client) Node() int32 { return c.node }

// Request is a call.
type Request struct {
	Method  Method
	Payload [][]byte // is put together; copied before Start returns
	// Push gets what the server sends before its answer. It must be quick and must not
	// block. nil: the server may send nothing.
	Push func([]byte)
}

// Start begins a call, after those that were started before. done is called once, maybe
// before Start returns: it must be quick and must not block. Start may wait, for room
// and for a connection, until ctx ends. When ctx ends later, the server is asked to end
// the call, and done is called with what it then says.
//
// Errors: those of the server's handler; ErrTooLarge, ErrNotSent, which may wrap
// ErrRefused and ctx's; ErrUnknownOutcome.
func (c *Client) Start(ctx context.Context, r Request, done func([]byte, error)) {
	n := size(r.Payload)
	if n > PayloadMax {
		done(nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, PayloadMax))
		return
	}
	if err := ctx.Err(); err != nil {
		done(nil, notSent(err))
		return
	}
	if err := c.calls.Take(ctx, 1); err != nil {
		done(nil, notSent(err))
		return
	}
	if err := c.bytes.Take(ctx, n); err != nil {
		c.calls.Give(1)
		done(nil, notSent(err))
		return
	}
	c.use()
	finish := func(b []byte, err error) {
		c.bytes.Give(n)
		c.calls.Give(1)
		c.unuse()
		done(b, err)
	}
	l, err := c.current(ctx)
	if err == nil {
		err = l.start(ctx, &call{push: r.Push, done: finish}, r.Method, r.Payload)
	}
	if err != nil {
		finish(nil, notSent(err))
	}
}

// Do is Start for who waits. When ctx ends it waits no longer: what the call does then
// is unknown.
func (c *Client) Do(ctx context.Context, m Method, payload ...[]byte) ([]byte, error) {
	type outcome struct {
		b   []byte
		err error
	}
	answer := make(chan outcome, 1)
	c.Start(ctx, Request{Method: m, Payload: payload}, func(b []byte, err error) { answer <- outcome{b, err} })
	select {
	case o := <-answer:
		return o.b, o.err
	case <-ctx.Done():
	}
	select {
	case o := <-answer:
		return o.b, o.err
	default:
		return nil, unknown(ctx.Err())
	}
}

func (c *Client) use()   { c.active.Add(1) }
func (c *Client) unuse() { c.active.Add(-1); c.used.Store(time.Now().UnixNano()) }

// idle tells whether nobody has used it for a while.
func (c *Client) idle(now time.Time) bool {
	return c.active.Load() == 0 && now.UnixNano()-c.used.Load() > int64(idleMax)
}

// current is the link, a new one if there is none.
func (c *Client) current(ctx context.Context) (*link, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errClosed
	}
	if c.link != nil && c.link.over() == nil {
		defer c.mu.Unlock()
		return c.link, nil
	}
	o := c.opening
	if o == nil {
		o = &opening{done: make(chan struct{})}
		c.opening = o
		go c.open(o)
	}
	c.mu.Unlock()
	select {
	case <-o.done:
		return o.link, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) open(o *opening) {
	o.link, o.err = c.newLink()
	c.mu.Lock()
	c.opening = nil
	switch {
	case o.err != nil:
		c.cfg.log().Debug("no connection to a broker", "node", c.node, "addr", c.addr, "err", o.err)
	case c.closed:
		o.link.cancel()
	default:
		c.link = o.link
	}
	c.mu.Unlock()
	close(o.done)
}

// newLink opens a stream of calls, and sees that the right broker is at its end.
func (c *Client) newLink() (*link, error) {
	ctx, cancel := context.WithCancel(c.hello(context.Background()))
	late := time.AfterFunc(openMax, cancel)
	stream, err := c.conn.NewStream(ctx, &callsDesc, callsMethod)
	if err == nil {
		err = c.welcomed(stream)
	}
	if !late.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("broker %d at %s: %w", c.node, c.addr, err)
	}
	return newLink(ctx, cancel, stream), nil
}

// hello says who calls whom.
func (c *Client) hello(ctx context.Context, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, append(more,
		keyVersion, strconv.Itoa(version), keyCluster, c.cfg.Cluster,
		keyFrom, strconv.Itoa(int(c.cfg.Node)), keyTo, strconv.Itoa(int(c.node)))...)
}

// welcomed waits for the server's word. The stream is then bound to its connection.
func (c *Client) welcomed(stream grpc.ClientStream) error {
	md, err := stream.Header()
	if err != nil {
		return refused(err)
	}
	if len(md.Get(keyFrom)) > 0 {
		return nil
	}
	var b []byte
	return refused(stream.RecvMsg(&b)) // it has the status with which the server refused
}

// Close ends all calls.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	l := c.link
	c.mu.Unlock()
	if l != nil {
		l.cancel()
	}
	return c.conn.Close()
}
