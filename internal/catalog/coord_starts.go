package catalog

import (
	"context"
	"fmt"

	"github.com/narumq/naru/internal/coord"
)

func slotCommit(slot int) string { return slotPrefix(slot) + "commit" }

// Starts implements Shared.
func (s *Coord) Starts(slot int, fn func(key string, value []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Patience)
	defer cancel()
	var kvs []coord.KV
	err := retry(ctx, func() (err error) {
		kvs, _, err = s.cfg.Store.Range(ctx, slotPrefix(slot))
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: reading log starts: %w", ErrStorage, err)
	}
	s.slots[slot] = 0
	for _, kv := range kvs {
		if kv.Key == slotCommit(slot) {
			s.slots[slot] = kv.ModRevision
			continue
		}
		key, ok := keyAt(kv.Key)
		if !ok {
			return unknownKey(kv.Key)
		}
		if err := fn(key, kv.Value); err != nil {
			return err
		}
	}
	return nil
}

// ApplyStarts implements Shared. More than a transaction takes is several changes: log starts have nothing to do with each
// other.
func (s *Coord) ApplyStarts(slot int, ops []Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var fence Fence
	mine := false
	if s.cfg.SlotOwner != nil {
		fence, mine = s.cfg.SlotOwner(slot)
	}
	if !mine {
		return fmt.Errorf("%w: %w: slot %d", ErrStorage, ErrNotOwner, slot)
	}
	for len(ops) > 0 {
		last, known := s.slots[slot]
		if !known {
			return fmt.Errorf("%w: it was not read since", ErrConflict)
		}
		n := pieceOf(ops)
		revision, err := s.commit(commit{fence: fence, key: slotCommit(slot), mark: slotCommit(slot), last: last, then: s.changesOf(ops[:n])})
		if err != nil {
			delete(s.slots, slot)
			return err
		}
		s.slots[slot] = revision
		ops = ops[n:]
	}
	return nil
}

// unknownKey is the error of a key that this version does not know.
func unknownKey(key string) error {
	return fmt.Errorf("%w: key %q is unknown to this version", ErrNewerVersion, key)
}
