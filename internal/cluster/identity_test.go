package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
)

func TestIdentify(t *testing.T) {
	ctx := context.Background()
	bucket, quorum := objectstore.NewFake(objectstore.FakeConfig{}), coord.NewFake(coord.FakeConfig{})
	a, err := Identify(ctx, bucket, quorum, Identity{"a", 1})
	if err != nil || a != (Identity{"a", 1}) {
		t.Fatalf("the first: %v, %v", a, err)
	}
	if b, err := Identify(ctx, bucket, quorum, Identity{"b", 7}); err != nil || b != a {
		t.Errorf("the second: %v, %v", b, err)
	}
	empty := coord.NewFake(coord.FakeConfig{})
	if c, err := Identify(ctx, bucket, empty, Identity{"c", 1}); err != nil || c != a {
		t.Errorf("a bucket without a log, as after a crash in between: %v, %v", c, err)
	}
	if err := bucket.Put(ctx, "log/x/0000000000000001", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		bucket objectstore.Store
		quorum coord.Store
	}{
		"another coordinator": {bucket, coord.NewFake(coord.FakeConfig{})},
		"another bucket":      {objectstore.NewFake(objectstore.FakeConfig{}), quorum},
	} {
		if _, err := Identify(ctx, c.bucket, c.quorum, Identity{"d", 1}); !errors.Is(err, ErrMixedUp) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := objectstore.NewFake(objectstore.FakeConfig{})
	if _, err := Identify(ctx, other, coord.NewFake(coord.FakeConfig{}), Identity{"other", 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := Identify(ctx, other, quorum, Identity{"e", 1}); !errors.Is(err, ErrMixedUp) {
		t.Errorf("another cluster's bucket: %v", err)
	}
}

// Whatever fails in between, and in whatever order brokers start: there is one identity.
func TestIdentifyRaces(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(200) {
		bucket := objectstore.NewFake(objectstore.FakeConfig{Seed: seed, Rates: objectstore.Rates{objectstore.FateBroken: 0.1, objectstore.FateUnanswered: 0.1, objectstore.FateRepeated: 0.1}})
		quorum := coord.NewFake(coord.FakeConfig{Seed: seed, Rates: coord.Rates{coord.FateBroken: 0.1, coord.FateUnanswered: 0.1}})
		seen := map[Identity]bool{}
		for i := range 100 {
			id, err := Identify(ctx, bucket, quorum, Identity{fmt.Sprint(i), 1})
			if errors.Is(err, ErrMixedUp) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err == nil {
				seen[id] = true
			}
		}
		if len(seen) != 1 {
			t.Fatalf("seed %d: %d identities", seed, len(seen))
		}
	}
}
