package management

import (
	"sync"
	"time"
)

// rates remembers what was counted when somebody looked, so that the next look has rates. Who never asks costs nothing.
type rates struct {
	now func() time.Time // nil: the clock

	mu   sync.Mutex
	seen map[any]*looks // guarded by mu
}

// looks are the last two that were at least rateEvery apart.
type looks struct{ before, last look }

type look struct {
	at     time.Time
	counts map[string]int64
}

// rated are counts and how fast they change, per second.
type rated struct {
	counts map[string]int64
	rate   map[string]float64
}

// of notes what was counted of something, and returns it with rates since it was looked at before. The first look, and one
// that comes late, has none.
func (r *rates) of(key any, counts map[string]int64) rated {
	now := time.Now
	if r.now != nil {
		now = r.now
	}
	at := now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[any]*looks{}
	}
	x := r.seen[key]
	if x == nil || at.Sub(x.last.at) > rateKept {
		if x == nil && len(r.seen) >= ratesMax {
			r.forget(at)
		}
		x = &looks{last: look{at, counts}}
		r.seen[key] = x
	} else if at.Sub(x.last.at) >= rateEvery {
		x.before, x.last = x.last, look{at, counts}
	}
	out := rated{counts: counts, rate: map[string]float64{}}
	if x.before.counts == nil {
		return out
	}
	seconds := x.last.at.Sub(x.before.at).Seconds()
	for name, n := range x.last.counts {
		out.rate[name] = float64(n-x.before.counts[name]) / seconds
	}
	return out
}

// forget makes room: first of what nobody asks for, else of all. Caller holds mu.
func (r *rates) forget(now time.Time) {
	for key, x := range r.seen {
		if now.Sub(x.last.at) > rateKept {
			delete(r.seen, key)
		}
	}
	if len(r.seen) >= ratesMax {
		clear(r.seen)
	}
}

// add puts counts into an object, each with its rate.
func (r rated) add(o object, names ...string) {
	for _, name := range names {
		o[name] = r.counts[name]
		o[name+"_details"] = object{"rate": r.rate[name]}
	}
}

// stats are counts with their rates, as an object of their own.
func (r rated) stats(names ...string) object {
	o := object{}
	r.add(o, names...)
	return o
}
