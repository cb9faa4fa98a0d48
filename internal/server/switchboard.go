package server

import (
	"io"
	"net"
	"sync"
)

// switchboard takes an endpoint's connections where only one broker of a cluster can serve them: it hands them to the server here, or
// carries them, byte by byte, to the broker that has it.
type switchboard struct {
	addr  net.Addr
	carry func(net.Conn) (net.Conn, error) // a way to where the server is, for that client

	mu   sync.Mutex
	here *feed // guarded by mu; nil: the server is elsewhere
}

// open begins to hand connections over; the listener is the server's.
func (s *switchboard) open() net.Listener {
	f := newFeed(s.addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.here = f
	return f
}

// close ends what open began.
func (s *switchboard) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.here != nil {
		_ = s.here.Close()
		s.here = nil
	}
}

// serve takes the connections of a listener until that is closed.
func (s *switchboard) serve(ln net.Listener) {
	acceptAll(ln, func(c net.Conn) { go s.connect(c) })
}

func (s *switchboard) connect(c net.Conn) {
	if s.take(c) {
		return
	}
	way, err := s.carry(c)
	if err != nil {
		reset(c)
		return
	}
	join(c, way)
}

// take hands a connection to the server here, if it is.
func (s *switchboard) take(c net.Conn) bool {
	s.mu.Lock()
	f := s.here
	s.mu.Unlock()
	return f != nil && f.take(c)
}

// join carries bytes both ways until both are at their end, or one way fails.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		if _, err := io.Copy(to, from); err != nil {
			_, _ = a.Close(), b.Close()
			return
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
			return
		}
		_ = to.Close()
	}
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
	_, _ = a.Close(), b.Close()
}

// feed is a listener for connections that come another way.
type feed struct {
	addr net.Addr
	come chan net.Conn
	done chan struct{}
	once sync.Once
}

func newFeed(addr net.Addr) *feed {
	return &feed{addr: addr, come: make(chan net.Conn), done: make(chan struct{})}
}

func (f *feed) take(c net.Conn) bool {
	select {
	case f.come <- c:
		return true
	case <-f.done:
		return false
	}
}

// Accept implements net.Listener.
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.come:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (f *feed) Addr() net.Addr { return f.addr }

// Close implements net.Listener. Connections that came stay.
func (f *feed) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}
