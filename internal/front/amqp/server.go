package amqp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// Server answers AMQP clients on any number of listeners.
type Server struct {
	broker   *broker.Broker
	cfg      Config
	limits   Limits
	log      *slog.Logger
	observer Observer
	counters counters

	draining chan struct{} // closed: no more frames
	ctx      context.Context
	cancel   context.CancelFunc // ends every connection at once
	unwatch  func()             // ends the watch over users

	mu        sync.Mutex
	closed    bool                      // guarded by mu
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[*conn]struct{}        // guarded by mu
	work      sync.WaitGroup            // one for each connection

	blocked pressure
	bodies  bodyMemory
	replies replies
	rights  rightsOf

	mail      sync.Mutex
	mailboxes map[*broker.Queue]*mailbox // guarded by mail
	declaring sync.Mutex                 // held while a queue is made and gets its owner
}

// counters are since the server started.
type counters struct {
	channels, consumers                                           atomic.Int64 // now
	published, refused, returned, delivered, redelivered, settled atomic.Int64
}

// Stats are counts of messages since the server started, and what there is now.
type Stats struct {
	Connections, Channels, Consumers int64
	// Published were taken from peers, of which Refused were not stored and Returned were routed nowhere.
	Published, Refused, Returned int64
	// Delivered were sent to peers, of which Redelivered not for the first time. Settled were acked, rejected or given back.
	Delivered, Redelivered, Settled int64
}

// Stats counts.
func (s *Server) Stats() Stats {
	c := &s.counters
	return Stats{
		Connections: int64(s.Connections()), Channels: c.channels.Load(), Consumers: c.consumers.Load(),
		Published: c.published.Load(), Refused: c.refused.Load(), Returned: c.returned.Load(),
		Delivered: c.delivered.Load(), Redelivered: c.redelivered.Load(), Settled: c.settled.Load(),
	}
}

// NewServer returns a server that does not listen yet. The broker outlives it. End it with Shutdown.
func NewServer(cfg Config) (*Server, error) {
	if cfg.Broker == nil {
		return nil, errNoBroker
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	orDefault(&cfg.ConnectionsMax, 10_000)
	orDefault(&cfg.Version, "0")
	s := &Server{
		broker: cfg.Broker, cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Log, observer: cfg.Observer,
		draining: make(chan struct{}), listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
		mailboxes: map[*broker.Queue]*mailbox{},
	}
	s.bodies.left = s.limits.BodyBytesMax
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.unwatch = s.broker.WatchUsers(s.usersChanged)
	return s, nil
}

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Serve accepts connections until Shutdown, which makes it return nil. Any other end of the listener is an error. It closes
// the listener.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	if !s.addListener(ln) {
		return nil
	}
	defer s.removeListener(ln)
	pause := acceptPauseMin
	for {
		nc, err := ln.Accept()
		if err == nil {
			pause = acceptPauseMin
			s.accept(nc)
			continue
		}
		if s.stopping() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of file descriptors, or a peer that gave up: others may end soon.
		s.log.Warn("amqp: accept failed", "error", err, "retry_in", pause)
		select {
		case <-time.After(pause):
		case <-s.draining:
			return nil
		}
		pause = min(2*pause, acceptPauseMax)
	}
}

func (s *Server) accept(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	full := len(s.conns) >= s.cfg.ConnectionsMax
	if s.closed || full {
		s.mu.Unlock()
		nc.Close()
		if full {
			s.log.Warn("amqp: too many connections", "peer", nc.RemoteAddr(), "max", s.cfg.ConnectionsMax)
			if f := s.observer.Refused; f != nil {
				f()
			}
		}
		return
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	s.mu.Unlock()
	if f := s.observer.Opened; f != nil {
		f()
	}
	go c.run()
}

// forget is the last thing that a connection does.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	if f := s.observer.Closed; f != nil {
		f()
	}
	s.work.Done()
}

func (s *Server) addListener(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[ln] = struct{}{}
	return true
}

func (s *Server) removeListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

func (s *Server) stopping() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}

// Shutdown stops listening and reading, lets what was published get its confirms, and closes the connections with
// CONNECTION_FORCED. What is unacked goes back. When ctx ends, connections are closed as they are, and its error is
// returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.draining)
	}
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.stopReading()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	defer s.cancel()
	defer s.unwatch()
	defer s.closeMailboxes()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		c.nc.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// Connections is how many there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
