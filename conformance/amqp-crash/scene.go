package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

const (
	publishers = 3 // that wait for confirms
	committers = 2 // publishers that use transactions
	patience   = 20 * time.Second
)

// scene is the clients and what they saw.
type scene struct {
	srv  *lives.Server
	seed uint64

	mu         sync.Mutex // guards what follows
	events     []*copies.Event
	closed     map[int]int64 // channels
	channels   int
	deliveries int
	sent       [][2]string // copies that were confirmed, as value and queue
	settled    map[[2]string]bool

	stopSends context.CancelFunc
	sends     sync.WaitGroup
	stopReads context.CancelFunc
	reads     sync.WaitGroup
}

func newScene(srv *lives.Server, seed uint64) *scene {
	return &scene{srv: srv, seed: seed, closed: map[int]int64{}, settled: map[[2]string]bool{}}
}

func now() int64 { return time.Now().UnixNano() }

func dial(ctx context.Context, addr string) (*amqp.Connection, error) {
	return amqp.DialConfig("amqp://guest:guest@"+addr+"/", amqp.Config{Heartbeat: patience, Dial: func(network, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: patience}
		c, err := d.DialContext(ctx, network, addr)
		if err == nil {
			err = c.SetDeadline(time.Now().Add(patience)) // of the handshake; the client lifts it
		}
		return c, err
	}})
}

// channel is a channel on a connection of its own, and the life of the server that it belongs to.
type channel struct {
	*amqp.Channel
	s      *scene
	conn   *amqp.Connection
	number int
	opened int64
	life   int
}

var errOther = errors.New("the server was started meanwhile")

// open opens a channel in one life of the server.
func (s *scene) open(ctx context.Context) (*channel, error) {
	life, opened := s.srv.Life(), now()
	conn, err := dial(ctx, s.srv.Addr)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil && s.srv.Life() != life {
		err = errOther
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels++
	return &channel{Channel: ch, s: s, conn: conn, number: s.channels, opened: opened, life: life}, nil
}

// close ends the channel with its connection. It is answered if it can be.
func (c *channel) close() {
	c.s.mu.Lock()
	c.s.closed[c.number] = now()
	c.s.mu.Unlock()
	c.conn.Close()
}

// event is one on this channel, which begins now.
func (c *channel) event(k copies.Kind, value string) *copies.Event {
	t := now()
	return &copies.Event{Kind: k, Value: value, Channel: c.number, Opened: c.opened, Life: c.life, Start: t, Time: t}
}

func (s *scene) note(events ...*copies.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if e.Kind == copies.Deliver {
			s.deliveries++
			e.Delivery = s.deliveries
		}
		if e.Kind == copies.Ack && e.To == "" {
			s.settled[[2]string{e.Value, homeOf(e.Queue)}] = true
		}
	}
	s.events = append(s.events, events...)
}

func homeOf(queue string) string {
	if home, ok := known(nil).Homes[queue]; ok {
		return home
	}
	return queue
}

// confirmed notes that publishes were.
func (s *scene) confirmed(events ...*copies.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.OK, e.Time = true, now()
		for _, q := range e.Queues {
			s.sent = append(s.sent, [2]string{e.Value, q})
		}
	}
}

// certain notes that the ends of deliveries are.
func (s *scene) certain(how copies.Certainty, ends []*copies.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range ends {
		e.Certain, e.Time = how, now()
	}
}

// left counts the copies that were confirmed, and that nobody tried to settle.
func (s *scene) left() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.sent {
		if !s.settled[k] {
			n++
		}
	}
	return n
}

// begin starts all clients.
func (s *scene) begin(ctx context.Context) {
	sends, stopSends := context.WithCancel(ctx)
	reads, stopReads := context.WithCancel(ctx)
	s.stopSends, s.stopReads = stopSends, stopReads
	for i := range publishers + committers {
		s.sends.Go(func() { s.publish(sends, i, i >= publishers) })
	}
	for i, q := range queues {
		if q.name == wait {
			continue
		}
		for _, tx := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(s.seed, uint64(100+i)))
			s.reads.Go(func() { s.consume(reads, q.name, tx, rng) })
		}
	}
}

// history is what was seen, with the time when each channel was closed.
func (s *scene) history() []copies.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []copies.Event
	for _, e := range s.events {
		x := *e
		x.Closed = s.closed[x.Channel]
		out = append(out, x)
	}
	return out
}

func (s *scene) summary() string {
	n, certain, died := map[copies.Kind]int{}, map[copies.Certainty]int{}, 0
	confirmed := 0
	for _, e := range s.history() {
		n[e.Kind]++
		switch {
		case e.Kind == copies.Publish && e.OK:
			confirmed++
		case e.Kind == copies.Ack || e.Kind == copies.Reject:
			certain[e.Certain]++
		case e.Kind == copies.Deliver && len(e.Deaths) > 0:
			died++
		}
	}
	return fmt.Sprintf("%d publishes (%d confirmed as %d copies), %d deliveries (%d that had died), %d acks and %d rejections (%d committed, %d synchronised), %d requeued, %d channels, %d lives",
		n[copies.Publish], confirmed, len(s.sent), n[copies.Deliver], died, n[copies.Ack], n[copies.Reject], certain[copies.Committed], certain[copies.Synchronised], n[copies.Requeue], s.channels, s.srv.Life())
}
