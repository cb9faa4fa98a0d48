package main

import (
	"strings"
	"testing"

	"github.com/narumq/naru/internal/server"
)

func TestClusterStatusText(t *testing.T) {
	var b strings.Builder
	err := writeClusterStatus(&b, server.ClusterStatus{
		ID:    "id",
		Slots: []server.SlotStatus{{Slot: 0, Owner: 1, Moved: 2, Epoch: 3}, {Slot: 1, Owner: 2, Moved: 2}, {Slot: 2}},
		Members: []server.ClusterMember{
			{Broker: 1, Slots: 1, Ready: true, Host: "a"}, {Broker: 2, Slots: 1, Ready: true, Drained: true}, {Broker: 3},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		f := strings.Fields(line)
		got = append(got, strings.Join(f[:min(5, len(f))], " "))
	}
	for _, want := range []string{"0 1, moving to 2", "1 2 0 0 -", "2 none 0 0 -", "1 1 ready a -", "2 1 drained - -", "3 0 not ready -"} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no line begins with %q:\n%s", want, b.String())
		}
	}
}

func TestClusterMoveWhat(t *testing.T) {
	for _, bad := range [][]string{{"x", "1"}, {"-1", "1"}, {"1", "0"}, {"1", "x"}, {"70000", "1"}} {
		if _, _, err := moveWhat(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if slot, broker, err := moveWhat([]string{"17", "3"}); slot != 17 || broker != 3 || err != nil {
		t.Errorf("slot %d, broker %d, %v", slot, broker, err)
	}
}
