package coord

import (
	"cmp"
	"slices"
	"time"
)

// TTLMax is how long a lease may be.
const TTLMax = 24 * time.Hour

type lease struct {
	id   LeaseID
	ttl  time.Duration
	ends time.Time
}

func (f *Fake) grant(ttl time.Duration) Answer {
	f.granted++
	l := &lease{id: LeaseID(f.granted), ttl: ttl, ends: f.cfg.Now().Add(ttl)}
	f.leases[l.id] = l
	return Answer{Lease: l.id, TTL: ttl}
}

// expire ends the leases whose time is over, the earliest first. It does nothing in
// a pause.
func (f *Fake) expire() {
	if f.paused != nil {
		return
	}
	now := f.cfg.Now()
	var over []*lease
	for _, l := range f.leases {
		if !now.Before(l.ends) {
			over = append(over, l)
		}
	}
	slices.SortFunc(over, func(a, b *lease) int {
		return cmp.Or(a.ends.Compare(b.ends), cmp.Compare(a.id, b.id))
	})
	for _, l := range over {
		f.end(l.id)
	}
}

// end ends a lease and deletes its keys, as one change.
func (f *Fake) end(id LeaseID) {
	delete(f.leases, id)
	f.data.begin()
	for _, key := range f.data.sorted() {
		if kv := f.data.keys[key]; id != 0 && kv.Lease == id {
			f.data.remove(key)
		}
	}
	f.commit()
}
