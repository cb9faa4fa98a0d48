package leases

import (
	"testing"
)

const ms = int64(1e6)

// log builds histories: every event takes 2 ms, one after the other.
type log struct {
	events []Event
	now    int64
	life   int
}

func (l *log) add(e Event) *log {
	e.Start, e.Time, e.Life = l.now, l.now+2*ms, l.life
	if e.Queue == "" {
		e.Queue = "q"
	}
	l.now += 3 * ms
	l.events = append(l.events, e)
	return l
}

func (l *log) wait(d int64) *log { l.now += d * ms; return l }

func (l *log) kill() *log { l.life++; return l }

func (l *log) send(v string) *log { return l.add(Event{Kind: Send, Value: v, OK: true}) }

func (l *log) sendTo(group, v string) *log {
	return l.add(Event{Kind: Send, Group: group, Value: v, OK: true})
}

func (l *log) unknown(v string) *log { return l.add(Event{Kind: Send, Value: v}) }

// deliver leases for a second.
func (l *log) deliver(v string, attempt int) *log {
	return l.add(Event{Kind: Deliver, Value: v, ID: v, Attempt: attempt, Lease: 1000 * ms})
}

func (l *log) with(values ...string) *log {
	for i, v := range values {
		l.add(Event{Kind: Deliver, Value: v, ID: v, Attempt: 1, Place: i, Lease: 1000 * ms})
		if i > 0 {
			e := &l.events[len(l.events)-1]
			e.Start, e.Time = l.events[len(l.events)-2].Start, l.events[len(l.events)-2].Time
		}
	}
	return l
}

func (l *log) dead(v string) *log {
	return l.add(Event{Kind: Deliver, Queue: "d", Dead: true, Value: v, ID: v, Attempt: 1})
}

func (l *log) left(v string) *log { return l.add(Event{Kind: Deliver, Value: v, ID: v, Attempt: 9}) }

func (l *log) del(v string) *log { return l.add(Event{Kind: Delete, Value: v, OK: true}) }

func (l *log) delUnknown(v string) *log { return l.add(Event{Kind: Delete, Value: v}) }

func (l *log) change(v string, lease int64) *log {
	return l.add(Event{Kind: Change, Value: v, OK: true, Lease: lease * ms})
}

func start() *log { return &log{now: 1000 * ms} }

