package coord_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/coord/coordtest"
)

// clock is a test's time.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(0, c.at.Load()) }

func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

func TestFake(t *testing.T) {
	coordtest.Run(t, func(t *testing.T) coordtest.Env {
		c := &clock{}
		f := coord.NewFake(coord.FakeConfig{Now: c.now})
		return coordtest.Env{Store: f, Pass: func(d time.Duration) {
			c.pass(d)
			f.Tick()
		}}
	})
}

// What each fate does with a put of "a", and what its caller hears.
func TestFates(t *testing.T) {
	for _, c := range []struct {
		fate  coord.Fate
		hears error
		there bool
	}{
		{coord.FateDone, nil, true},
		{coord.FateBroken, coord.ErrUnavailable, false},
		{coord.FateTimedOut, context.DeadlineExceeded, false},
		{coord.FateUnanswered, coord.ErrUnavailable, true},
		{coord.FateOverdue, context.DeadlineExceeded, true},
	} {
		f := coord.NewFake(coord.FakeConfig{Gate: func(context.Context, *coord.Call) coord.Fate { return c.fate }})
		_, err := f.Txn(t.Context(), nil, []coord.Op{coord.Put("a", nil, 0)}, nil)
		if !errors.Is(err, c.hears) || coord.Refused(err) {
			t.Errorf("%s: hears %v, want %v", c.fate, err, c.hears)
		}
		f.SetGate(nil)
		if _, there, _ := f.Get(t.Context(), "a"); there != c.there {
			t.Errorf("%s: a is there: %t", c.fate, there)
		}
	}
}

func txn(cond []coord.Compare, then ...coord.Op) coord.Request {
	return coord.Request{Kind: coord.CallTxn, Cond: cond, Then: then}
}

// One goroutine keeps several calls on their way; one arrives after its caller has
// given up, and its conditions decide.
func TestManyCallsInOneGoroutine(t *testing.T) {
	f := coord.NewFake(coord.FakeConfig{})
	value := []byte("late")
	late := f.Begin(txn([]coord.Compare{coord.Absent("a")}, coord.Put("a", value, 0)))
	later := f.Begin(txn([]coord.Compare{coord.Absent("a")}, coord.Put("a", value, 0)))
	reader := f.NewWatcher("a", 0)
	for _, c := range []*coord.Call{late, later} {
		if err := c.End(coord.FateTimedOut).Err; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the late one hears %v", err)
		}
	}
	if c, ok, err := reader.Next(); ok || err != nil {
		t.Errorf("before anything arrived: %+v, %v", c, err)
	}
	copy(value, "used")
	late.Apply()
	later.Apply()
	c, ok, err := reader.Next()
	if !ok || err != nil || c.Revision != 2 || string(c.Events[0].KV.Value) != "late" {
		t.Errorf("what came late: %+v, %t, %v", c, ok, err)
	}
	if c, ok, err := reader.Next(); ok || err != nil {
		t.Errorf("both came: %+v, %v", c, err)
	}
}

// A store that stands still answers nobody and ends no lease. What was sent
// meanwhile arrives, also where nobody waits any more.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := coord.NewFake(coord.FakeConfig{Now: time.Now})
		id, err := f.Grant(t.Context(), 2*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Txn(t.Context(), nil, []coord.Op{coord.Put("mine", nil, id)}, nil); err != nil {
			t.Fatal(err)
		}
		f.Pause()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Txn(ctx, nil, []coord.Op{coord.Put("late", nil, 0)}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in a pause: %v", err)
		}
		kept := make(chan error)
		go func() {
			_, err := f.KeepAlive(t.Context(), id)
			kept <- err
		}()
		synctest.Wait()
		time.Sleep(time.Minute) // the bubble's, not the world's
		f.Tick()
		f.Resume()
		if err := <-kept; err != nil {
			t.Errorf("a lease ended in a pause: %v", err)
		}
		if _, there, _ := f.Get(t.Context(), "late"); !there {
			t.Error("what came in a pause was forgotten")
		}
		time.Sleep(2 * time.Second)
		if _, there, _ := f.Get(t.Context(), "mine"); there {
			t.Error("a lease outlived its time after a pause")
		}
	})
}

// A change of the leader begins all leases anew.
func TestLoseLeader(t *testing.T) {
	c := &clock{}
	f := coord.NewFake(coord.FakeConfig{Now: c.now})
	id, err := f.Grant(t.Context(), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c.pass(9 * time.Second)
	f.LoseLeader()
	c.pass(9 * time.Second)
	if _, err := f.KeepAlive(t.Context(), id); err != nil {
		t.Errorf("18 s after, with a new leader since 9: %v", err)
	}
	c.pass(10 * time.Second)
	f.LoseLeader()
	if _, err := f.KeepAlive(t.Context(), id); !errors.Is(err, coord.ErrLeaseGone) {
		t.Errorf("a new leader brought back what had ended: %v", err)
	}
}

func TestCutWatches(t *testing.T) {
	f := coord.NewFake(coord.FakeConfig{})
	old := f.NewWatcher("", 0)
	f.CutWatches(coord.ErrUnavailable)
	if _, _, err := old.Next(); !errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("cut: %v", err)
	}
	if _, _, err := f.NewWatcher("", 0).Next(); err != nil {
		t.Errorf("a new watch: %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	f := coord.NewFake(coord.FakeConfig{BytesMax: 1000})
	put := func() error {
		_, err := f.Txn(t.Context(), nil, []coord.Op{coord.Put("a", make([]byte, 300), 0)}, nil)
		return err
	}
	var n int
	for n = 0; put() == nil; n++ {
	}
	if err := put(); n != 3 || !errors.Is(err, coord.ErrNoSpace) || !coord.Refused(err) {
		t.Errorf("after %d puts: %v", n, err)
	}
	s, err := f.Status(t.Context())
	if err != nil || !s.NoSpace {
		t.Errorf("%+v, %v", s, err)
	}
	if err := errors.Join(f.Compact(t.Context(), s.Revision), put()); err != nil {
		t.Errorf("after a compaction: %v", err)
	}
}

// A seed gives one history, and another seed another.
func TestFakeIsDeterministic(t *testing.T) {
	history := func(seed uint64) (out string) {
		c := &clock{}
		f := coord.NewFake(coord.FakeConfig{Seed: seed, Now: c.now, Rates: coord.Rates{coord.FateBroken: 0.1, coord.FateUnanswered: 0.1}})
		var id coord.LeaseID
		for i := range 200 {
			c.pass(300 * time.Millisecond)
			if granted, err := f.Grant(t.Context(), time.Duration(1+i%7)*time.Second); err == nil {
				id = granted
			}
			_, err := f.Txn(t.Context(), nil, []coord.Op{coord.Put(fmt.Sprint(i%20), nil, id)}, nil)
			kvs, at, rangeErr := f.Range(t.Context(), "")
			out += fmt.Sprintln(err, kvs, at, rangeErr)
		}
		return out
	}
	first, again := history(1), history(1)
	if first != again {
		t.Error("one seed, two histories")
	}
	if first == history(2) {
		t.Error("two seeds, one history")
	}
}
