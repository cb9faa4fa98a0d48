package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/record"
)

// Slot is the journal of one slot on the object medium: what the broker that owns it appends to and reads. It does for the
// streams of the slot what Journal does for those of a directory.
type Slot struct {
	*view
	id       SlotID
	flusher  *Flusher
	opt      Options
	lane     *lane
	draining atomic.Bool
	ahead    *readAhead

	committed uint64 // guarded by index.mu: the sequence that the index has come to
	unlisted  int64  // guarded by index.mu: bytes that were committed after the last manifest, about
	recents   []*run // guarded by index.mu: whose extents are in memory, oldest first, as the cache has their objects

	sealing sync.Mutex // held while Options.Sealed is called
	closed  bool       // guarded by sealing: it is not called any more
}

// openSlot reads a slot's log from the bucket. The chain is of its newest objects.
func openSlot(ctx context.Context, f *Flusher, id SlotID, head Head, opt Options) (s *Slot, ch chain, err error) {
	s = &Slot{view: newView(opt, f.cache, f.foot), id: id, flusher: f, opt: opt, committed: head.Sequence}
	s.ahead = newReadAhead(s)
	if head.Manifest != "" {
		m, err := loadManifest(ctx, f.store, id, head)
		if err != nil {
			return nil, nil, fmt.Errorf("slot %d: %w", id, err)
		}
		s.indexManifest(&m)
	}
	objects, err := walkChain(f.blocks, id, head, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("slot %d: %w", id, err)
	}
	for i, o := range slices.Backward(objects) {
		s.indexObject(o, head.Sequence-uint64(i))
		ch.add(o.objectRef)
	}
	return s, ch, nil
}

func (s *Slot) indexManifest(m *manifest) {
	x := s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	segments := make([]*segment, len(m.objects))
	for i, o := range m.objects {
		segments[i] = s.segment(o.key, o.size, o.end, o.salt, o.newest)
		segments[i].held = o.held
	}
	for _, ms := range m.streams {
		st := x.stream(ms.stream)
		if st == nil {
			continue // deleted
		}
		st.next = max(st.next, ms.next)
		for _, r := range ms.runs {
			x.addSealed(segments[r.object], r.runEntry)
		}
	}
}

func (s *Slot) indexObject(o *loaded, sequence uint64) {
	seg := s.segment(o.key, o.size, o.end, o.salt, sequence)
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, r := range o.runs {
		if s.flusher.opt.SlotOf(r.stream) == s.id {
			s.index.addSealed(seg, r)
			seg.held += r.bytes
		}
	}
	s.unlisted += seg.held
}

// segment is an object as the index knows it.
func (s *Slot) segment(key string, size, end int64, salt uint32, newest uint64) *segment {
	seg := &segment{
		id: SegmentID(s.flusher.nextID.Add(1)), salt: salt, newest: SegmentID(newest), path: key,
		file: &bucketObject{s.flusher.blocks, key, size}, capacity: size, end: end, frames: end,
	}
	seg.sealed.Store(true)
	seg.refs.Store(1)
	return seg
}

// publish lets readers see what a flush has committed for this slot.
func (s *Slot) publish(f *flush, p *part, id SegmentID) {
	seg := s.segment(f.key, int64(len(f.body)), f.end, f.salt, p.head.Sequence)
	seg.id = id
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	for _, r := range p.runs {
		seg.held += r.bytes
		st := s.index.stream(r.stream)
		if st == nil {
			continue // deleted meanwhile
		}
		r.seg = seg
		st.insert(r)
		s.recents = append(s.recents, r)
		st.bytes += r.bytes
		st.next = max(st.next, r.last+1)
	}
	s.committed = p.head.Sequence
	s.unlisted += seg.held
}

// Admit takes room for an append; see Journal.Admit. ErrNotOwner: the slot is not owned any more, or is being handed over.
func (s *Slot) Admit(ctx context.Context, payload int) error {
	if payload > s.EntryBytesMax() {
		return ErrTooLarge
	}
	if s.draining.Load() {
		return ErrNotOwner
	}
	return s.flusher.admit(ctx, s.lane, cost(payload))
}

