package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	textBytes  = 256
	textDigits = 10
)

var filler = strings.Repeat("naru", textBytes/4)[:textBytes-textDigits-1]

// text is the value of the record or message with that number. It needs no escaping.
func text(number int64) string { return fmt.Sprintf("%0*d-%s", textDigits, number, filler) }

// marks says which numbers were seen.
type marks struct {
	seen  []atomic.Bool
	count atomic.Int64
}

func newMarks(n int64) *marks { return &marks{seen: make([]atomic.Bool, n)} }

// see notes the number of a text, which must be one that was sent, for the first time.
func (m *marks) see(got string) error {
	if len(got) != textBytes || got[textDigits:] != "-"+filler {
		return fmt.Errorf("%.40q… was not sent", got)
	}
	n, err := strconv.Atoi(got[:textDigits])
	if err != nil || n < 0 || n >= len(m.seen) {
		return fmt.Errorf("%.40q… was not sent", got)
	}
	if m.seen[n].Swap(true) {
		return fmt.Errorf("number %d came twice", n)
	}
	m.count.Add(1)
	return nil
}

// done is what workers did.
type done struct {
	calls int64
	took  time.Duration
	each  []time.Duration // sorted
}

// closedLoop has each worker call f again as soon as it is answered, for so long, or
// until f says that there is no more.
func closedLoop(ctx context.Context, workers int, patience time.Duration, f func(context.Context) (more bool, err error)) (done, error) {
	ctx, stop := context.WithTimeout(ctx, patience+callPatience)
	defer stop()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	each := make([][]time.Duration, workers)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for now := began; now.Sub(began) < patience && ctx.Err() == nil; {
				more, err := f(ctx)
				if err != nil {
					fail(err)
				}
				if err != nil || !more {
					return
				}
				then := time.Now()
				each[i] = append(each[i], then.Sub(now))
				now = then
			}
		})
	}
	wg.Wait()
	d := done{took: time.Since(began), each: slices.Concat(each...)}
	d.calls = int64(len(d.each))
	slices.Sort(d.each)
	return d, context.Cause(ctx)
}
