package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/narumq/naru/internal/coord"
)

// What is said of a process goes when that was away twice, and not when it came back in between, nor what is said anew.
func TestForget(t *testing.T) {
	quorum := newYard(t, 8).quorum
	do := func(op coord.Op) {
		t.Helper()
		if err := put(t.Context(), quorum, op); err != nil {
			t.Fatal(err)
		}
	}
	up := func(node int32, name string) { joins(t, quorum, node, Member{Name: name}) }
	wishes := func() (keys []string) {
		t.Helper()
		kvs, _, err := quorum.Range(t.Context(), WantPrefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range kvs {
			keys = append(keys, kv.Key)
		}
		return keys
	}
	var gone map[string]int64
	forget := func(wantGone, wantThere []string) {
		t.Helper()
		var err error
		gone, err = Forget(t.Context(), quorum, gone)
		if names := slices.Sorted(maps.Keys(gone)); err != nil || !slices.Equal(names, wantGone) || !slices.Equal(wishes(), wantThere) {
			t.Errorf("%v: gone %q, there %q; want %q, %q", err, names, wishes(), wantGone, wantThere)
		}
	}
	up(1, "a")
	up(2, "b")
	drainA, drainB, later := drainPrefix+"a", drainPrefix+"b", WantPrefix+"rest/a"
	do(coord.Put(drainA, nil, 0))
	do(coord.Put(drainB, nil, 0))
	do(coord.Put(placeKey(3), []byte("b"), 0))
	do(coord.Put(placeKey(4), []byte("b"), 0))
	do(coord.Put(later, nil, 0)) // of a later version
	all := []string{drainA, drainB, placeKey(3), placeKey(4), later}
	forget(nil, all)

	do(coord.Delete(memberKey(1)))
	do(coord.Delete(memberKey(2)))
	forget(all[:4], all)
	up(3, "a") // the same process is back, with another number
	do(coord.Put(placeKey(4), []byte("c"), 0))
	forget([]string{placeKey(4)}, []string{drainA, placeKey(4), later})
	forget(nil, []string{drainA, later})
}

// broken is a coordinator that does no transaction.
type broken struct{ coord.Store }

var errBroken = errors.New("broken")

func (broken) Txn(context.Context, []coord.Compare, []coord.Op, []coord.Op) (coord.TxnResult, error) {
	return coord.TxnResult{}, errBroken
}

// What could not be removed is the next time.
func TestForgetLater(t *testing.T) {
	quorum := newYard(t, 8).quorum
	if err := put(t.Context(), quorum, coord.Put(drainPrefix+"a", nil, 0)); err != nil {
		t.Fatal(err)
	}
	gone, err := Forget(t.Context(), quorum, nil)
	if err != nil {
		t.Fatal(err)
	}
	if gone, err = Forget(t.Context(), broken{quorum}, gone); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if _, err = Forget(t.Context(), quorum, gone); err != nil {
		t.Fatal(err)
	}
	if _, there, err := quorum.Get(t.Context(), drainPrefix+"a"); there || err != nil {
		t.Errorf("still there: %v, %v", there, err)
	}
}