// Release gives admitted room back; see Journal.Release.
func (s *Slot) Release(payload int) { s.flusher.release(cost(payload)) }

// Enqueue hands entries to the next flush, in order. After an error no Done is called.
func (s *Slot) Enqueue(entries ...*Entry) error { return s.flusher.enqueue(s.lane, entries) }

// Hurry does nothing: patient entries are flushed with the others.
func (s *Slot) Hurry() {}

// EntryBytesMax is the longest payload.
func (s *Slot) EntryBytesMax() int { return s.flusher.EntryBytesMax() }

// Err is nil while the slot takes appends.
func (s *Slot) Err() error {
	s.flusher.mu.Lock()
	defer s.flusher.mu.Unlock()
	return s.lane.lost
}

// ID is the slot's number.
func (s *Slot) ID() SlotID { return s.id }

// Epoch counts the owners of the slot up to this one.
func (s *Slot) Epoch() int32 { return s.Head().Epoch }

// Head is the slot's head as it was committed last.
func (s *Slot) Head() Head {
	s.flusher.mu.Lock()
	defer s.flusher.mu.Unlock()
	return s.lane.head
}

// Replay gives each the frames of objects with a sequence above after; see Journal.Replay. Some older ones come as well.
func (s *Slot) Replay(after SegmentID, each func(Replayed)) error {
	for _, p := range s.streamsAfter(after) {
		for from := p.base; from < p.next; {
			slice, err := s.Read(p.stream, from, readBytesMax, true)
			if err != nil {
				return err
			}
			for _, payload := range slice.Payloads {
				each(Replayed{Stream: p.stream, Payload: payload})
			}
			from = slice.Next
			slice.Release()
		}
	}
	return nil
}

type pieceOfStream struct {
	stream     StreamID
	base, next record.Offset
}

// streamsAfter lists what streams hold from their first run on that came after a sequence.
func (s *Slot) streamsAfter(after SegmentID) (list []pieceOfStream) {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	for id, st := range s.index.streams {
		for _, r := range st.runs[st.find(st.start):] {
			if r.seg.newest > after {
				list = append(list, pieceOfStream{id, max(r.base, st.start), st.next})
				break
			}
		}
	}
	return list
}

// Stats counts since the slot was opened; see Journal.Stats. Commits and bytes written are the flusher's, of all slots.
func (s *Slot) Stats() Stats {
	st := s.Counters()
	st.Damaged = s.damage.count()
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	st.Streams = len(s.index.streams)
	objects := make(map[*segment]bool)
	for _, stream := range s.index.streams {
		for _, r := range stream.runs {
			objects[r.seg] = true
			st.DiskBytes += r.bytes
		}
	}
	st.Segments = len(objects)
	return st
}

// Counters is Stats without the look at what the slot holds, for who asks often; see Journal.Counters.
func (s *Slot) Counters() Stats {
	st := s.stats.read()
	s.flusher.addStats(&st)
	return st
}

// FreeBytes is errors.ErrUnsupported: a bucket has no size, so that there is nothing to tell.
func (s *Slot) FreeBytes() (int64, error) { return 0, errors.ErrUnsupported }

// Close stops the slot at once: what is on its way fails with ErrNotOwner. Drain comes before a planned end.
func (s *Slot) Close() error {
	s.draining.Store(true)
	s.flusher.lose(s.lane, ErrNotOwner)
	s.sealing.Lock()
	defer s.sealing.Unlock()
	s.closed = true
	return nil
}

// Drain takes no more appends, waits until those that came are committed, and writes a manifest, so that the next owner has
// little to read.
func (s *Slot) Drain(ctx context.Context) error {
	s.draining.Store(true)
	if err := s.flusher.settle(ctx, s.lane); err != nil {
		return err
	}
	return s.Manifest(ctx)
}
