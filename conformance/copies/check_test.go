package copies

import (
	"reflect"
	"testing"
)

const ms = int64(1e6)

// log builds histories: each event takes 2 ms, one after the other. Deliveries are on the channel that is open.
type log struct {
	events     []Event
	now        int64
	life       int
	channel    int
	opened     int64
	deliveries int
}

func start() *log { return (&log{now: 1000 * ms}).open() }

func (l *log) add(e Event) *log {
	e.Start, e.Time, e.Life, e.Channel, e.Opened = l.now, l.now+2*ms, l.life, l.channel, l.opened
	l.now += 3 * ms
	l.events = append(l.events, e)
	return l
}

// open opens another channel; the last one is closed.
func (l *log) open() *log {
	for i := range l.events {
		if l.events[i].Channel == l.channel && l.events[i].Closed == 0 {
			l.events[i].Closed = l.now
		}
	}
	l.now += ms
	return l.another()
}

// another opens another channel, and the last one stays.
func (l *log) another() *log {
	l.channel++
	l.opened = l.now
	l.now += ms
	return l
}

func (l *log) kill() *log {
	l.life++
	return l.open()
}

func (l *log) publish(v string, queues ...string) *log {
	return l.add(Event{Kind: Publish, Value: v, Queues: queues, OK: true})
}

func (l *log) unknown(v string, queues ...string) *log {
	return l.add(Event{Kind: Publish, Value: v, Queues: queues})
}

func (l *log) deliver(v, queue string, deaths ...Death) *log {
	l.deliveries++
	return l.add(Event{Kind: Deliver, Value: v, Queue: queue, Delivery: l.deliveries, Deaths: deaths})
}

func (l *log) again(v, queue string, deaths ...Death) *log {
	l.deliver(v, queue, deaths...)
	l.events[len(l.events)-1].Redelivered = true
	return l
}

// end ends the latest delivery.
func (l *log) end(k Kind, certain Certainty) *log {
	d := l.events[len(l.events)-1]
	return l.add(Event{Kind: k, Value: d.Value, Queue: d.Queue, Delivery: d.Delivery, Certain: certain})
}

func (l *log) ack() *log { return l.end(Ack, Unknown) }

// move ends the latest delivery in a transaction with a publish.
func (l *log) move(certain Certainty) *log {
	l.end(Ack, certain)
	l.events[len(l.events)-1].To = "parked"
	return l
}

func died(queue, reason string, n int64) Death { return Death{queue, reason, n} }

// round is the history of a message that was rejected n times.
func round(n int64) []Death { return []Death{died("wait", "expired", n), died("w", "rejected", n)} }

var scene = Scene{
	Homes:   map[string]string{"parked": "w", "buried": "l"},
	Retry:   map[string]string{"w": "wait"},
	Limits:  map[string]string{"l": "buried"},
	Ordered: map[int]bool{5: true},
}

