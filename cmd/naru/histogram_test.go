package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramBuckets(t *testing.T) {
	previous := -1
	for _, v := range []uint64{0, 1, 63, 64, 65, 127, 128, 129, 1000, 1 << 20, 1<<20 + 1, 1 << 40, math.MaxInt64} {
		i := bucketOf(v)
		if i < previous || i >= len(histogram{}.buckets) {
			t.Fatalf("bucket of %d is %d after %d", v, i, previous)
		}
		if top := bucketTop(i); top < v || float64(top-v) > float64(v)/64 {
			t.Errorf("bucket of %d ends at %d", v, top)
		}
		previous = i
	}
}

func TestHistogramPercentiles(t *testing.T) {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	var parts [2]histogram
	var all []time.Duration
	for i := range 10_001 {
		d := time.Duration(rng.ExpFloat64() * float64(time.Millisecond))
		parts[i%2].add(d)
		all = append(all, d)
	}
	h := parts[0]
	h.merge(&parts[1])
	slices.Sort(all)
	for _, p := range []float64{0.01, 50, 90, 99, 99.9, 100} {
		want := all[max(0, int(math.Ceil(p/100*float64(len(all))))-1)]
		got := h.percentile(p)
		if got < want || float64(got-want) > float64(want)/60 {
			t.Errorf("p%g is %v, want %v and at most 1/60 more", p, got, want)
		}
	}
	if h.percentile(100) != h.most || h.count != int64(len(all)) {
		t.Errorf("p100 %v, most %v, count %d", h.percentile(100), h.most, h.count)
	}
	if (&histogram{}).percentile(50) != 0 {
		t.Error("an empty histogram has a percentile")
	}
}
