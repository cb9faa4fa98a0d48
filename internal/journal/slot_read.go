package journal

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// ErrLost is an object that a committed manifest or its chain names, and that is not in the bucket.
var ErrLost = fault.New(fault.DataLoss, "journal: a committed object is not in the bucket any more")

// Read is Journal.Read. An object that is not there never is the end of the log: it was replaced (ErrGone: read again), the slot
// has another owner (ErrNotOwner), or it is lost (ErrLost), as the coordinator and the manifest tell.
func (s *Slot) Read(id StreamID, from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	s.ahead.begin(id, from, min(maxBytes, readBytesMax))
	slice, err := s.view.Read(id, from, maxBytes, atLeastOne)
	if errors.Is(err, ErrGone) {
		if why := s.whyGone(id, from); why != nil {
			return Slice{}, why
		}
		slice, err = s.view.Read(id, from, maxBytes, atLeastOne)
	}
	if err == nil {
		s.ahead.end(id, from, &slice)
	}
	return slice, err
}

// SeekTime is Journal.SeekTime; for an object that is not there, see Read.
func (s *Slot) SeekTime(id StreamID, from record.Offset, ms int64) (base record.Offset, ok bool, err error) {
	base, ok, err = s.view.SeekTime(id, from, ms)
	if errors.Is(err, ErrGone) {
		if why := s.whyGone(id, base); why != nil {
			return 0, false, why
		}
		base, ok, err = s.view.SeekTime(id, from, ms)
	}
	return base, ok, err
}

// whyGone finds out about the object that should hold an offset. nil: it was there this time.
func (s *Slot) whyGone(id StreamID, at record.Offset) error {
	ctx, cancel := context.WithTimeout(s.flusher.ctx, bucketTimeout)
	defer cancel()
	head, revision, err := s.flusher.standing(ctx, s.id, s.lane.owner)
	if err != nil {
		return err
	}
	ref, ok := s.objectAt(id, at)
	if !ok {
		return nil
	}
	if named, err := s.names(ctx, head, ref); err != nil || !named {
		return errors.Join(ErrGone, err)
	}
	if _, err := s.flusher.store.Stat(ctx, ref.key); !isMissing(err) {
		return err
	}
	// If the head is as it was, the object was named all the time.
	if _, again, err := s.flusher.standing(ctx, s.id, s.lane.owner); err != nil || again != revision {
		return errors.Join(ErrGone, err)
	}
	return fmt.Errorf("%w: %s, with stream %d offset %d", ErrLost, ref.key, id, at)
}

// standing is a slot's head as the coordinator has it, and its ModRevision, if this process is the owner.
func (f *Flusher) standing(ctx context.Context, slot SlotID, owner int64) (head Head, revision int64, err error) {
	ownerKey, headKey := f.opt.Keys(slot)
	kv, ok, err := f.opt.Coord.Get(ctx, ownerKey)
	if err != nil {
		return head, 0, err
	}
	if !ok || kv.CreateRevision != owner {
		return head, 0, ErrNotOwner
	}
	if kv, ok, err = f.opt.Coord.Get(ctx, headKey); err != nil {
		return head, 0, err
	}
	if !ok {
		return head, 0, fmt.Errorf("%w: the slot has no head", ErrNotOwner)
	}
	head, err = DecodeHead(kv.Value)
	return head, kv.ModRevision, err
}

// names tells whether an object is part of a slot as a head describes it.
func (s *Slot) names(ctx context.Context, head Head, ref objectRef) (named bool, err error) {
	if head.Manifest != "" {
		m, err := loadManifest(ctx, s.flusher.store, s.id, head)
		if err != nil {
			return false, err
		}
		for _, o := range m.objects {
			named = named || o.key == ref.key
		}
	}
	if named {
		return true, nil
	}
	defer s.flusher.blocks.shareFooters()()
	_, err = walkChain(s.flusher.blocks, s.id, head, func(o objectRef) (stop bool) {
		named = named || o == ref
		return named
	})
	return named, err
}

// objectAt tells which object holds an offset, by the index.
func (s *Slot) objectAt(id StreamID, at record.Offset) (ref objectRef, ok bool) {
	s.index.mu.RLock()
	defer s.index.mu.RUnlock()
	st := s.index.streams[id]
	if st == nil {
		return ref, false
	}
	i := st.find(at)
	if i == len(st.runs) || st.runs[i].base > at {
		return ref, false
	}
	return objectRef{st.runs[i].seg.path, st.runs[i].seg.capacity}, true
}
