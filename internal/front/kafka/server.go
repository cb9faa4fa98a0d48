package kafka

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// Server answers Kafka clients on any number of listeners.
type Server struct {
	broker   *broker.Broker
	cfg      Config
	limits   Limits
	log      *slog.Logger
	observer Observer

	requestMemory budget
	fetchMemory   allowance
	sessions      *sessions

	draining chan struct{} // closed: no more requests
	ctx      context.Context
	cancel   context.CancelFunc // ends every connection at once

	mu        sync.Mutex
	closed    bool                      // guarded by mu
	listeners map[net.Listener]struct{} // guarded by mu
	conns     map[*conn]struct{}        // guarded by mu
	work      sync.WaitGroup            // one for each connection
}

// New returns a server that does not listen yet. The broker outlives it.
func New(cfg Config) (*Server, error) {
	if cfg.Broker == nil {
		return nil, errNoBroker
	}
	if cfg.Advertised == nil {
		cfg.Advertised = localAddress
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		broker: cfg.Broker, cfg: cfg, limits: cfg.Limits.withDefaults(), log: cfg.Logger, observer: cfg.Observer,
		draining: make(chan struct{}), listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	largeBuffers.keep(int(s.limits.PipelineBytesMax))
	s.requestMemory.left = s.limits.RequestMemory
	s.fetchMemory.left.Store(s.limits.FetchMemory)
	s.sessions = newSessions(s.limits)
	return s, nil
}

const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

// Serve accepts connections until Shutdown, which makes it return nil. Any
// other end of the listener is an error. It closes the listener.
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
		select {
		case <-s.draining:
			return nil
		default:
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of file descriptors, or a peer that gave up: others may end soon.
		s.log.Warn("kafka: accept failed", "error", err, "retry_in", pause)
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
	full := len(s.conns) >= s.limits.ConnectionsMax
	if s.closed || full {
		s.mu.Unlock()
		reset(nc)
		if full {
			s.log.Warn("kafka: too many connections", "peer", nc.RemoteAddr(), "max", s.limits.ConnectionsMax)
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
	s.sessions.sweep(time.Now())
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

// Shutdown stops listening and reading, lets the requests that were read get
// their answers, and closes the connections. Fetches that wait are answered
// with what there is, joins with COORDINATOR_NOT_AVAILABLE. When ctx ends,
// connections are closed as they are, and its error is returned.
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
	select {
	case <-done:
		s.sessions.closeAll()
		return nil
	case <-ctx.Done():
	}
	s.cancel()
	s.mu.Lock()
	for c := range s.conns {
		c.close()
	}
	s.mu.Unlock()
	<-done
	s.sessions.closeAll()
	return ctx.Err()
}

// Connections is how many there are.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// ConnInfo describes a connection.
type ConnInfo struct {
	Peer     net.Addr
	Client   string // what it calls itself
	Since    time.Time
	Requests int64
}

// Conns describes up to n connections.
func (s *Server) Conns(n int) (list []ConnInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if len(list) == n {
			break
		}
		info := ConnInfo{Peer: c.nc.RemoteAddr(), Since: c.since, Requests: c.requests.Load()}
		if name := c.client.Load(); name != nil {
			info.Client = *name
		}
		list = append(list, info)
	}
	return list
}

// FetchSessions is how many incremental fetch sessions there are, and the
// partitions in all of them and in the fetches without one.
func (s *Server) FetchSessions() (sessions, partitions int) { return s.sessions.size() }
