package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"
)

// trouble makes things go wrong and watches that service comes back.
type trouble struct {
	parts   *parts
	rng     *rand.Rand
	lease   time.Duration
	grace   time.Duration // how long clients may take beyond the lease
	scenes  []scene
	count   int
	slow    int
	slowest time.Duration
}

var begun = time.Now()

// clock is how many seconds after the program's start a moment was.
func clock(t time.Time) float64 { return t.Sub(begun).Seconds() }

// scene is clients of one kind.
type scene interface {
	// progress is when the request went out that was acknowledged last, of the part of the scene for which that is longest ago, and that part's name.
	progress() (time.Time, string)
}

// served waits until everything sent since a moment could be acknowledged.
func (t *trouble) served(ctx context.Context, since time.Time, what string) error {
	var missing string
	err := until(ctx, t.lease+t.grace+60*time.Second, func() bool {
		for _, s := range t.scenes {
			if at, name := s.progress(); !at.After(since) {
				missing = name
				return false
			}
		}
		return true
	})
	took := time.Since(since)
	if err != nil {
		return fmt.Errorf("%s: nothing is acknowledged for %s after %v: %w", what, missing, took.Round(time.Millisecond), err)
	}
	note := ""
	if missing != "" {
		note = ", the last was " + missing
	}
	if took > t.lease+t.grace {
		t.slow++
		note += ", late"
	}
	t.slowest = max(t.slowest, took)
	fmt.Printf("cluster: %6.1f s: %s: all goes on after %v%s\n", clock(since), what, took.Round(time.Millisecond), note)
	return nil
}

// victim is a broker that serves.
func (t *trouble) victim(ctx context.Context) (*broker, error) {
	var list []*broker
	err := until(ctx, t.lease+t.grace, func() bool { list = t.parts.serving(); return len(list) > 0 })
	if err != nil {
		return nil, fmt.Errorf("nobody serves: %w", err)
	}
	return list[t.rng.IntN(len(list))], nil
}

// suffer lets one fault happen, from its beginning until all is well again.
func (t *trouble) suffer(ctx context.Context, f fault) error {
	b, err := t.victim(ctx)
	if err != nil {
		return err
	}
	t.count++
	what := fmt.Sprintf("%d %s (%d)", t.count, f.name, b.number)
	began := time.Now()
	if err := f.begin(ctx, t.parts, b); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !f.global {
		if err := t.served(ctx, began, what); err != nil {
			return err
		}
	}
	if !pause(ctx, time.Until(began.Add(f.lasts(t.lease)))) {
		return ctx.Err()
	}
	if err := f.mend(t.parts, b); err != nil {
		return fmt.Errorf("%s: mend: %w", what, err)
	}
	return t.served(ctx, time.Now(), what+", mended")
}

// play makes faults until there were so many, or it is late.
func (t *trouble) play(ctx context.Context, faults int, only string, end time.Time) error {
	next := deck(slices.DeleteFunc(t.parts.faults(), func(f fault) bool { return !strings.Contains(f.name, only) }), t.rng)
	if next == nil {
		return fmt.Errorf("no fault has %q in its name", only)
	}
	for i := 0; (faults == 0 || i < faults) && time.Now().Before(end); i++ {
		if !pause(ctx, time.Duration(500+t.rng.IntN(1500))*time.Millisecond) {
			return ctx.Err()
		}
		if err := t.suffer(ctx, next()); err != nil {
			return err
		}
	}
	return nil
}

// grow starts the brokers that do not run yet, one after the other.
func (t *trouble) grow(ctx context.Context) error {
	for _, b := range t.parts.brokers {
		if b.cmd != nil {
			continue
		}
		began := time.Now()
		if err := b.start(); err != nil {
			return err
		}
		if err := until(ctx, 30*time.Second, b.up); err != nil {
			return fmt.Errorf("broker %d is not up: %w", b.number, err)
		}
		if err := t.served(ctx, began, fmt.Sprintf("broker %d comes", b.number)); err != nil {
			return err
		}
	}
	return nil
}

// shrink ends all brokers but one in good order.
func (t *trouble) shrink(ctx context.Context) error {
	stays := t.rng.IntN(len(t.parts.brokers))
	for i, b := range t.parts.brokers {
		if i == stays {
			continue
		}
		began := time.Now()
		if err := b.end(syscall.SIGTERM); err != nil {
			return fmt.Errorf("broker %d did not end in good order: %w", b.number, err)
		}
		if err := t.served(ctx, began, fmt.Sprintf("broker %d leaves", b.number)); err != nil {
			return err
		}
	}
	return nil
}
