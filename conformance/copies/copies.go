package copies

import (
	"fmt"
	"slices"
	"sort"
)

// Kind says what an Event tells.
type Kind int

const (
	// Publish: Value was published, and has to be routed to Queues. OK tells that it was
	// confirmed; else its fate is unknown.
	Publish Kind = iota
	// Return: Value came back as unroutable.
	Return
	// Deliver: Value came from Queue with the history Deaths.
	Deliver
	// Ack, Reject, Requeue: what was done with the delivery Of. With To, an Ack was in one
	// transaction with a publish to that queue. Time is when it became certain, see OK.
	Ack
	Reject
	Requeue
	// Broken: Value says what of the topology was not there, or not as it was declared.
	Broken
)

func (k Kind) String() string {
	return [...]string{"publish", "return", "deliver", "ack", "reject", "requeue", "broken"}[k]
}

// Certainty is how long the end of a delivery is known to hold.
type Certainty int

// Certainties, see the package.
const (
	Unknown Certainty = iota
	Synchronised
	Committed
)

// Death is an entry of x-death.
type Death struct {
	Queue, Reason string
	Count         int64
}

// Event is what one client did or saw.
type Event struct {
	Kind   Kind
	Value  string
	Queue  string   // of a delivery and of its end
	Queues []string // of a publish
	OK     bool     // of a publish

	Delivery    int // a delivery's number, and that of the delivery that an end is of
	Redelivered bool
	Deaths      []Death
	To          string
	Certain     Certainty

	Channel int   // numbered in the order of opening
	Opened  int64 // when opening the channel began
	Closed  int64 // when closing it began, or it was seen broken; 0: it never was
	Life    int   // which life of the server this was
	Start   int64 // when it was asked for; of a delivery: when it was read
	Time    int64 // when it became certain
}

// Scene is what the judge knows of the topology.
type Scene struct {
	// Homes says of a queue which gets dead letters or moved messages from whose they are.
	Homes map[string]string
	// Retry says of a queue through which other its rejected messages come back.
	Retry map[string]string
	// Limits says of a queue where messages go that were delivered too often.
	Limits map[string]string
	// Ordered are the lives that ended with an orderly stop.
	Ordered map[int]bool
}

// Anomaly is one broken promise.
type Anomaly struct {
	Name   string
	Value  string
	Detail string
}

func (a Anomaly) String() string { return a.Name + ": " + a.Detail }

// The names of the anomalies that Check reports.
const (
	Lost           = "lost"
	Phantom        = "phantom"
	Returned       = "returned"
	Redelivered    = "redelivered"
	Resurrected    = "resurrected"
	Shared         = "shared"
	NotMarked      = "not marked"
	DeathsWentBack = "deaths went back"
	DeathsWrong    = "deaths are wrong"
	Topology       = "topology"
)

// Names lists every anomaly, in the order in which they are documented.
func Names() []string {
	return []string{Lost, Phantom, Returned, Redelivered, Resurrected, Shared, NotMarked, DeathsWentBack, DeathsWrong, Topology}
}

// Check returns every anomaly in the events, grouped by name and in a fixed order.
func Check(s Scene, events []Event) []Anomaly {
	c := newChecker(s, events)
	for _, k := range c.order {
		m := c.copies[k]
		c.checkFate(m)
		c.checkDeliveries(m)
		c.checkDeaths(m)
	}
	sort.SliceStable(c.found, func(i, j int) bool {
		return slices.Index(Names(), c.found[i].Name) < slices.Index(Names(), c.found[j].Name)
	})
	return c.found
}

// Story is what happened to one value, a line each, times in ms since the first.
func Story(events []Event, value string) (lines []string) {
	var all []Event
	for _, e := range events {
		if e.Value == value {
			all = append(all, e)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Start < all[j].Start })
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%6d-%d ms, life %d, channel %d: %v %s%v delivery %d to %q, certain %d, deaths %v, redelivered %v, ok %v",
			(e.Start-all[0].Start)/1e6, (e.Time-all[0].Start)/1e6, e.Life, e.Channel, e.Kind, e.Queue, e.Queues, e.Delivery, e.To, e.Certain, e.Deaths, e.Redelivered, e.OK))
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