func TestGoodHistories(t *testing.T) {
	lives := func(l *log, n int) *log { l.life = n; return l }
	for name, l := range map[string]*log{
		"published, delivered, acked":           start().publish("a", "q").deliver("a", "q").ack(),
		"two copies":                            start().publish("a", "q", "r").deliver("a", "q").ack().deliver("a", "r").ack(),
		"unknown, and lost":                     start().unknown("a", "q"),
		"unknown, and there":                    start().unknown("a", "q").deliver("a", "q").ack(),
		"given back":                            start().publish("a", "q").deliver("a", "q").open().again("a", "q").ack(),
		"an ack that a kill forgot":             start().publish("a", "q").deliver("a", "q").end(Ack, Synchronised).kill().deliver("a", "q").ack(),
		"a delivery that a kill forgot":         start().publish("a", "q").deliver("a", "q").kill().deliver("a", "q").ack(),
		"acked for ever":                        start().publish("a", "q").deliver("a", "q").end(Ack, Committed).kill(),
		"acked before an orderly stop":          lives(start(), 5).publish("a", "q").deliver("a", "q").end(Ack, Synchronised).kill(),
		"requeued":                              start().publish("a", "q").deliver("a", "q").end(Requeue, Committed).again("a", "q").ack(),
		"rejected twice":                        start().publish("a", "w").deliver("a", "w").end(Reject, Committed).deliver("a", "w", round(1)...).end(Reject, Unknown).deliver("a", "w", round(2)...).ack(),
		"a rejection that a kill forgot":        start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).kill().deliver("a", "w").ack(),
		"moved":                                 start().publish("a", "w").deliver("a", "w").move(Committed).deliver("a", "parked").ack(),
		"rejected, and moved":                   start().publish("a", "w").deliver("a", "w").end(Reject, Committed).deliver("a", "w", round(1)...).move(Committed).deliver("a", "parked").ack(),
		"a kill left two of a dead letter":      start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).kill().again("a", "w").end(Ack, Committed).kill().deliver("a", "w", round(1)...).ack(),
		"a kill left three of a dead letter":    start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).kill().again("a", "w").end(Ack, Committed).open().deliver("a", "w", round(1)...).end(Ack, Committed).open().deliver("a", "w", round(1)...).ack(),
		"moved, not committed":                  start().publish("a", "w").deliver("a", "w").move(Unknown).kill().deliver("a", "w").ack(),
		"moved twice":                           start().publish("a", "w").deliver("a", "w").move(Unknown).kill().deliver("a", "w").move(Committed).deliver("a", "parked").end(Ack, Committed).deliver("a", "parked").ack(),
		"delivered too often":                   start().publish("a", "l").deliver("a", "l").end(Requeue, Unknown).deliver("a", "buried", died("l", "delivery_limit", 1)).ack(),
		"two consumers, one after the other":    start().publish("a", "q").deliver("a", "q").end(Requeue, Unknown).another().again("a", "q").ack(),
		"read late, and from an earlier moment": start().publish("a", "q").deliver("a", "q").end(Ack, Committed).deliverOn(1, 0, "a", "q"),
	} {
		if found := Check(scene, l.events); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// deliverOn is a delivery on another channel, which was opened at a time.
func (l *log) deliverOn(channel int, opened int64, v, queue string) *log {
	l.again(v, queue)
	e := &l.events[len(l.events)-1]
	e.Channel, e.Opened, e.Closed = channel+100, opened, opened+1
	return l
}

func TestBrokenHistories(t *testing.T) {
	for name, c := range map[string]struct {
		l    *log
		want []string
	}{
		"never came":                     {start().publish("a", "q"), []string{Lost}},
		"one copy never came":            {start().publish("a", "q", "r").deliver("a", "r").ack(), []string{Lost}},
		"came, and is gone":              {start().publish("a", "q").deliver("a", "q"), []string{Lost}},
		"rejected, and is gone":          {start().publish("a", "w").deliver("a", "w").end(Reject, Committed), []string{Lost}},
		"moved, and is gone":             {start().publish("a", "w").deliver("a", "w").move(Committed), []string{Lost}},
		"moved by half, and is gone":     {start().publish("a", "w").deliver("a", "w").move(Unknown), []string{Lost}},
		"not routed there":               {start().publish("a", "q").deliver("a", "q").ack().deliver("a", "r").ack(), []string{Phantom}},
		"never published":                {start().deliver("a", "q").ack(), []string{Phantom}},
		"returned":                       {start().publish("a", "q").deliver("a", "q").ack().add(Event{Kind: Return, Value: "a"}), []string{Returned}},
		"after a commit, in one life":    {start().publish("a", "q").deliver("a", "q").end(Ack, Committed).again("a", "q").ack(), []string{Redelivered}},
		"after a commit and a kill":      {start().publish("a", "q").deliver("a", "q").end(Ack, Committed).kill().again("a", "q").ack(), []string{Redelivered}},
		"after an answer, in one life":   {start().publish("a", "q").deliver("a", "q").end(Ack, Synchronised).open().again("a", "q").ack(), []string{Redelivered}},
		"rejected for ever, and back":    {start().publish("a", "l").deliver("a", "l").end(Reject, Committed).kill().again("a", "l").ack(), []string{Redelivered}},
		"after an orderly stop":          {orderly(), []string{Redelivered}},
		"moved, and still there":         {start().publish("a", "w").deliver("a", "w").move(Committed).deliver("a", "parked").ack().kill().again("a", "w").ack(), []string{Redelivered}},
		"back from its grave":            {start().publish("a", "l").deliver("a", "l").end(Requeue, Unknown).deliver("a", "buried", died("l", "delivery_limit", 1)).ack().again("a", "l").ack(), []string{Resurrected, DeathsWentBack}},
		"two have it":                    {shared(), []string{Shared}},
		"not marked":                     {start().publish("a", "q").deliver("a", "q").open().deliver("a", "q").ack(), []string{NotMarked}},
		"a count went back":              {start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).deliver("a", "w", round(1)...).again("a", "w").ack(), []string{DeathsWentBack, DeathsWrong}},
		"a certain rejection forgotten":  {start().publish("a", "w").deliver("a", "w").end(Reject, Committed).kill().deliver("a", "w").ack(), []string{DeathsWrong}},
		"a history lost with a kill":     {start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).deliver("a", "w", round(1)...).kill().deliver("a", "w").ack(), []string{DeathsWrong}},
		"four of a dead letter":          {start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).kill().again("a", "w").end(Ack, Committed).open().deliver("a", "w", round(1)...).end(Ack, Committed).open().again("a", "w", round(1)...).end(Ack, Committed).open().again("a", "w", round(1)...).ack(), []string{Redelivered}},
		"nobody rejected it":             {start().publish("a", "w").deliver("a", "w", round(1)...).ack(), []string{DeathsWrong}},
		"counted twice":                  {start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).deliver("a", "w", round(2)...).ack(), []string{DeathsWrong}},
		"expired more often":             {start().publish("a", "w").deliver("a", "w").end(Reject, Unknown).deliver("a", "w", died("wait", "expired", 2), died("w", "rejected", 1)).ack(), []string{DeathsWrong}},
		"a history of another queue":     {start().publish("a", "q").deliver("a", "q", died("x", "expired", 1)).ack(), []string{DeathsWrong}},
		"delivered too often, and twice": {start().publish("a", "l").deliver("a", "l").end(Requeue, Unknown).deliver("a", "buried", died("l", "delivery_limit", 2)).ack(), []string{DeathsWrong}},
		"buried without a history":       {start().publish("a", "l").deliver("a", "l").end(Requeue, Unknown).deliver("a", "buried").ack(), []string{DeathsWrong}},
		"a queue is gone":                {start().add(Event{Kind: Broken, Value: "queue q"}), []string{Topology}},
	} {
		var names []string
		for _, a := range Check(scene, c.l.events) {
			names = append(names, a.Name)
		}
		if !reflect.DeepEqual(names, c.want) {
			t.Errorf("%s: found %v, want %v", name, names, c.want)
		}
	}
}

func orderly() *log {
	l := start()
	l.life = 5
	return l.publish("a", "q").deliver("a", "q").end(Ack, Synchronised).kill().again("a", "q").ack()
}

// shared: a channel that was open before gets what another still has.
func shared() *log {
	l := start().another().publish("a", "q").deliver("a", "q").again("a", "q").ack()
	e := &l.events[2]
	e.Channel, e.Opened = 1, 1000*ms
	return l
}

func TestStoryAndSummary(t *testing.T) {
	l := start().publish("a", "q").deliver("a", "q").publish("b", "q")
	if lines := Story(l.events, "a"); len(lines) != 2 {
		t.Errorf("the story has %d lines, want 2: %v", len(lines), lines)
	}
	if n := Summary(Check(scene, l.events)); n[Lost] != 2 {
		t.Errorf("the summary is %v, want two lost", n)
	}
}
