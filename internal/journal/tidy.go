package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// When a slot gets a new manifest. So many objects, at most, are read when it changes hands, and those of a round.
const (
	manifestEvery    = 32  // objects, if they have many times the bytes of a manifest
	manifestShare    = 8   // so many times
	manifestChain    = 256 // objects, if they have as many bytes as a manifest
	manifestChainMax = 512 // objects, however little is in them
	manifestSmall    = 32 << 10
	manifestsSmall   = 8 * manifestSmall // of all slots: to write so much each round is no matter
)

// tend writes manifests and merges objects, of all slots at once, until the flusher is closed.
func (f *Flusher) tend(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && f.ctx.Err() == nil; {
			var err error
			if more, err = f.tidy(f.ctx); err != nil && f.ctx.Err() == nil {
				f.opt.Logger.Warn("manifests are put off", "err", err)
				break
			}
		}
	}
}

// tidy is one round: it merges objects, if that pays off, and writes the manifests that are due. more: there may be others.
func (f *Flusher) tidy(ctx context.Context) (more bool, err error) {
	f.tidying <- struct{}{}
	defer func() { <-f.tidying }()
	began := time.Now()
	slots := f.owned()
	for _, s := range slots {
		s.forgetDead()
		s.forgetExtents()
	}
	f.forgetUnsound(slots)
	swaps, err := f.mergeAll(ctx, slots, began) // manifests do without
	due := slices.DeleteFunc(slots, func(s *Slot) bool { return swaps[s] == nil && !s.manifestDue() })
	for part := range slices.Chunk(due, flushSlotsMax) {
		for _, e := range f.writeManifests(ctx, part, swaps, began) {
			if e != nil {
				err = e
			}
		}
	}
	return len(swaps) > 0 && err == nil, err
}

// owned are the slots that are open, in their order.
func (f *Flusher) owned() []*Slot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.slots), bySlot)
}

// manifestDue weighs what the next owner has to read against what a manifest costs.
func (s *Slot) manifestDue() bool {
	h := s.Head()
	n := h.Sequence - h.Manifested
	bytes, unlisted := s.manifestCost()
	return n >= manifestEvery && unlisted >= manifestShare*bytes || n >= manifestChain && unlisted+manifestSmall >= bytes || n >= manifestChainMax
}

// manifestCost is the size of a manifest, about, and how much was written since the last one.
func (s *Slot) manifestCost() (bytes, unlisted int64) {
	bytes = s.Head().ManifestOf
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	return bytes, s.unlisted
}

// Manifest writes down what the slot's log consists of, if anything was committed since the last time. Slots that ask for it at
// the same time share an object.
func (s *Slot) Manifest(ctx context.Context) error {
	f := s.flusher
	f.want(s, true)
	defer f.want(s, false)
	select {
	case f.tidying <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-f.tidying }()
	if h := s.Head(); h.Sequence == h.Manifested {
		return s.Err()
	}
	return f.writeManifests(ctx, f.takeWanted(s), nil, time.Now())[s]
}

// want notes whether a slot asks for a manifest.
func (f *Flusher) want(s *Slot, does bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if does {
		f.wanted[s] = true
	} else {
		delete(f.wanted, s)
	}
}

// awaited tells whether a slot asks for a manifest: one that is handed over takes no appends meanwhile.
func (f *Flusher) awaited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.wanted) > 0
}

// takeWanted returns a slot, and others that ask for a manifest now.
func (f *Flusher) takeWanted(s *Slot) []*Slot {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wanted, s)
	list := []*Slot{s}
	for other := range f.wanted {
		if len(list) < flushSlotsMax {
			list = append(list, other)
			delete(f.wanted, other)
		}
	}
	return list
}

// writeManifests stores the manifests of slots in one object, or more if they are large, and commits them. After an error it is
// unknown whether it is the slot's manifest; the object stays, as an orphan at worst. The caller is in tidying.
func (f *Flusher) writeManifests(ctx context.Context, slots []*Slot, swaps map[*Slot]*replacement, began time.Time) map[*Slot]error {
	errs := make(map[*Slot]error)
	for len(slots) > 0 {
		key, list, err := f.storeManifests(ctx, slots, swaps)
		some := slots[:len(list)]
		slots = slots[len(list):]
		if err != nil {
			for _, s := range some {
				errs[s] = err
			}
			continue
		}
		done := make([]chan error, len(list))
		for i := range list {
			ch := make(chan error, 1)
			done[i], list[i].done = ch, func(err error) { ch <- err }
		}
		f.do(func(now time.Time) { f.core.install(key, list, began, now) })
		for i, s := range some {
			if errs[s] = <-done[i]; errs[s] == nil {
				s.sealed(SegmentID(list[i].upto))
			}
		}
	}
	return errs
}

// storeManifests puts the manifests of the first of some slots, as many as one object takes, as they are when that which swaps says
// is done.
func (f *Flusher) storeManifests(ctx context.Context, slots []*Slot, swaps map[*Slot]*replacement) (key string, list []installation, err error) {
	var body []byte
	for _, s := range slots {
		m := s.manifest(swaps[s])
		b := m.encode()
		if len(body) > 0 && len(body)+len(b) > manifestsBytesMax {
			break
		}
		list = append(list, installation{lane: s.lane, at: int64(len(body)), bytes: int64(len(b)), upto: m.sequence, replace: swaps[s]})
		body = append(body, b...)
	}
	if fn := f.opt.Observer.Manifest; fn != nil {
		fn(len(body))
	}
	key = fmt.Sprintf("slot/%s/%016x", f.opt.Name, f.names.Add(1))
	return key, list, f.put(ctx, key, body)
}

// sealed tells that a manifest covers what came up to a sequence.
func (s *Slot) sealed(upto SegmentID) {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	if s.opt.Sealed != nil && !s.closed {
		s.opt.Sealed(upto)
	}
}

// installed puts what was merged into the place of what it was made of. A manifest that says so has been committed.
func (s *Slot) installed(r *replacement) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.unlisted = 0
	if r != nil {
		s.index.replace(r.old, r.fresh)
	}
}

// Relocate merges small objects of all slots that are open in this process, and tells whether it did; see Journal.Relocate.
func (s *Slot) Relocate(ctx context.Context) (more bool, err error) { return s.flusher.tidy(ctx) }
