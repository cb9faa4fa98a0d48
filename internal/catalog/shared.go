package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/fault"
)

// ErrConflict says that another broker changed the catalog first: what was to be changed is no more as it was.
var ErrConflict = fault.New(fault.Unavailable, "others change the catalog at the same time")

// ErrFenced says that a change was not made, because what it relied on has another owner now.
var ErrFenced = fault.New(fault.Unavailable, "what was to be changed moved to another broker meanwhile")

// Shared is a Store that other brokers change, too. Its Apply is on what the last Scan showed, and returns ErrConflict when that is
// no more what there is: then nothing was changed. What Scan shows never changes.
type Shared interface {
	Store
	// ApplyWhile is Apply if all the fences stand; else ErrFenced.
	ApplyWhile(ops []Op, fences []Fence) error
	// News tells that others changed something, or may have. It is closed by Close.
	News() <-chan struct{}
	// Changes shows what others changed since the last Scan or Changes, as Scan would show it: a nil Value is a key that is
	// gone. false: that is not known, or too much; Scan shows it.
	Changes() ([]Op, bool)
	// Behind tells whether others are known to have changed something since the last Scan or Changes.
	Behind() bool
	// Ask finds out whether they have, for Behind.
	Ask(ctx context.Context) error
	// Starts reads the keys of a slot's log starts as they are now.
	Starts(slot int, fn func(key string, value []byte) error) error
	// ApplyStarts changes them, as Apply does, on what Starts showed; only the slot's owner can.
	ApplyStarts(slot int, ops []Op) error
}

// changeTriesMax is how often a change is planned: each time that it loses a race, another change has happened.
const changeTriesMax = 100

// change is what to store, and how that is shown then; c.mu is held. Without operations there is nothing to change.
type change struct {
	ops  []Op
	done func()
}

// changed makes a change: plan says which one, by what there is, and what is returned. Where another broker was faster it plans
// again, on what there is then. A plan that fails, or finds nothing to do, is believed only when nobody changed anything.
func changed[T any](c *Catalog, plan func() (T, change, error), fences ...Fence) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var none T
	asked := c.shared == nil
	for try := 1; ; try++ {
		if err := c.begin(); err != nil {
			return none, err
		}
		result, ch, err := plan()
		if (err != nil || len(ch.ops) == 0) && !asked {
			asked = true
			if err := c.shared.Ask(context.Background()); err != nil {
				return none, err
			}
			if c.shared.Behind() {
				continue
			}
		}
		if err != nil || len(ch.ops) == 0 {
			return result, err
		}
		err = c.apply(ch.ops, fences)
		if err == nil {
			ch.done()
			return result, nil
		}
		if !errors.Is(err, ErrConflict) || try == changeTriesMax {
			return none, err
		}
	}
}

// begin starts a change; c.mu is held.
func (c *Catalog) begin() error {
	switch {
	case c.closed:
		return ErrClosed
	case c.stale:
		if err := c.load(); err != nil {
			return fmt.Errorf("reading the catalog anew after a failed change: %w", err)
		}
	case c.shared != nil && c.shared.Behind():
		if err := c.load(); err != nil {
			return fmt.Errorf("reading what other brokers changed in the catalog: %w", err)
		}
	}
	return nil
}

// apply makes a change durable; c.mu is held.
func (c *Catalog) apply(ops []Op, fences []Fence) error {
	var err error
	if len(fences) > 0 && c.shared != nil {
		err = c.shared.ApplyWhile(ops, fences)
	} else {
		err = c.opt.Store.Apply(ops)
	}
	if err != nil && !(errors.Is(err, ErrConflict) && c.shared.Behind()) {
		c.stale = true
	}
	return coded(err)
}

// coded is an error of the store: whatever that is, its errors are coded by the time they leave.
func coded(err error) error {
	if err == nil || errors.Is(err, ErrStorage) || errors.Is(err, ErrFenced) || errors.Is(err, ErrDiskFull) || errors.Is(err, ErrDamaged) || errors.Is(err, ErrClosed) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrStorage, err)
}

// Refresh loads what other brokers changed before it was called, if they did, and returns when Options.Changed has
// heard of it. It asks the store, once for all who call it at the same time. Do not hold what Changed waits for.
//
// Errors: those of the store.
func (c *Catalog) Refresh(ctx context.Context) error {
	if c.shared == nil {
		return nil
	}
	began := c.asks.Load()
	if err := c.ask(ctx, began); err != nil {
		return err
	}
	if err := c.catchUp(); err != nil {
		return err
	}
	c.tell()
	return nil
}

// ask asks the store, unless that was done, as a whole, since so many times.
func (c *Catalog) ask(ctx context.Context, began int64) error {
	select {
	case c.asking <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrStorage, ctx.Err())
	}
	defer func() { <-c.asking }()
	if c.asks.Load() > began && c.answered {
		return nil
	}
	c.asks.Add(1)
	err := c.shared.Ask(ctx)
	c.answered = err == nil
	return coded(err)
}

// catchUp loads what others changed, as far as that is known.
func (c *Catalog) catchUp() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.begin()
}

// follow loads what others change until the store is closed. What fails is tried again with the next change, or by who
// asks.
func (c *Catalog) follow(news <-chan struct{}) {
	for {
		select {
		case _, open := <-news:
			if !open {
				return
			}
		case <-c.loaded:
		}
		if c.catchUp() == nil {
			c.tell()
		}
	}
}

// tell has Options.Changed called if something was loaded since the last time.
func (c *Catalog) tell() {
	c.telling.Lock()
	defer c.telling.Unlock()
	if loads := c.loads.Load(); loads != c.told {
		if c.opt.Changed != nil {
			c.opt.Changed()
		}
		c.told = loads
	}
}
