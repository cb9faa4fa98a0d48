package server

import (
	"errors"
	"net"
	"sync"
	"time"
)

// gate is an endpoint's port for as long as the process lives. Connections go through the door that is open; while none is, they
// are reset at once, so that clients try another address.
type gate struct {
	net.Listener
	mu   sync.Mutex
	door *door // guarded by mu
}

func newGate(ln net.Listener) *gate {
	g := &gate{Listener: ln}
	go g.run()
	return g
}

func (g *gate) run() {
	acceptAll(g.Listener, func(c net.Conn) {
		g.mu.Lock()
		d := g.door
		g.mu.Unlock()
		if d == nil || !d.take(c) {
			reset(c)
		}
	})
}

// acceptPause is after an error of accepting, such as too many open files.
const acceptPause = 50 * time.Millisecond

// acceptAll takes the connections of a listener until that is closed.
func acceptAll(ln net.Listener, take func(net.Conn)) {
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			take(c)
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(acceptPause)
		}
	}
}

// open lets connections through a new door, and none through the one before. valid, if not nil, is asked before each write.
func (g *gate) open(valid func() bool) *door {
	d := &door{feed: newFeed(g.Addr()), valid: valid, conns: make(map[*fenced]struct{})}
	g.mu.Lock()
	before := g.door
	g.door = d
	g.mu.Unlock()
	if before != nil {
		before.shut()
	}
	return d
}

// shut closes the door that is open.
func (g *gate) shut() {
	g.mu.Lock()
	d := g.door
	g.door = nil
	g.mu.Unlock()
	if d != nil {
		d.shut()
	}
}

// door is a listener for connections that a gate lets through.
type door struct {
	*feed
	valid func() bool

	mu    sync.Mutex
	conns map[*fenced]struct{} // guarded by mu
	cut   bool                 // guarded by mu
}

func (d *door) take(c net.Conn) bool {
	f := &fenced{Conn: c, door: d}
	d.mu.Lock()
	over := d.cut
	if !over {
		d.conns[f] = struct{}{}
	}
	d.mu.Unlock()
	if over {
		return false
	}
	if !d.feed.take(f) {
		d.forget(f)
		return false
	}
	return true
}

// shut closes the door and resets all connections that came through it.
func (d *door) shut() {
	_ = d.Close()
	d.mu.Lock()
	d.cut = true
	var conns []*fenced
	for f := range d.conns {
		conns = append(conns, f)
	}
	d.mu.Unlock()
	for _, f := range conns {
		reset(f.Conn)
	}
}

func (d *door) forget(f *fenced) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, f)
}

// fenced is a connection on which nothing is said when that is not allowed any more: a process that was stopped past its lease
// finds out before it sends what it had prepared.
type fenced struct {
	net.Conn
	door *door
}

// Write implements net.Conn.
func (f *fenced) Write(b []byte) (int, error) {
	if valid := f.door.valid; valid != nil && !valid() {
		reset(f.Conn)
		return 0, net.ErrClosed
	}
	return f.Conn.Write(b)
}

// Close implements net.Conn.
func (f *fenced) Close() error {
	f.door.forget(f)
	return f.Conn.Close()
}

// SetLinger is net.TCPConn's: fronts reset a connection so.
func (f *fenced) SetLinger(seconds int) error {
	if tcp, ok := f.Conn.(*net.TCPConn); ok {
		return tcp.SetLinger(seconds)
	}
	return nil
}

// reset closes a connection without sending what waits to be sent.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
