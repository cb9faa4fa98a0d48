package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/queue"
)

// queueSim sends, receives and acks at random on a machine that crashes at random,
// and holds what happens against what was answered.
type queueSim struct {
	queueWorld
	rng     *rand.Rand
	ordered bool
	next    int
	// By message: what was answered for it. "unknown" is what a crash left open.
	sent  map[string]bool // durable, by its answer
	acked map[string]bool // done, by its answer
	asked map[string]bool // an ack was asked for, and its answer did not come
	seen  map[string]int32
	held  []Delivery
	last  map[string]int // by group: the number of its last message that was acked
}

func (s *queueSim) run(steps int) {
	for range steps {
		q := s.queue("q")
		switch k := s.rng.IntN(100); {
		case k < 30:
			s.send(q)
		case k < 60:
			s.receive(q)
		case k < 85:
			s.ack(q)
		case k < 93:
			s.add(time.Duration(s.rng.IntN(15)) * time.Second)
		case k < 95:
			if err := s.b.Retain(s.clock()); err != nil {
				s.t.Fatal(err)
			}
		case k < 97:
			if err := s.b.slot(0).queues.log.Snapshot(); err != nil {
				s.t.Fatal(err)
			}
		default:
			s.crash([]string{"process", "power", "orderly"}[s.rng.IntN(3)], s.rng)
			s.held = nil
		}
	}
}

func (s *queueSim) send(q *Queue) {
	var msgs []Message
	for range 1 + s.rng.IntN(3) {
		g := fmt.Sprintf("g%d", s.rng.IntN(3))
		m := Message{Key: []byte(g), Value: fmt.Appendf(nil, "%s/%d", g, s.next), Delay: -1}
		s.next++
		msgs = append(msgs, m)
	}
	out := make(chan []Sent, 1)
	q.Send(context.Background(), msgs, func(list []Sent) { out <- list })
	if s.rng.IntN(4) == 0 {
		// The answer is not waited for: a crash may come first. An answer that
		// came after the crash's copy of the disk was made proves nothing.
		return
	}
	for i, x := range <-out {
		if x.Err != nil {
			s.t.Fatal(x.Err)
		}
		s.sent[string(msgs[i].Value)] = true
	}
}

func (s *queueSim) receive(q *Queue) {
	for _, d := range mustReceive(s.t, q, ReceiveRequest{Max: 1 + s.rng.IntN(4), Lease: time.Duration(1+s.rng.IntN(20)) * time.Second}) {
		v := string(d.Record.Value)
		if s.acked[v] {
			s.t.Fatalf("%s was delivered after its ack was confirmed", v)
		}
		for _, h := range s.held {
			if string(h.Record.Value) == v && h.FirstReceivedAt == d.FirstReceivedAt && h.Attempts == d.Attempts {
				s.t.Fatalf("attempt %d of %s was given out twice", d.Attempts, v)
			}
		}
		if d.Attempts < s.seen[v] && s.seen[v] > 1 {
			// One attempt may be forgotten by a crash; two that were far apart not.
			if s.seen[v]-d.Attempts > 1 {
				s.t.Fatalf("%s is at attempt %d, was at %d", v, d.Attempts, s.seen[v])
			}
		}
		s.seen[v] = max(s.seen[v], d.Attempts)
		s.inOrder(v)
		s.held = append(s.held, d)
	}
}

// inOrder checks that of an ordered queue's group nothing comes before what was
// sent earlier and is not done.
func (s *queueSim) inOrder(v string) {
	if !s.ordered {
		return
	}
	var g string
	var n int
	fmt.Sscanf(v, "g%d", &n)
	g = fmt.Sprintf("g%d", n)
	fmt.Sscanf(v[len(g)+1:], "%d", &n)
	if n < s.last[g] {
		s.t.Fatalf("%s was delivered after %s/%d was done", v, g, s.last[g])
	}
}

func (s *queueSim) ack(q *Queue) {
	if len(s.held) == 0 {
		return
	}
	i := s.rng.IntN(len(s.held))
	if s.ordered { // a group's messages in their order, as a consumer would
		i = slices.IndexFunc(s.held, func(d Delivery) bool { return string(d.Record.Key) == string(s.held[i].Record.Key) })
	}
	d := s.held[i]
	s.held = append(s.held[:i], s.held[i+1:]...)
	v := string(d.Record.Value)
	out := make(chan []error, 1)
	q.Ack([]queue.Tag{d.Tag}, func(errs []error) { out <- errs })
	if s.rng.IntN(4) == 0 {
		s.asked[v] = true
		return
	}
	if errs := <-out; errs[0] == nil {
		s.acked[v] = true
		if s.ordered {
			var g, n int
			fmt.Sscanf(v, "g%d/%d", &g, &n)
			s.last[fmt.Sprintf("g%d", g)] = max(s.last[fmt.Sprintf("g%d", g)], n)
		}
	}
}

// drain takes everything that is left.
func (s *queueSim) drain() map[string]bool {
	left := make(map[string]bool)
	q := s.queue("q")
	for idle := 0; idle < 3; {
		list := mustReceive(s.t, q, ReceiveRequest{Max: 10, Lease: time.Second})
		if len(list) == 0 {
			idle++
			s.add(time.Minute)
			continue
		}
		idle = 0
		for _, d := range list {
			v := string(d.Record.Value)
			if s.acked[v] {
				s.t.Fatalf("%s was delivered after its ack was confirmed", v)
			}
			left[v] = true
		}
		ackAll(s.t, q, list)
	}
	return left
}

func TestQueueCrashes(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 12
	}
	for _, ordered := range []bool{false, true} {
		for seed := range seeds {
			t.Run(fmt.Sprintf("ordered=%v/seed=%d", ordered, seed), func(t *testing.T) {
				s := &queueSim{
					queueWorld: newQueueWorld(t), rng: rand.New(rand.NewPCG(seed, 11)), ordered: ordered, sent: map[string]bool{},
					acked: map[string]bool{}, asked: map[string]bool{}, seen: map[string]int32{}, last: map[string]int{},
				}
				makeQueue(t, s.b, "q", func(c *catalog.QueueSettings) { c.Ordered = ordered })
				s.run(300)
				s.crash("power", s.rng)
				left := s.drain()
				for v := range s.sent {
					if !left[v] && !s.acked[v] && !s.asked[v] {
						t.Errorf("%s was answered for, and is lost", v)
					}
				}
			})
		}
	}
}
