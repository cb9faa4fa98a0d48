package server

import (
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/cluster"
)

// What operators say is seen in the status, and done.
func TestClusterWishes(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	owner := func() int32 {
		st, err := clusterStatus(t.Context(), c.quorum, "test")
		if err != nil {
			t.Fatal(err)
		}
		return st.Slots[0].Owner
	}
	was := owner()
	other := 3 - was
	if err := cluster.Move(t.Context(), c.quorum, 0, other); err != nil {
		t.Fatal(err)
	}
	c.until("moved", func() bool { return owner() == other })
	if err := cluster.Drain(t.Context(), c.quorum, other); err != nil {
		t.Fatal(err)
	}
	c.until("drained", func() bool {
		st, err := clusterStatus(t.Context(), c.quorum, "test")
		return err == nil && st.Members[was-1].Slots == testSlots
	})
	st, err := clusterStatus(t.Context(), c.quorum, "test")
	if err != nil {
		t.Fatal(err)
	}
	if m := st.Members[other-1]; !m.Drained || m.Slots != 0 || st.Slots[0].Moved != other {
		t.Errorf("after a move and a drain: %+v, slot %+v", m, st.Slots[0])
	}
	if m := st.Members[was-1]; m.Drained || !m.Ready {
		t.Errorf("the other one: %+v", m)
	}
}

// Tidying up forgets what operators said of a broker that is gone, and not what they said of one that is there.
func TestClusterForgetsWishes(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	if err := cluster.Drain(t.Context(), c.quorum, b.state().Node); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Move(t.Context(), c.quorum, 0, a.state().Node); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.until("gone", func() bool { return len(a.state().View.Members) == 1 })
	m := a.current.Load().member
	var p past
	for _, want := range []int{2, 1, 1} {
		if err := m.forget(t.Context(), &p); err != nil {
			t.Fatal(err)
		}
		if kvs, _, err := c.quorum.Range(t.Context(), cluster.WantPrefix); err != nil || len(kvs) != want {
			t.Errorf("%d wishes, want %d: %v, %v", len(kvs), want, kvs, err)
		}
	}
	if p.revision == 0 {
		t.Error("nothing is known of the past")
	}
}

// The API tells of the cluster what the page of the console shows, and of a server that is alone nothing.
func TestClusterByAPI(t *testing.T) {
	c := newCloud(t)
	a := c.join(nil)
	c.until("serving", func() bool { return a.Ready() == nil })
	c.produce(c.client(a), 0, 5)
	got, err := system{a.current.Load()}.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !got.Clustered || got.Broker != 1 || len(got.Members) != 1 || got.Members[0].Slots != testSlots || len(got.Slots) != testSlots || got.Slots[0].Owner != 1 || got.Slots[0].Epoch < 1 {
		t.Errorf("%v", got)
	}
	if left := got.LeaseLeft.AsDuration(); left <= 0 || left > 2*time.Second {
		t.Errorf("lease left: %v", left)
	}
	for _, s := range got.Steps {
		if s.Count < 1 || s.P50.AsDuration() <= 0 || s.P99.AsDuration() < s.P50.AsDuration() {
			t.Errorf("step %v", s)
		}
	}
	if len(got.Steps) != 3 {
		t.Errorf("steps: %v", got.Steps)
	}
	if code, text := status(t, a, "/v1/cluster"); code != 200 || !strings.Contains(text, `"clustered":true`) {
		t.Errorf("/v1/cluster: %d %s", code, text)
	}
	if s := (system{a.current.Load()}).Status(); s.FreeBytes != 0 || s.DataDir != a.cfg.Cluster {
		t.Errorf("status: %d bytes free in %s: a bucket has no size", s.FreeBytes, s.DataDir)
	}
	alone := start(t, testConfig(t), Options{})
	if s := (system{alone}).Status(); s.FreeBytes <= 0 || s.DataDir != alone.cfg.DataDir {
		t.Errorf("status alone: %d bytes free in %s", s.FreeBytes, s.DataDir)
	}
	if got, err := (system{alone}).Cluster(t.Context()); err != nil || got.Clustered || len(got.Members) != 0 {
		t.Errorf("alone: %v, %v", got, err)
	}
}

// A client that asks another broker is told the address that this one advertises, as it tells itself.
func TestOtherBrokersTellWhereKafkasClientsConnect(t *testing.T) {
	cfg := clusterConfig(t)
	cfg.KafkaAdvertised = "kafka-1.example.com:19092"
	c := newCluster(cfg, ClusterOptions{})
	if err := c.openGates(); err != nil {
		t.Fatal(err)
	}
	defer c.release()
	if got := c.self().Endpoints["kafka"]; got != cfg.KafkaAdvertised {
		t.Errorf("others say %s", got)
	}
	c.cfg.KafkaAdvertised = ""
	if got := c.self().Endpoints["kafka"]; got != c.gates.kafka.Addr().String() {
		t.Errorf("others say %s", got)
	}
	c.gates.kafka = nil
	c.cfg.KafkaAdvertised = cfg.KafkaAdvertised
	if got, ok := c.self().Endpoints["kafka"]; ok {
		t.Errorf("it is off, and others say %s", got)
	}
}
