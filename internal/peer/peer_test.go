package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/test/bufconn"

	"github.com/narumq/naru/internal/fault"
)

const (
	echo Method = iota
	wait        // answers when its context ends
	hold        // never answers by itself
	refuse
	count // pushes numbers, and then answers
	leased
)

var errTest = fault.New(fault.OutOfRange, "test: out of range")

// rig is a server and its client, with a connection that can be cut.
type rig struct {
	t      *testing.T
	server *Server
	client *Client
	calls  chan *Call // of hold
	lost   chan int
	order  []uint32

	mu    sync.Mutex // guards conns
	conns []net.Conn
	dials atomic.Int32
}

func newRig(t *testing.T, tunnel func(string, net.Conn)) *rig {
	r := &rig{t: t, calls: make(chan *Call, 100), lost: make(chan int, 100)}
	l := bufconn.Listen(1 << 20)
	r.server = NewServer(Config{Node: 2, Cluster: "c"}, r.handle, tunnel)
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(l) }()
	var err error
	r.client, err = NewClient(Config{Node: 1, Cluster: "c", Dial: func(ctx context.Context, _ string) (net.Conn, error) {
		r.dials.Add(1)
		conn, err := l.DialContext(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.conns = append(r.conns, conn)
		return conn, err
	}}, 2, "there:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.client.Close()
		r.server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return r
}

// cut ends the connections there are.
func (r *rig) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		if c != nil {
			c.Close()
		}
	}
	r.conns = nil
}

func (r *rig) handle(c *Call) {
	switch c.Method {
	case echo:
		if len(c.Payload) == 4 {
			r.order = append(r.order, binary.BigEndian.Uint32(c.Payload))
		}
		go c.Answer(c.Payload)
	case wait:
		context.AfterFunc(c.Context(), func() { c.Fail(c.Context().Err()) })
		r.calls <- c
	case hold:
		r.calls <- c
	case refuse:
		c.Fail(fmt.Errorf("at 7: %w", errTest))
	case count:
		for i := range c.Payload[0] {
			c.Push(nil, []byte{i})
		}
		c.Answer()
	case leased:
		c.AnswerOr(func() { r.lost <- int(c.Payload[0]) }, c.Payload)
	}
}

// start begins a call, whose outcome comes.
func (r *rig) start(ctx context.Context, m Method, payload ...[]byte) chan error {
	out := make(chan error, 1)
	r.client.Start(ctx, Request{Method: m, Payload: payload}, func(_ []byte, err error) { out <- err })
	return out
}

func (r *rig) echo(payload ...[]byte) {
	r.t.Helper()
	got, err := r.client.Do(r.t.Context(), echo, payload...)
	if want := bytes.Join(payload, nil); err != nil || !bytes.Equal(got, want) {
		r.t.Fatalf("%d bytes, %v; want %d bytes", len(got), err, len(want))
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

func TestCalls(t *testing.T) {
	r := newRig(t, nil)
	r.echo()
	r.echo([]byte("a"), nil, []byte("bc"))
	r.echo(bytes.Repeat([]byte("0123456789abcdef"), 32<<16)) // 32 MiB
	_, err := r.client.Do(t.Context(), refuse)
	if !errors.Is(err, errTest) || err.Error() != "at 7: test: out of range" || fault.CodeOf(err) != fault.OutOfRange {
		t.Errorf("got %v", err)
	}
	_, err = r.client.Do(t.Context(), echo, make([]byte, PayloadMax+1))
	wantErr(t, err, ErrTooLarge)
	r.echo(make([]byte, PayloadMax))
}

// The server begins calls in the order in which one caller starts them.
func TestOrder(t *testing.T) {
	r := newRig(t, nil)
	const n = 5000
	var left sync.WaitGroup
	left.Add(n)
	for i := range uint32(n) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], i)
		r.client.Start(t.Context(), Request{Method: echo, Payload: [][]byte{b[:]}}, func(got []byte, err error) {
			if err != nil || binary.BigEndian.Uint32(got) != i {
				t.Errorf("call %d: %v %v", i, got, err)
			}
			left.Done()
		})
		clear(b[:]) // it was copied
	}
	left.Wait()
	for i, got := range r.order {
		if got != uint32(i) {
			t.Fatalf("call %d was begun as number %d", got, i)
		}
	}
}

