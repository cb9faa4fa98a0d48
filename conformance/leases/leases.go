package leases

import (
	"fmt"
	"sort"
)

// Kind says what an Event tells.
type Kind int

const (
	// Send: Value was sent to Queue, in Group if that is not empty. OK tells that
	// it was acknowledged; else its fate is unknown.
	Send Kind = iota
	// Deliver: Value came from Queue as message ID, for the Attempt-th time, for
	// Lease ns; 0 says that this was the last reading, which leaves it there.
	// Place is its place in the answer.
	Deliver
	// Delete: the delivery of Value from Queue was deleted. Not OK: unknown.
	Delete
	// Change: the lease of Value was made to end Lease ns from now. Not OK: unknown.
	Change
)

// UnknownLife is the life of a request during which one life of the server ended and another began.
const UnknownLife = -1

// sameLife tells whether both were answered by one life of the server for certain.
func sameLife(a, b *Event) bool { return a.Life == b.Life && a.Life != UnknownLife }

// Event is one request of one client, and its answer.
type Event struct {
	Kind    Kind
	Queue   string
	Dead    bool // the queue is a dead-letter queue
	Group   string
	Value   string
	ID      string
	Attempt int
	Place   int
	Lease   int64
	OK      bool
	Life    int   // which life of the server answered, or UnknownLife
	Start   int64 // when the request went out, ns
	Time    int64 // when the answer came, or was given up, ns
}

// Anomaly is one broken promise.
type Anomaly struct {
	Name   string
	Value  string // the record's
	Detail string
}

func (a Anomaly) String() string { return a.Name + ": " + a.Detail }

// The names of the anomalies that Check reports.
const (
	Lost             = "lost"
	Phantom          = "phantom"
	Duplicate        = "duplicate"
	Redelivered      = "redelivered"
	Resurrected      = "resurrected"
	SharedLease      = "shared lease"
	OutOfOrder       = "out of order"
	AttemptsWentBack = "attempts went back"
)

// Names lists every anomaly, in the order in which they are documented.
func Names() []string {
	return []string{Lost, Phantom, Duplicate, Redelivered, Resurrected, SharedLease, OutOfOrder, AttemptsWentBack}
}

// Check returns every anomaly in the events, grouped by name and in a fixed
// order. The events must include a last reading of all queues: what was
// acknowledged, was never asked to be deleted and is in no delivery is lost.
func Check(events []Event) []Anomaly {
	c := newChecker(events)
	for _, v := range c.order {
		r := c.records[v]
		c.checkFate(v, r)
		c.checkLeases(v, r)
		c.checkAttempts(v, r)
	}
	c.checkOrder()
	rank := map[string]int{}
	for i, n := range Names() {
		rank[n] = i
	}
	sort.SliceStable(c.found, func(i, j int) bool { return rank[c.found[i].Name] < rank[c.found[j].Name] })
	return c.found
}

func (k Kind) String() string { return [...]string{"send", "deliver", "delete", "change"}[k] }

// Story is what happened to one value, a line each, times in ms since the first.
func Story(events []Event, value string) []string {
	var all []Event
	for _, e := range events {
		if e.Value == value && e.Start != 0 {
			all = append(all, e)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Start < all[j].Start })
	var lines []string
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%6d-%d ms, life %d: %v %s attempt %d, lease %d ms, ok %v",
			(e.Start-all[0].Start)/1e6, (e.Time-all[0].Start)/1e6, e.Life, e.Kind, e.Queue, e.Attempt, e.Lease/1e6, e.OK))
	}
	return lines
}

// Summary counts the anomalies of each kind that has any.
func Summary(found []Anomaly) map[string]int {
	n := map[string]int{}
	for _, a := range found {
		n[a.Name]++
	}
	return n
}
