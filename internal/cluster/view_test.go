package cluster

import (
	"testing"

	"github.com/narumq/naru/internal/coord"
)

// An epoch is the owner's if it was said after the owner came: what an earlier one left is not.
func TestEpochsAreOfTheirOwner(t *testing.T) {
	owner := func(slot string, revision int64) coord.KV {
		return coord.KV{Key: slotPrefix + slot + "/owner", Value: []byte(`{"node":7}`), CreateRevision: revision, ModRevision: revision}
	}
	epoch := func(slot, value string, created, revision int64) coord.KV {
		return coord.KV{Key: slotPrefix + slot + "/epoch", Value: []byte(value), CreateRevision: created, ModRevision: revision}
	}
	list := owners([]coord.KV{
		epoch("0000", "3", 5, 21), owner("0000", 20),
		epoch("0001", "3", 5, 19), owner("0001", 20),
		owner("0002", 20),
		epoch("0003", "3", 5, 21),
		epoch("0004", "3", 5, 21), // of a slot that is not there
	}, 4)
	for i, want := range []SlotOwner{{Node: 7, Revision: 20, Epoch: 3}, {Node: 7, Revision: 20}, {Node: 7, Revision: 20}, {}} {
		if list[i] != want {
			t.Errorf("slot %d: %+v, want %+v", i, list[i], want)
		}
	}
	if key := EpochKey(3); key != slotPrefix+"0003/epoch" {
		t.Error(key)
	}
}