func TestPushes(t *testing.T) {
	r := newRig(t, nil)
	var got []byte
	done := make(chan error, 1)
	r.client.Start(t.Context(), Request{
		Method: count, Payload: [][]byte{{200}}, Push: func(b []byte) { got = append(got, b...) },
	}, func(_ []byte, err error) { done <- err })
	if err := <-done; err != nil || len(got) != 200 || got[0] != 0 || got[199] != 199 {
		t.Fatal(err, got)
	}
}

func TestCancel(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	out := r.start(ctx, wait)
	<-r.calls
	cancel()
	wantErr(t, <-out, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	waited := make(chan error, 1)
	go func() {
		_, err := r.client.Do(ctx, hold)
		waited <- err
	}()
	c := <-r.calls
	cancel()
	wantErr(t, <-waited, ErrUnknownOutcome)
	<-c.Context().Done()
	c.Answer() // too late for who asked
	r.echo([]byte("x"))

	_, err := r.client.Do(ctx, echo)
	wantErr(t, err, ErrNotSent)
}

// Whatever the connection is cut at, no call ends well that was not answered.
func TestCutWhileServerWorks(t *testing.T) {
	r := newRig(t, nil)
	var outs []chan error
	var calls []*Call
	for range 10 {
		outs = append(outs, r.start(t.Context(), hold))
		calls = append(calls, <-r.calls)
	}
	r.cut()
	for i, out := range outs {
		wantErr(t, <-out, ErrUnknownOutcome)
		<-calls[i].Context().Done()
		calls[i].Answer() // nobody gets it
	}
	r.reconnect()
	if r.dials.Load() < 2 {
		t.Error("it did not connect again")
	}
}

// reconnect calls until the connection is there again.
func (r *rig) reconnect() {
	r.t.Helper()
	for {
		if _, err := r.client.Do(r.t.Context(), echo, []byte("x")); err == nil {
			return
		} else if !errors.Is(err, ErrNotSent) && !errors.Is(err, ErrUnknownOutcome) {
			r.t.Fatal(err)
		}
	}
}

// A storm of calls over a connection that is cut again and again.
func TestCutStorm(t *testing.T) {
	r := newRig(t, nil)
	var answered, unknown, unsent atomic.Int64
	for range 20 {
		var left sync.WaitGroup
		for i := range 200 {
			left.Add(1)
			want := bytes.Repeat([]byte{byte(i)}, 1+i*37)
			r.client.Start(t.Context(), Request{Method: echo, Payload: [][]byte{want}}, func(got []byte, err error) {
				switch {
				case err == nil && bytes.Equal(got, want):
					answered.Add(1)
				case errors.Is(err, ErrUnknownOutcome) && !errors.Is(err, ErrNotSent):
					unknown.Add(1)
				case errors.Is(err, ErrNotSent) && !errors.Is(err, ErrUnknownOutcome):
					unsent.Add(1)
				default:
					t.Errorf("%d bytes, %v", len(got), err)
				}
				left.Done()
			})
			if i == 100 {
				r.cut()
			}
		}
		left.Wait()
		r.reconnect()
	}
	t.Logf("%d answered, %d unknown, %d not sent", &answered, &unknown, &unsent)
	r.client.calls.Take(t.Context(), CallsMax) // all of it was given back
	r.client.bytes.Take(t.Context(), BytesMax)
}

// An answer that the other broker did not confirm is lost.
func TestLostAnswer(t *testing.T) {
	r := newRig(t, nil)
	wantErr(t, <-r.start(t.Context(), leased, []byte{1}), nil)
	r.echo([]byte("x")) // behind it the confirmation was read
	out := r.start(t.Context(), hold)
	c := <-r.calls
	r.cut()
	wantErr(t, <-out, ErrUnknownOutcome)
	<-c.Context().Done()
	c.AnswerOr(func() { r.lost <- 2 })
	if got := <-r.lost; got != 2 || len(r.lost) != 0 {
		t.Errorf("answer %d was lost, and %d others", got, len(r.lost))
	}
}

// A call waits while there are too many, in turn.
func TestRoom(t *testing.T) {
	r := NewRoom(10)
	wantErr(t, r.Take(t.Context(), 8), nil)
	var got []int
	results := make(chan int)
	for _, n := range []int{5, 1} {
		go func() {
			r.Take(context.Background(), n)
			results <- n
		}()
		for {
			r.mu.Lock()
			waiting := len(r.waiters)
			r.mu.Unlock()
			if waiting == 1 && n == 5 || waiting == 2 {
				break
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantErr(t, r.Take(ctx, 1), context.Canceled)
	r.Give(8)
	got = append(got, <-results, <-results)
	if r.free != 4 || len(r.waiters) != 0 || len(got) != 2 {
		t.Errorf("%d are free, %v", r.free, got)
	}
	wantErr(t, r.Take(t.Context(), 4), nil)
	r.Give(10)
	wantErr(t, r.Take(t.Context(), 1000), nil) // all there is
}

// Whoever calls is of this cluster, and calls this broker.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		cluster string
		to      int32
	}{{"another", 2}, {"c", 3}} {
		r := newRig(t, func(string, net.Conn) { t.Error("a tunnel") })
		client, err := NewClient(Config{Node: 1, Cluster: c.cluster, Dial: r.client.cfg.Dial}, c.to, "there:1")
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		_, err = client.Do(t.Context(), echo)
		wantErr(t, err, ErrNotSent)
		wantErr(t, err, ErrRefused)
		_, err = client.Tunnel(t.Context(), "x", textAddr("a"), textAddr("b"))
		wantErr(t, err, ErrRefused)
	}
}

func TestNobodyThere(t *testing.T) {
	client, err := NewClient(Config{Cluster: "c", Dial: func(context.Context, string) (net.Conn, error) { return nil, io.EOF }}, 2, "there:1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(t.Context(), echo)
	wantErr(t, err, ErrNotSent)
	client.Close()
	_, err = client.Do(t.Context(), echo)
	wantErr(t, err, ErrNotSent)
}

// mute is a connection whose other side has gone silent.
type mute struct {
	net.Conn
	silent *atomic.Bool
}

func (m mute) Read(b []byte) (int, error) {
	for {
		n, err := m.Conn.Read(b)
		if err != nil || !m.silent.Load() {
			return n, err
		}
	}
}

// A broker that says nothing any more is noticed.
func TestSilence(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go r.server.Serve(l)
	var silent atomic.Bool
	client, err := NewClient(Config{Node: 1, Cluster: "c", Dial: func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		return mute{c, &silent}, err
	}}, 2, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	out := make(chan error, 1)
	client.Start(t.Context(), Request{Method: hold}, func(_ []byte, err error) { out <- err })
	c := <-r.calls
	began := time.Now()
	silent.Store(true)
	wantErr(t, <-out, ErrUnknownOutcome)
	if took := time.Since(began); took > 2*SilenceMax {
		t.Errorf("it took %v", took)
	}
	<-c.Context().Done()
}

func TestPeers(t *testing.T) {
	r := newRig(t, nil)
	p := NewPeers(r.client.cfg)
	a, err := p.Client(2, "there:1")
	wantErr(t, err, nil)
	if b, _ := p.Client(2, "there:1"); a != b {
		t.Error("two clients for one broker")
	}
	if b, _ := p.Client(2, "there:2"); a == b {
		t.Error("the client of an old address")
	}
	p.Keep(func(node int32) bool { return node != 2 })
	if len(p.list) != 0 {
		t.Error("a client of a broker that is gone")
	}
	p.Close()
	_, err = p.Client(2, "there:1")
	wantErr(t, err, ErrNotSent)
}