func TestGoodHistories(t *testing.T) {
	for name, l := range map[string]*log{
		"sent, delivered, deleted":             start().send("a").deliver("a", 1).del("a"),
		"unknown, and lost":                    start().unknown("a"),
		"unknown, and there":                   start().unknown("a").deliver("a", 1).del("a"),
		"lease ended":                          start().send("a").deliver("a", 1).wait(1001).deliver("a", 2).del("a"),
		"lease given back":                     start().send("a").deliver("a", 1).change("a", 0).deliver("a", 2).del("a"),
		"unknown deletion, again":              start().send("a").deliver("a", 1).delUnknown("a").wait(1001).deliver("a", 2).del("a"),
		"forgotten by a kill":                  start().send("a").deliver("a", 1).kill().deliver("a", 1).del("a"),
		"remembered after a kill":              start().send("a").deliver("a", 1).send("b").left("b").kill().wait(1001).deliver("a", 2).del("a"),
		"left at the end":                      start().send("a").deliver("a", 1).wait(1001).left("a"),
		"dead-lettered":                        start().send("a").deliver("a", 1).dead("a"),
		"groups in order":                      start().sendTo("g", "a").sendTo("g", "b").deliver("a", 1).del("a").deliver("b", 1).del("b"),
		"groups in one answer":                 start().sendTo("g", "a").sendTo("g", "b").with("a", "b").del("a").del("b"),
		"groups apart":                         start().sendTo("g", "a").sendTo("h", "b").deliver("b", 1).deliver("a", 1).del("a").del("b"),
		"a dead letter blocks its group not":   start().sendTo("g", "a").sendTo("g", "b").deliver("a", 1).wait(1001).deliver("b", 1).del("b").dead("a"),
		"a deletion asked for frees its group": start().sendTo("g", "a").sendTo("g", "b").deliver("a", 1).delUnknown("a").deliver("b", 1).del("b"),
	} {
		if found := Check(l.events); len(found) != 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

func TestBrokenHistories(t *testing.T) {
	stored := start().send("a").deliver("a", 1).wait(1001).deliver("a", 2).del("a")
	stored.events[2].ID = "other"
	tests := []struct {
		name string
		log  *log
		want string
	}{
		{"never seen", start().send("a"), Lost},
		{"delivered, then gone", start().send("a").deliver("a", 1), Lost},
		{"never sent", start().deliver("z", 1).del("z"), Phantom},
		{"stored twice", stored, Duplicate},
		{"after its deletion", start().send("a").deliver("a", 1).del("a").wait(5000).deliver("a", 2), Redelivered},
		{"after its deletion and a kill", start().send("a").deliver("a", 1).del("a").kill().deliver("a", 2), Redelivered},
		{"deleted, then dead-lettered", start().send("a").deliver("a", 1).del("a").dead("a"), Redelivered},
		{"dead, then alive", start().send("a").dead("a").deliver("a", 1).wait(1001).left("a"), Resurrected},
		{"two at once", start().send("a").deliver("a", 1).wait(500).deliver("a", 2).del("a"), SharedLease},
		{"a longer lease forgotten", start().send("a").deliver("a", 1).change("a", 9000).wait(2000).deliver("a", 2).del("a"), SharedLease},
		{"a lease that must hold over a kill", start().send("a").send("b").deliver("b", 1).deliver("a", 1).del("b").kill().deliver("a", 2).del("a"), SharedLease},
		{"the second before the first", start().sendTo("g", "a").sendTo("g", "b").deliver("b", 1).del("b").deliver("a", 1).del("a"), OutOfOrder},
		{"the second while the first is leased", start().sendTo("g", "a").sendTo("g", "b").deliver("a", 1).deliver("b", 1).del("b").del("a"), OutOfOrder},
		{"backwards in one answer", start().sendTo("g", "a").sendTo("g", "b").with("b", "a").del("a").del("b"), OutOfOrder},
		{"the same attempt twice", start().send("a").deliver("a", 1).wait(1001).deliver("a", 1).del("a"), AttemptsWentBack},
		{"attempts forgotten by a kill", start().send("a").send("b").deliver("b", 1).deliver("a", 5).del("b").kill().wait(1001).deliver("a", 5).del("a"), AttemptsWentBack},
	}
	seen := map[string]bool{}
	for _, test := range tests {
		found := Check(test.log.events)
		for _, a := range found {
			seen[a.Name] = true
			if a.Name != test.want {
				t.Errorf("%s: found %v, want only %s", test.name, a, test.want)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s: nothing found, want %s", test.name, test.want)
		}
	}
	for _, name := range Names() {
		if !seen[name] {
			t.Errorf("no broken history shows %q", name)
		}
	}
}

// TestSettled has histories in which a kill may take a delivery.
func TestSettled(t *testing.T) {
	both := func() *log { return start().send("a").send("b").deliver("b", 1).deliver("a", 1) }
	early, elsewhere, unknown := both().del("b"), both().del("b"), both().delUnknown("b")
	early.events[4].Start = early.events[3].Start // before the delivery's answer
	elsewhere.events[4].Queue = "other"
	for name, l := range map[string]*log{
		"a deletion that began before": early, "a deletion from another queue": elsewhere, "a deletion of unknown outcome": unknown,
		"a send": both().send("c").left("c").delUnknown("b"),
	} {
		if found := Check(l.kill().deliver("a", 1).del("a").events); len(found) != 0 {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

// TestUnknownLife has a history that is broken, until a delivery or the deletion behind it may be of another life.
func TestUnknownLife(t *testing.T) {
	broken := func() *log {
		return start().send("a").send("b").deliver("b", 1).deliver("a", 1).del("b").kill().deliver("a", 1).del("a")
	}
	if len(Check(broken().events)) == 0 {
		t.Error("nothing found")
	}
	for _, i := range []int{3, 4} {
		l := broken()
		l.events[i].Life = UnknownLife
		if found := Check(l.events); len(found) != 0 {
			t.Errorf("with %v of no certain life: found %v", l.events[i].Kind, found)
		}
	}
}
