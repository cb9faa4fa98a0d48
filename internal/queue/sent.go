package queue

import (
	"slices"

	"github.com/narumq/naru/internal/record"
)

// SentIDMS is how long the id of what was sent is remembered, in milliseconds.
const SentIDMS = 5 * 60 * 1000

// SentID is what is remembered of a record that was sent with an id.
type SentID struct {
	Hash   [16]byte // of the id and its scope
	Offset record.Offset
	At     int64 // milliseconds
}

type place struct {
	source Source
	offset record.Offset
	at     int64
}

// sentIDs remembers ids for at least SentIDMS, at most for twice as long: two
// generations, so that nothing is kept in order and nothing is swept.
type sentIDs struct {
	young, old map[[16]byte]place
	since      int64           // when young began
	next       []record.Offset // by source: one past the last that was noted
}

// Remember is the command that notes what was sent to s; list is in the order of
// offsets.
func Remember(s Source, list []SentID) []byte {
	w := newCommand(cmdSent, s)
	w.uint(uint64(len(list)))
	var at record.Offset
	for i := range list {
		w = append(w, list[i].Hash[:]...)
		w.uint(uint64(list[i].Offset - at))
		w.int(list[i].At)
		at = list[i].Offset
	}
	return w
}

func (l *Ledger) decodeSent(r *reader, s Source) func() {
	n := r.count(18)
	list := make([]SentID, n)
	var at record.Offset
	for i := range list {
		copy(list[i].Hash[:], r.take(16))
		at = r.after(at)
		list[i].Offset, list[i].At = at, r.int()
	}
	return func() {
		for i := range list {
			l.sent.add(s, &list[i])
		}
	}
}

func (t *sentIDs) add(s Source, id *SentID) {
	for int(s) >= len(t.next) {
		t.next = append(t.next, 0)
	}
	t.next[s] = max(t.next[s], id.Offset+1)
	if t.young == nil || id.At-t.since >= SentIDMS {
		t.young, t.old, t.since = make(map[[16]byte]place), t.young, id.At
	}
	t.young[id.Hash] = place{s, id.Offset, id.At}
}

// Sent returns where a record with this id went in the five minutes before now.
func (l *Ledger) Sent(hash [16]byte, now int64) (s Source, o record.Offset, ok bool) {
	p, ok := l.sent.young[hash]
	if !ok {
		p, ok = l.sent.old[hash]
	}
	return p.source, p.offset, ok && now-p.at < SentIDMS
}

// SentBelow is one past the last offset of s whose id was noted. What is above it
// in the log has to be noted again after a crash.
func (l *Ledger) SentBelow(s Source) record.Offset {
	if int(s) >= len(l.sent.next) {
		return 0
	}
	return l.sent.next[s]
}

func (t *sentIDs) snapshot(now int64, emit func(cmd []byte)) {
	lists := make([][]SentID, len(t.next))
	for _, m := range []map[[16]byte]place{t.old, t.young} {
		for hash, p := range m {
			// The last one stays in any case: it says how far the log was read.
			if now-p.at < SentIDMS || p.offset+1 == t.next[p.source] {
				lists[p.source] = append(lists[p.source], SentID{hash, p.offset, p.at})
			}
		}
	}
	for s, list := range lists {
		slices.SortFunc(list, func(a, b SentID) int { return int(a.Offset - b.Offset) })
		for part := range slices.Chunk(list, sentPerCommand) {
			emit(Remember(Source(s), part))
		}
	}
}
