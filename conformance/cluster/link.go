package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// link is a wire between two parts: a TCP proxy that can be cut, slowed and torn. What is cut is held back, as a network
// that drops packets does until they are sent again: after the cut, connections go on or end, as their programs like.
type link struct {
	ln   net.Listener
	dial string

	mu    sync.Mutex
	state wire
	news  chan struct{} // closed when the state changes
	open  map[net.Conn]struct{}
}

// wire is what a link does to its bytes.
type wire struct {
	cutThere, cutBack bool          // hold back what goes to the server, or what comes from it
	refused           bool          // end each connection at once
	delay             time.Duration // of each piece
	rate              int           // bytes a second, each way; 0: all there is
}

const pieceBytes = 16 << 10

func newLink(dial string) (*link, error) { return newLinkAt("127.0.0.1:0", dial) }

func newLinkAt(listen, dial string) (*link, error) {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	l := &link{ln: ln, dial: dial, news: make(chan struct{}), open: map[net.Conn]struct{}{}}
	go l.accept()
	return l, nil
}

func (l *link) addr() string { return l.ln.Addr().String() }

// set changes what the link does.
func (l *link) set(w wire) {
	l.mu.Lock()
	l.state = w
	close(l.news)
	l.news = make(chan struct{})
	l.mu.Unlock()
	if w.refused {
		l.reset()
	}
}

func (l *link) now() (wire, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state, l.news
}

// reset ends all connections in the middle of whatever they are at.
func (l *link) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		abort(c)
	}
}

// abort ends a connection as one ends that there is nobody for: a client that sees it end in good order may give up.
func abort(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

func (l *link) close() {
	_ = l.ln.Close()
	l.set(wire{refused: true}) // wakes up and ends whatever is held back
}

func (l *link) accept() {
	for {
		c, err := l.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go l.carry(c)
		}
	}
}

// carry connects a client with the server until one of them has enough.
func (l *link) carry(client net.Conn) {
	defer l.forget(client)
	if !l.keep(client) || !l.pass(0, func(w wire) bool { return w.cutThere || w.cutBack }) {
		return
	}
	server, err := net.DialTimeout("tcp", l.dial, 2*time.Second)
	if err != nil {
		abort(client)
		return
	}
	defer l.forget(server)
	if !l.keep(server) {
		return
	}
	done := make(chan error, 2)
	there, back := way{to: server}, way{to: client}
	pump := func(on *way, from net.Conn, cut func(wire) bool) {
		piece := make([]byte, pieceBytes)
		for {
			n, err := from.Read(piece)
			if n > 0 && l.pass(n, cut) {
				err = errors.Join(err, on.write(piece[:n]))
			}
			if err != nil {
				done <- err
				return
			}
		}
	}
	go pump(&there, client, func(w wire) bool { return w.cutThere })
	go pump(&back, server, func(w wire) bool { return w.cutBack })
	if err := <-done; !errors.Is(err, io.EOF) || there.broke() || back.broke() {
		abort(client) // as the server did
	}
}

// way is one of the two of a connection. A reset is told once: to a write that meets it, and then what is read looks like an end in
// good order.
type way struct {
	to     net.Conn
	mu     sync.Mutex // held while something is written
	failed bool       // guarded by mu
}

func (x *way) write(b []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, err := x.to.Write(b)
	x.failed = x.failed || err != nil
	return err
}

// broke ends the way, and tells whether that was needed.
func (x *way) broke() bool {
	_ = x.to.SetWriteDeadline(time.Unix(1, 0))
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

// keep notes a connection, unless there shall be none.
func (l *link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[c] = struct{}{}
	return !l.state.refused
}

func (l *link) forget(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// pass waits until n bytes may go on, and returns false when their connection was ended.
func (l *link) pass(n int, cut func(wire) bool) bool {
	w, news := l.now()
	for cut(w) && !w.refused {
		<-news
		w, news = l.now()
	}
	wait := w.delay
	if w.rate > 0 {
		wait += time.Duration(n) * time.Second / time.Duration(w.rate)
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	return !w.refused
}
