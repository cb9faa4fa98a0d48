package main

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets of at most 1.6 % width, in a fixed
// 30 KiB: a bucket is a power of two of nanoseconds, divided by 64.
type histogram struct {
	buckets [58 * 64]int64
	count   int64
	most    time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(uint64(d))]++
	h.count++
	h.most = max(h.most, d)
}

// bucketOf is exact below 64, then keeps the seven highest bits.
func bucketOf(v uint64) int {
	if v < 64 {
		return int(v)
	}
	shift := bits.Len64(v) - 7
	return min((shift+1)*64+int(v>>shift)-64, 58*64-1)
}

// bucketTop is the greatest value in a bucket.
func bucketTop(i int) uint64 {
	if i < 64 {
		return uint64(i)
	}
	shift := i/64 - 1
	return (uint64(i%64+64)+1)<<shift - 1
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.most = max(h.most, other.most)
}

// percentile is the least duration that at least p percent do not exceed.
func (h *histogram) percentile(p float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	want := int64(p / 100 * float64(h.count))
	if float64(want) < p/100*float64(h.count) {
		want++
	}
	seen := int64(0)
	for i, n := range h.buckets {
		if seen += n; seen >= want && n > 0 {
			return min(time.Duration(bucketTop(i)), h.most)
		}
	}
	return h.most
}
