package coord

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// database is what a Fake remembers: the keys, and all changes that were not
// compacted.
type database struct {
	revision  int64
	compacted int64
	keys      map[string]KV
	order     []string // the keys, sorted
	changes   []Change // the open one is the last, while there is one
	bytes     int64    // of keys, and of values in changes
}

// entryBytes is about what etcd stores for each change of a key beside the key and
// the value.
const entryBytes = 100

func newDatabase() database { return database{revision: 1, keys: map[string]KV{}} }

func (kv KV) clone() KV {
	kv.Value = slices.Clone(kv.Value)
	return kv
}

func (d *database) sorted() []string { return slices.Clone(d.order) }

func (d *database) begin() { d.changes = append(d.changes, Change{Revision: d.revision + 1}) }

// commit tells whether the change changed anything.
func (d *database) commit() bool {
	last := len(d.changes) - 1
	if len(d.changes[last].Events) == 0 {
		d.changes = d.changes[:last]
		return false
	}
	d.revision++
	return true
}

func (d *database) op(op Op) OpResult {
	switch op.Kind {
	case OpPut:
		d.put(op)
	case OpDelete:
		return OpResult{Deleted: d.remove(op.Key)}
	case OpDeletePrefix:
		var n int64
		for _, kv := range d.list(op.Key) {
			n += d.remove(kv.Key)
		}
		return OpResult{Deleted: n}
	case OpGet:
		kv, ok := d.keys[op.Key]
		return OpResult{KV: kv.clone(), Found: ok}
	}
	return OpResult{}
}

func (d *database) put(op Op) {
	kv, there := d.keys[op.Key]
	open := &d.changes[len(d.changes)-1]
	if !there {
		kv = KV{Key: op.Key, CreateRevision: open.Revision}
		d.order = slices.Insert(d.order, sort.SearchStrings(d.order, op.Key), op.Key)
	}
	kv.Value, kv.ModRevision, kv.Lease = slices.Clone(op.Value), open.Revision, op.Lease
	d.keys[op.Key] = kv
	d.add(open, Event{KV: kv})
}

func (d *database) remove(key string) int64 {
	if _, there := d.keys[key]; !there {
		return 0
	}
	open := &d.changes[len(d.changes)-1]
	delete(d.keys, key)
	at := sort.SearchStrings(d.order, key)
	d.order = slices.Delete(d.order, at, at+1)
	d.add(open, Event{Deleted: true, KV: KV{Key: key, ModRevision: open.Revision}})
	return 1
}

func (d *database) add(open *Change, e Event) {
	open.Events = append(open.Events, e)
	d.bytes += e.bytes()
}

func (e Event) bytes() int64 { return int64(len(e.KV.Key) + len(e.KV.Value) + entryBytes) }

func (d *database) list(prefix string) []KV {
	var out []KV
	for i := sort.SearchStrings(d.order, prefix); i < len(d.order) && strings.HasPrefix(d.order[i], prefix); i++ {
		out = append(out, d.keys[d.order[i]].clone())
	}
	return out
}

// compact forgets the changes before a revision. What is there stays.
func (d *database) compact(revision int64) error {
	if revision > d.revision {
		return fmt.Errorf("%w: compaction at %d, and the revision is %d", ErrInvalid, revision, d.revision)
	}
	if revision <= d.compacted {
		return nil
	}
	d.compacted = revision
	d.changes = slices.DeleteFunc(d.changes, func(c Change) bool { return c.Revision <= revision })
	d.bytes = 0
	for _, c := range d.changes {
		for _, e := range c.Events {
			d.bytes += e.bytes()
		}
	}
	for kv := range maps.Values(d.keys) {
		if kv.ModRevision <= revision {
			d.bytes += Event{KV: kv}.bytes()
		}
	}
	return nil
}

// after is the first change of keys that begin with prefix at or after a revision.
// Without one, it is the empty change of the last revision.
func (d *database) after(prefix string, from int64) (Change, error) {
	if from <= d.compacted {
		return Change{}, fmt.Errorf("%w: changes from %d on, compacted up to %d", ErrCompacted, from, d.compacted)
	}
	i := sort.Search(len(d.changes), func(i int) bool { return d.changes[i].Revision >= from })
	for _, c := range d.changes[i:] {
		out := Change{Revision: c.Revision}
		for _, e := range c.Events {
			if strings.HasPrefix(e.KV.Key, prefix) {
				e.KV = e.KV.clone()
				out.Events = append(out.Events, e)
			}
		}
		if len(out.Events) > 0 {
			return out, nil
		}
	}
	return Change{Revision: d.revision}, nil
}
