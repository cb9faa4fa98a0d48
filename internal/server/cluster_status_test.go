package server

import (
	"testing"

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
