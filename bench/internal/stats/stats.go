// Package stats holds the little arithmetic that the tables need: medians
// over repetitions, exact percentiles over samples, ratios.
package stats

import (
	"math"
	"slices"
	"time"
)

// Median returns the middle of values, the mean of the two middle ones when
// their number is even, and NaN when there is none. It leaves values as it is.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

// Range returns the smallest and the largest value, NaN when there is none.
func Range(values []float64) (low, high float64) {
	if len(values) == 0 {
		return math.NaN(), math.NaN()
	}
	return slices.Min(values), slices.Max(values)
}

// Percentile returns the smallest sample that at least the share p (0 to 1) of
// all samples does not exceed: the nearest-rank definition, so the answer is
// always a sample that was really measured. The samples must be sorted.
func Percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Ratio is a / b, NaN when either is missing or b is zero.
func Ratio(a, b float64) float64 {
	if b == 0 || math.IsNaN(a) || math.IsNaN(b) {
		return math.NaN()
	}
	return a / b
}

// Milliseconds is a duration as tables give it.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Mebibytes is a number of bytes as tables give it.
func Mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
