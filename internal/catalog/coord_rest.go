package catalog

import (
	"fmt"
	"strings"

	"github.com/narumq/naru/internal/coord"
)

// rest is what of a large change is not known to be everywhere yet.
type rest struct {
	ops []Op
	at  int64 // the revision at which it was written down, whole
}

// carryOut does what is left of a large change. Several brokers may be doing that: what the pieces put is the same, and
// none arrives after the end of it, as they compare what is written down. s.mu is held.
func (s *Coord) carryOut() error {
	for done := 0; done < len(s.rest.ops); {
		left := s.rest.ops[done:]
		n := pieceOf(left)
		piece := s.changesOf(left[:n])
		if n == len(left) {
			piece = append(piece, coord.Delete(coordRest))
		}
		cond := []coord.Compare{coord.CreatedAt(s.cfg.Member.Key, s.cfg.Member.Created), coord.ModifiedAt(coordRest, s.rest.at)}
		res, err := s.send(cond, piece, []coord.Op{coord.Get(s.cfg.Member.Key)})
		if err != nil {
			return fmt.Errorf("%w: %w", ErrStorage, err)
		}
		if owner := res.Results[0]; !res.Succeeded && (!owner.Found || owner.KV.CreateRevision != s.cfg.Member.Created) {
			return fmt.Errorf("%w: %w", ErrStorage, ErrNotOwner)
		}
		if !res.Succeeded {
			break // somebody has finished it
		}
		done += n
	}
	s.rest = rest{}
	return nil
}

// pieceOf is how many operations one transaction takes.
func pieceOf(ops []Op) int {
	bytes := 0
	for i, op := range ops {
		bytes += len(coordEntry) + len(op.Key) + len(op.Value)
		if i > 0 && (i == coordOpsMax || bytes > coordBytesMax) {
			return i
		}
	}
	return len(ops)
}

// lastOf leaves the last operation of each key: a coordinator refuses more.
func lastOf(ops []Op) []Op {
	at := make(map[string]int, len(ops))
	var out []Op
	for _, op := range ops {
		if i, again := at[op.Key]; again {
			out[i] = op
			continue
		}
		at[op.Key] = len(out)
		out = append(out, op)
	}
	return out
}

func (s *Coord) changesOf(ops []Op) []coord.Op {
	out := make([]coord.Op, 0, len(ops)+3)
	for _, op := range ops {
		if op.Value == nil {
			out = append(out, coord.Delete(s.place(op.Key)))
		} else {
			out = append(out, coord.Put(s.place(op.Key), op.Value, 0))
		}
	}
	return out
}

// place is where in the coordinator a key is.
func (s *Coord) place(key string) string {
	if strings.HasPrefix(key, prefixStart) {
		if stream, err := decodeStartKey(key); err == nil {
			return slotPrefix(int(stream%uint64(s.cfg.Slots))) + key
		}
	}
	return coordEntry + key
}

// slotPrefix begins the keys of a slot's log starts.
func slotPrefix(slot int) string { return fmt.Sprintf("%s%04d/", coordSlot, slot) }

// keyAt is the catalog's key in a place, if there is one.
func keyAt(place string) (string, bool) {
	if key, ok := strings.CutPrefix(place, coordEntry); ok {
		return key, true
	}
	tail, ok := strings.CutPrefix(place, coordSlot)
	if !ok {
		return "", false
	}
	_, key, ok := strings.Cut(tail, "/")
	return key, ok && strings.HasPrefix(key, prefixStart)
}
