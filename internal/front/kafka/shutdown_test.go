package kafka

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"testing"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// waiting lets the server get as far as n requests that are not finished.
func (r *rig) waiting(n int) {
	r.t.Helper()
	ctx := patient(r.t)
	for {
		got := 0
		r.server.mu.Lock()
		for c := range r.server.conns {
			got += int(c.outstanding.Load())
		}
		r.server.mu.Unlock()
		if got == n {
			return
		}
		if ctx.Err() != nil {
			r.t.Fatalf("%d requests wait, want %d", got, n)
		}
		runtime.Gosched()
	}
}

func joinRequest(instance string) *wire.JoinGroupRequest {
	return &wire.JoinGroupRequest{
		GroupId: "g", SessionTimeoutMs: 30_000, RebalanceTimeoutMs: 60_000, ProtocolType: "consumer", GroupInstanceId: &instance,
		Protocols: []wire.JoinGroupRequestJoinGroupRequestProtocol{{Name: "range", Metadata: []byte{0, 0}}},
	}
}

// What was read is answered, what waits is let go, and no more is taken.
func TestShutdown(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	idle, fetching, joining := rig.dial(), rig.dial(), rig.dial()
	if r := ask[*wire.JoinGroupResponse](idle, 5, joinRequest("a")); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	q := fetchRequest("t", 0)
	q.MinBytes, q.MaxWaitMs = 1, 600_000
	fetching.send(12, q)
	joining.send(5, joinRequest("b")) // waits for the first member
	rig.waiting(2)
	if err := rig.server.Shutdown(patient(t)); err != nil {
		t.Fatal(err)
	}
	if got := told(t, fetching.receive().(*wire.FetchResponse)); got != "t/0 hw 0; " {
		t.Errorf("fetch: %q", got)
	}
	if r := joining.receive().(*wire.JoinGroupResponse); r.ErrorCode != codeCoordinatorNotAvailable {
		t.Errorf("join: %+v", r)
	}
	for _, c := range []*client{idle, fetching, joining} {
		c.closed()
	}
}

// A client that has just connected tries again elsewhere: it does not take the server for one that speaks something else.
func TestShutdownResetsWhoAskedNothing(t *testing.T) {
	rig := newRig(t)
	c, fresh, asked := rig.dial(), rig.dial(), rig.dial()
	ask[*wire.ApiVersionsResponse](fresh, 0, &wire.ApiVersionsRequest{}) // as all clients do first
	ask[*wire.MetadataResponse](asked, 12, &wire.MetadataRequest{})
	ctx := patient(t)
	for rig.server.Connections() < 3 {
		if ctx.Err() != nil {
			t.Fatal("not accepted")
		}
		runtime.Gosched()
	}
	if err := rig.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{c, fresh} {
		if _, err := c.nc.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("it reads %v", err)
		}
	}
	asked.closed()
}

// A client whose first request was read when there is no time left for an answer is reset too.
func TestShutdownResetsWhoHasNoAnswer(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	clients := make([]*client, 20)
	q := fetchRequest("t", 0)
	q.MinBytes, q.MaxWaitMs = 1, 600_000
	for i := range clients {
		clients[i] = rig.dial()
		clients[i].send(12, q)
	}
	rig.waiting(len(clients))
	_ = rig.server.Shutdown(ctx) // some get their answer all the same
	for _, c := range clients {
		if _, err := c.nc.Read(make([]byte, 1)); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("it reads %v", err)
		}
	}
}

// A client that does not take its answers does not hold up a shutdown for ever.
func TestShutdownGivesUp(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	for range 20 {
		rig.put("t", 0, 1, 1_000_000)
	}
	c := rig.dial()
	q := fetchRequest("t", 0)
	q.Topics[0].Partitions[0].PartitionMaxBytes = 20 << 20
	c.send(12, q) // more than sockets hold
	rig.waiting(1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := rig.server.Shutdown(ctx); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
}

// A client that leaves while its requests wait leaves nothing behind.
func TestDisconnectWhileWaiting(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c, d := rig.dial(), rig.dial()
	q := fetchRequest("t", 0)
	q.MinBytes, q.MaxWaitMs, q.SessionEpoch = 1, 600_000, epochFull
	c.send(12, q)
	ask[*wire.JoinGroupResponse](d, 5, joinRequest("a"))
	d.send(5, joinRequest("b"))
	rig.waiting(2)
	c.nc.Close()
	d.nc.Close()
	ctx := patient(t)
	for rig.server.Connections() > 0 {
		if ctx.Err() != nil {
			t.Fatal("connections are left")
		}
		runtime.Gosched()
	}
	// The session is there to be taken up again.
	if n, _ := rig.server.FetchSessions(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
