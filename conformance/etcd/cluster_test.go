package etcd

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// hosts are where slots are open.
type hosts struct {
	t  *testing.T
	mu sync.Mutex
	at map[journal.SlotID]string // guarded by mu
}

type host struct {
	*hosts
	name string
}

// openTakes is about what a takeover of a slot reads from a bucket.
const openTakes = 50 * time.Millisecond

// Open implements cluster.Host.
func (h host) Open(ctx context.Context, slot journal.SlotID, _ int64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(openTakes):
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := h.at[slot]; at != "" {
		h.t.Errorf("%s opens slot %d, which %s has", h.name, slot, at)
	}
	h.at[slot] = h.name
	return nil
}

// Close implements cluster.Host.
func (h host) Close(slot journal.SlotID, _ bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at[slot] == h.name {
		delete(h.at, slot)
	}
}

func (h *hosts) until(what string, want map[string]int) time.Duration {
	h.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for ; ; <-tick.C {
		h.mu.Lock()
		got := map[string]int{}
		for _, name := range h.at {
			got[name]++
		}
		h.mu.Unlock()
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return time.Since(began)
		}
		if time.Since(began) > 30*time.Second {
			h.t.Fatalf("not %s after 30 s: %v", what, got)
		}
	}
}

// Three brokers share 64 slots by a real etcd; what one served that falls silent is open elsewhere within the lease and two seconds.
func TestCluster(t *testing.T) {
	const ttl = 3 * time.Second
	server := start(t)
	h := &hosts{t: t, at: map[journal.SlotID]string{}}
	join := func(name string) (stop func(), silence func()) {
		store := open(t, coord.EtcdConfig{Endpoints: []string{endpoint(server)}, RequestTimeout: ttl / 4})
		n := cluster.NewNode(cluster.NodeConfig{
			Coord: store, Timing: cluster.TimingOf(ttl), Slots: 64, Self: cluster.Member{Name: name},
			Serve: func(t *cluster.Tenure) { _ = t.Run(context.Background(), host{h, name}) },
		})
		n.SetReady(true)
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() {
			n.Run(ctx)
			close(over)
		}()
		stop = func() { cancel(); <-over }
		t.Cleanup(stop)
		return stop, func() { _ = store.Close() }
	}
	stopA, _ := join("a")
	t.Log("one has 64 slots after", h.until("taken", map[string]int{"a": 64}))
	join("b")
	t.Log("two share them after", h.until("shared by two", map[string]int{"a": 32, "b": 32}))
	_, silence := join("c")
	t.Log("three share them after", h.until("shared by three", map[string]int{"a": 22, "b": 22, "c": 20}))
	silence()
	took := h.until("taken over", map[string]int{"a": 32, "b": 32})
	if t.Log("one is silent: taken over after", took); took > ttl+2*time.Second {
		t.Errorf("a takeover took %v", took)
	}
	began := time.Now()
	stopA()
	h.until("handed over", map[string]int{"b": 64})
	t.Log("one leaves: handed over after", time.Since(began))
}
