package objectstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/objectstore/storetest"
)

func TestFake(t *testing.T) {
	storetest.Run(t, func(*testing.T) objectstore.Store { return objectstore.NewFake(objectstore.FakeConfig{}) })
}

// What each fate does with a put of "a", and what its caller hears.
func TestFates(t *testing.T) {
	for _, c := range []struct {
		fate  objectstore.Fate
		hears error
		there bool
	}{
		{objectstore.FateDone, nil, true},
		{objectstore.FateRefused, objectstore.ErrThrottled, false},
		{objectstore.FateBroken, objectstore.ErrUnavailable, false},
		{objectstore.FateUnanswered, objectstore.ErrUnavailable, true},
		{objectstore.FateTimedOut, context.DeadlineExceeded, false},
		{objectstore.FateRepeated, objectstore.ErrExists, true},
		{objectstore.FateMissing, nil, true},
		{objectstore.FateStale, nil, true},
	} {
		f := objectstore.NewFake(objectstore.FakeConfig{
			Gate: func(context.Context, *objectstore.Call) objectstore.Fate { return c.fate },
		})
		if err := f.Put(t.Context(), "a", nil); !errors.Is(err, c.hears) {
			t.Errorf("%s: hears %v, want %v", c.fate, err, c.hears)
		}
		if there := len(f.Objects()) == 1; there != c.there {
			t.Errorf("%s: there is %v", c.fate, f.Objects())
		}
	}
}

func TestReadFates(t *testing.T) {
	fate := objectstore.FateDone
	f := objectstore.NewFake(objectstore.FakeConfig{
		StaleMax: 1, Gate: func(context.Context, *objectstore.Call) objectstore.Fate { return fate },
	})
	list := func() (keys []string) {
		infos, err := f.List(t.Context(), "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			keys = append(keys, info.Key)
		}
		return keys
	}
	if err := f.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	fate = objectstore.FateMissing
	if _, err := f.Get(t.Context(), "a", 0, -1); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get of what is missing: %v", err)
	}
	if _, err := f.Stat(t.Context(), "a"); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Stat of what is missing: %v", err)
	}
	fate = objectstore.FateStale
	if got := list(); got != nil {
		t.Errorf("the last state but one has %q", got)
	}
	fate = objectstore.FateDone
	if err := f.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	fate = objectstore.FateStale
	if got := list(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the last state but one has %q", got)
	}
}

// One goroutine keeps several calls on their way and ends them in its own order;
// one of them arrives after its caller has given up.
func TestManyCallsInOneGoroutine(t *testing.T) {
	f := objectstore.NewFake(objectstore.FakeConfig{})
	body := []byte("late")
	late := f.Begin(objectstore.Op{Kind: objectstore.OpPut, Key: "a", Body: body})
	first := f.Begin(objectstore.Op{Kind: objectstore.OpPut, Key: "b", Body: []byte("1")})
	second := f.Begin(objectstore.Op{Kind: objectstore.OpPut, Key: "b", Body: []byte("2")})
	second.Apply()
	if err := first.End(objectstore.FateDone).Err; !errors.Is(err, objectstore.ErrExists) {
		t.Errorf("the first to begin was not the first to arrive, and hears %v", err)
	}
	if err := second.End(objectstore.FateDone).Err; err != nil {
		t.Error(err)
	}
	if err := late.End(objectstore.FateTimedOut).Err; !errors.Is(err, context.DeadlineExceeded) || late.Applied() {
		t.Errorf("the late one hears %v, applied: %t", err, late.Applied())
	}
	copy(body, "used")
	late.Apply()
	late.Apply()
	if got, err := f.Get(t.Context(), "a", 0, -1); err != nil || string(got) != "late" {
		t.Errorf("what came late is %q, %v", got, err)
	}
	if u := f.Usage(); u[objectstore.OpPut] != (objectstore.Usage{Calls: 3, Bytes: 6}) || u[objectstore.OpGet].Bytes != 4 {
		t.Errorf("usage: %+v", u)
	}
}

// A seed gives one history, and another seed another.
func TestFakeIsDeterministic(t *testing.T) {
	history := func(seed uint64) (out string) {
		f := objectstore.NewFake(objectstore.FakeConfig{
			Seed: seed, StaleMax: 5,
			Rates: objectstore.Rates{objectstore.FateRefused: 0.1, objectstore.FateUnanswered: 0.1, objectstore.FateStale: 0.3},
		})
		for i := range 200 {
			err := f.Put(t.Context(), fmt.Sprint(i%150), nil)
			infos, listErr := f.List(t.Context(), "", "", 1000)
			out += fmt.Sprintln(err, len(infos), listErr)
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

// overwriting is a store that ignores conditions, as some servers do in silence.
type overwriting struct{ *objectstore.Fake }

func (o overwriting) Put(ctx context.Context, key string, body []byte) error {
	if err := o.Delete(ctx, key); err != nil {
		return err
	}
	return o.Fake.Put(ctx, key, body)
}

// racing is a store that looks before it writes: alone it is right.
type racing struct {
	*objectstore.Fake
	racers chan struct{}
}

func (r racing) Put(ctx context.Context, key string, body []byte) error {
	if key != "probe-race" {
		return r.Fake.Put(ctx, key, body)
	}
	r.racers <- struct{}{}
	for len(r.racers) < cap(r.racers) { // all have looked
	}
	return nil
}

func TestProbeFindsStoresWithoutConditions(t *testing.T) {
	for name, s := range map[string]objectstore.Store{
		"overwriting": overwriting{objectstore.NewFake(objectstore.FakeConfig{})},
		"racing":      racing{objectstore.NewFake(objectstore.FakeConfig{}), make(chan struct{}, 4)},
	} {
		if err := objectstore.Probe(t.Context(), s, "probe"); !errors.Is(err, objectstore.ErrNoConditions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What tells nothing about conditions is not taken for an answer.
func TestProbeSaysWhatFailed(t *testing.T) {
	for n := range 4 { // the fourth call and those after it race
		f := objectstore.NewFake(objectstore.FakeConfig{})
		f.SetGate(func(_ context.Context, c *objectstore.Call) objectstore.Fate {
			if c.Number == int64(n+1) || n == 3 && c.Number > 3 {
				return objectstore.FateRefused
			}
			return objectstore.FateDone
		})
		err := objectstore.Probe(t.Context(), f, "probe")
		if !errors.Is(err, objectstore.ErrThrottled) || errors.Is(err, objectstore.ErrNoConditions) {
			t.Errorf("call %d refused: %v", n+1, err)
		}
	}
}
