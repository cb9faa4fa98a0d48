package leases

import (
	"fmt"
	"sort"
)

// record is everything that is known of one sent value.
type record struct {
	send       *Event // nil for a phantom
	deliveries []*Event
	ends       []*Event // deletions and changes of a lease
	deletedBy  int64    // when the first deletion was asked for; 0 for never
	confirmed  int64    // when the first deletion was confirmed; 0 for never
	buried     int64    // when it was first seen in a dead-letter queue; 0 for never
}

type checker struct {
	records map[string]*record
	order   []string        // values, as first met
	deleted map[place]int64 // when the last confirmed deletion there began
	found   []Anomaly
}

// place is a queue in one life of the server.
type place struct {
	queue string
	life  int
}

func newChecker(events []Event) *checker {
	c := &checker{records: map[string]*record{}, deleted: map[place]int64{}}
	byTime := make([]*Event, len(events))
	for i := range events {
		byTime[i] = &events[i]
	}
	sort.SliceStable(byTime, func(i, j int) bool { return byTime[i].Time < byTime[j].Time })
	for _, e := range byTime {
		c.take(e)
	}
	return c
}

func (c *checker) take(e *Event) {
	r := c.records[e.Value]
	if r == nil {
		r = &record{}
		c.records[e.Value] = r
		c.order = append(c.order, e.Value)
	}
	switch e.Kind {
	case Send:
		if r.send == nil || e.OK && !r.send.OK {
			r.send = e
		}
	case Deliver:
		r.deliveries = append(r.deliveries, e)
		if e.Dead && r.buried == 0 {
			r.buried = e.Time
		}
	case Delete:
		r.ends = append(r.ends, e)
		if at := (place{e.Queue, e.Life}); e.OK && e.Start > c.deleted[at] {
			c.deleted[at] = e.Start
		}
		if r.deletedBy == 0 || e.Start < r.deletedBy {
			r.deletedBy = e.Start
		}
		if e.OK && r.confirmed == 0 {
			r.confirmed = e.Time
		}
	case Change:
		r.ends = append(r.ends, e)
	}
}

// report notes an anomaly; the value comes first in its text.
func (c *checker) report(name, format, value string, args ...any) {
	c.found = append(c.found, Anomaly{name, value, fmt.Sprintf(format, append([]any{value}, args...)...)})
}

// settled tells whether a delivery is durable for certain: a deletion from the same
// queue in the same life that began after its answer was confirmed. Other writes
// are not durable after it: what a queue says of deliveries waits for what it said before.
func (c *checker) settled(d *Event) bool {
	return d.Life != UnknownLife && c.deleted[place{d.Queue, d.Life}] > d.Time
}

// checkFate is about what became of one value.
func (c *checker) checkFate(value string, r *record) {
	if r.send == nil {
		c.report(Phantom, "%q was never sent", value)
	} else if r.send.OK && len(r.deliveries) == 0 {
		c.report(Lost, "%q was acknowledged and never seen again", value)
	}
	ids := map[string]bool{}
	left := r.deletedBy != 0
	for _, d := range r.deliveries {
		ids[d.ID] = true
		left = left || d.Lease == 0
		if r.confirmed != 0 && d.Start > r.confirmed {
			c.report(Redelivered, "%q came from %s %d ms after its deletion was confirmed", value, d.Queue, (d.Start-r.confirmed)/1e6)
		}
		if !d.Dead && r.buried != 0 && d.Start > r.buried {
			c.report(Resurrected, "%q came from %s after it was seen dead-lettered", value, d.Queue)
		}
	}
	if len(ids) > 1 {
		c.report(Duplicate, "%q was stored %d times", value, len(ids))
	}
	if r.send != nil && r.send.OK && len(r.deliveries) > 0 && !left {
		c.report(Lost, "%q was delivered, not deleted, and is gone", value)
	}
}

// checkLeases looks for two deliveries of one record whose leases overlap for
// certain: both began between their request and their answer.
func (c *checker) checkLeases(value string, r *record) {
	for i, later := range r.deliveries {
		if later.Lease == 0 {
			continue
		}
		for _, earlier := range r.deliveries[:i] {
			if earlier.Queue != later.Queue || earlier.Lease == 0 {
				continue
			}
			if !sameLife(earlier, later) && !c.settled(earlier) {
				continue
			}
			if end := r.leaseEnd(earlier, later) - clockStep; later.Time < end {
				c.report(SharedLease, "%q came from %s again %d ms before its lease could end", value, later.Queue, (end-later.Time)/1e6)
			}
		}
	}
}

// clockStep is how coarse a server's clock may be: a lease that begins within a
// millisecond may end with it.
const clockStep = 1e6

// leaseEnd is the earliest time at which the lease of a delivery can have ended,
// seen from a later delivery.
func (r *record) leaseEnd(d, later *Event) int64 {
	end := d.Start + d.Lease
	for _, e := range r.ends {
		if e.Start < d.Time || e.Start > later.Time {
			continue
		}
		if e.Kind == Delete {
			return 0 // asked for: the record may come again only if that failed
		}
		switch changed := e.Start + e.Lease; {
		case e.OK && e.Time < later.Start && sameLife(e, later):
			end = changed
		default:
			end = min(end, changed) // it may have been done, or not
		}
	}
	return end
}

// checkAttempts looks for attempts whose number is not above that of an earlier
// one that must be remembered.
func (c *checker) checkAttempts(value string, r *record) {
	for i, later := range r.deliveries {
		if later.Lease == 0 {
			continue
		}
		for _, earlier := range r.deliveries[:i] {
			if earlier.Queue != later.Queue || earlier.Lease == 0 || earlier.Time > later.Start {
				continue
			}
			if !sameLife(earlier, later) && !c.settled(earlier) {
				continue
			}
			if later.Attempt <= earlier.Attempt {
				c.report(AttemptsWentBack, "%q came from %s as attempt %d, and had been %d", value, later.Queue, later.Attempt, earlier.Attempt)
				return
			}
		}
	}
}

// checkOrder looks, in each group, for a delivery while an earlier record was
// still due: it had not been asked to be deleted, was not handed out before it
// in the same answer, and never was dead-lettered.
func (c *checker) checkOrder() {
	groups := map[string][]string{}
	for _, v := range c.order {
		if s := c.records[v].send; s != nil && s.Group != "" && s.OK {
			groups[s.Queue+" "+s.Group] = append(groups[s.Queue+" "+s.Group], v)
		}
	}
	names := make([]string, 0, len(groups))
	for n := range groups {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		values := groups[n]
		sort.SliceStable(values, func(i, j int) bool { return c.records[values[i]].send.Start < c.records[values[j]].send.Start })
		for i, v := range values {
			for _, d := range c.records[v].deliveries {
				if !d.Dead && d.Lease > 0 {
					c.checkPlace(n, values[:i], v, d)
				}
			}
		}
	}
}

func (c *checker) checkPlace(group string, earlier []string, value string, d *Event) {
	for _, u := range earlier {
		r := c.records[u]
		if r.buried != 0 || r.deletedBy != 0 && r.deletedBy < d.Time || r.handedOutWith(d) {
			continue
		}
		c.report(OutOfOrder, "%q of %s came while %q was due", value, group, u)
		return
	}
}

// handedOutWith tells whether the record came earlier in the same answer.
func (r *record) handedOutWith(d *Event) bool {
	for _, e := range r.deliveries {
		if e.Queue == d.Queue && e.Start == d.Start && e.Time == d.Time && e.Place < d.Place {
			return true
		}
	}
	return false
}
