package queue

import "github.com/narumq/naru/internal/record"

// Ready counts the records of s that are in memory and ready; more may wait in the
// log.
func (q *Queue) Ready(s Source) int { return q.sources[s].readyN }

// ReadyBelow counts those below an offset. It looks at all records in memory.
func (q *Queue) ReadyBelow(s Source, below record.Offset) (n int) {
	for o, i := range q.sources[s].byOffset {
		if o < below && q.entries[i].state == ready {
			n++
		}
	}
	return n
}

// FirstReady returns the first record of s that is ready, if one in memory is. On an
// ordered queue it looks at all that are in memory.
func (q *Queue) FirstReady(s Source) (first Meta, ok bool) {
	w := &q.sources[s]
	if w.readyN == 0 {
		return first, false
	}
	if q.cfg.Ordered {
		for o, i := range w.byOffset {
			if q.entries[i].state == ready && (!ok || o < first.Offset) {
				first, ok = q.entries[i].Meta, true
			}
		}
		return first, ok
	}
	for len(w.ready) > 0 {
		x := w.ready[0]
		if e := &q.entries[x.id]; e.state == ready && e.Offset == x.offset && e.source == s {
			return e.Meta, true
		}
		w.ready.pop() // left of an entry that went another way
	}
	return first, false
}
