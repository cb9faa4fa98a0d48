package copies

import (
	"fmt"
	"slices"
	"sort"
)

// key names a copy: the message, and the queue to which it was routed.
type key struct{ value, home string }

// message is everything that is known of one copy.
type message struct {
	key
	publish    *Event // nil for a phantom
	deliveries []*delivery
}

// delivery is one delivery and its end.
type delivery struct {
	*Event
	end *Event // nil: none was asked for
}

type checker struct {
	scene  Scene
	copies map[key]*message
	order  []key
	found  []Anomaly
}

func newChecker(s Scene, events []Event) *checker {
	c := &checker{scene: s, copies: map[key]*message{}}
	byTime := make([]*Event, len(events))
	for i := range events {
		byTime[i] = &events[i]
	}
	sort.SliceStable(byTime, func(i, j int) bool { return byTime[i].Start < byTime[j].Start })
	byNumber := map[int]*delivery{}
	for _, e := range byTime {
		switch e.Kind {
		case Publish:
			for _, q := range e.Queues {
				c.copy(e.Value, q).publish = e
			}
		case Return:
			c.report(Returned, e.Value, "was returned as unroutable")
		case Broken:
			c.report(Topology, e.Value, "in life %d", e.Life)
		case Deliver:
			d := &delivery{Event: e}
			byNumber[e.Delivery] = d
			m := c.copy(e.Value, c.home(e.Queue))
			m.deliveries = append(m.deliveries, d)
		default:
			if d := byNumber[e.Delivery]; d != nil {
				d.end = e
			}
		}
	}
	return c
}

func (c *checker) home(queue string) string {
	if home, ok := c.scene.Homes[queue]; ok {
		return home
	}
	return queue
}

func (c *checker) copy(value, home string) *message {
	k := key{value, home}
	m := c.copies[k]
	if m == nil {
		m = &message{key: k}
		c.copies[k] = m
		c.order = append(c.order, k)
	}
	return m
}

// report notes an anomaly; the value comes first in its text.
func (c *checker) report(name, value, format string, args ...any) {
	c.found = append(c.found, Anomaly{name, value, fmt.Sprintf("%q ", value) + fmt.Sprintf(format, args...)})
}

// after tells whether a delivery is certain to have left the server after a moment that was seen on a channel.
func after(d *delivery, channel int, moment int64) bool {
	return d.Opened > moment || d.Channel == channel && d.Start > moment
}

// checkFate looks whether a copy was settled, or is gone.
func (c *checker) checkFate(m *message) {
	if m.publish == nil {
		c.report(Phantom, m.value, "came from %s, to which it was not routed", m.home)
		return
	}
	if !m.publish.OK {
		return
	}
	if len(m.deliveries) == 0 {
		c.report(Lost, m.value, "was confirmed, and never came from %s", m.home)
		return
	}
	settled := slices.ContainsFunc(m.deliveries, func(d *delivery) bool {
		return d.end != nil && d.end.Kind == Ack && d.end.To == "" // what was moved is settled where it went
	})
	if !settled {
		c.report(Lost, m.value, "came %d times from %s and where it goes, was settled nowhere, and is gone", len(m.deliveries), m.home)
	}
}

// holds tells whether the end of a delivery must hold when a later one leaves the server.
func (c *checker) holds(end *Event, later *delivery) bool {
	switch {
	case end == nil:
		return false
	case end.Certain == Committed:
		return true
	case end.Certain == Synchronised:
		for life := end.Life; life < later.Life; life++ {
			if !c.scene.Ordered[life] {
				return false
			}
		}
		return true
	}
	return false
}

// entries is how many of a copy there may be in a queue: one, but for a queue to which it was moved by transactions. And dead
// letters are moved at least once: each kill while they were on their way may leave more of each.
func (c *checker) entries(m *message, queue string) int {
	n := 0
	for _, d := range m.deliveries {
		if d.end != nil && d.end.To == queue {
			n++
		}
	}
	if n > 0 && queue != m.home {
		return n
	}
	n = 1
	for life := range c.killsWhileDying(m) {
		n = min(n*c.leftBy(m, life), 1<<30)
	}
	return n
}

// leftBy is how many a kill may leave of a copy. What is moved is put down where it goes before it is taken away where it was; and
// it may be moved on, and again, before the server knows for ever that it was taken away, however long that takes. To be rejected
// and to come back are two moves, and one that is on its way when a life begins makes one more.
func (c *checker) leftBy(m *message, life int) int {
	moves, begun := 0, 0
	for _, d := range m.deliveries {
		switch {
		case c.scene.Retry[d.Queue] == "" || d.end == nil || d.end.Kind != Reject:
		case d.Life == life:
			moves += 2
		case d.Life < life:
			begun = 1
		}
	}
	return max(2, 1+begun+moves)
}

// killsWhileDying are the lives that were killed while a copy was, or may have been, on its way as a dead letter.
func (c *checker) killsWhileDying(m *message) map[int]bool {
	lives := map[int]bool{}
	for i, d := range m.deliveries[:max(len(m.deliveries)-1, 0)] {
		if !c.mayDie(d) {
			continue
		}
		for life := d.Life; life <= m.deliveries[i+1].Life; life++ {
			if !c.scene.Ordered[life] && life < m.deliveries[len(m.deliveries)-1].Life {
				lives[life] = true
			}
		}
	}
	return lives
}

// mayDie tells whether the copy may be a dead letter after a delivery.
func (c *checker) mayDie(d *delivery) bool {
	if c.scene.Limits[d.Queue] != "" {
		return d.end == nil || d.end.Kind == Requeue
	}
	return c.scene.Retry[d.Queue] != "" && d.end != nil && d.end.Kind == Reject
}

// moved tells whether a copy came into a queue by a publish, so that its history began anew.
func (m *message) moved(queue string) bool {
	return queue != m.home && slices.ContainsFunc(m.deliveries, func(d *delivery) bool { return d.end != nil && d.end.To == queue })
}

// checkDeliveries looks for deliveries that should not be.
func (c *checker) checkDeliveries(m *message) {
	for i, later := range m.deliveries {
		ended := 0
		for _, earlier := range m.deliveries[:i] {
			switch one := c.entries(m, later.Queue) == 1; {
			case earlier.Queue == later.Queue:
				if c.gone(earlier, later) {
					ended++
				}
				if one && earlier.Life == later.Life {
					c.checkAgain(m, earlier, later)
				}
			case one && c.scene.Limits[later.Queue] == earlier.Queue && after(later, earlier.Channel, earlier.Start):
				c.report(Resurrected, m.value, "came from %s after it had come from %s", later.Queue, earlier.Queue)
			}
		}
		if n := c.entries(m, later.Queue); ended >= n {
			c.report(Redelivered, m.value, "came from %s after the end of %d deliveries was certain, and there were %d of it at most", later.Queue, ended, n)
		}
	}
}

// gone tells whether a delivery ended for good before a later one left the server.
func (c *checker) gone(earlier, later *delivery) bool {
	end := earlier.end
	ended := end != nil && (end.Kind == Ack || end.Kind == Reject && c.scene.Retry[end.Queue] == "")
	return ended && c.holds(end, later) && after(later, end.Channel, end.Time)
}

// checkAgain judges a second delivery from one queue in one life.
func (c *checker) checkAgain(m *message, earlier, later *delivery) {
	if c.held(earlier, later) {
		c.report(Shared, m.value, "came from %s while another consumer had it", later.Queue)
	}
	if !later.Redelivered && total(earlier.Deaths) == total(later.Deaths) && after(later, earlier.Channel, earlier.Start) {
		c.report(NotMarked, m.value, "came from %s again, and was not marked as redelivered", later.Queue)
	}
}

// held tells whether both deliveries were out at one moment for certain: the channels of both were open, and neither
// delivery had ended.
func (c *checker) held(earlier, later *delivery) bool {
	moment := later.Start
	for _, d := range []*delivery{earlier, later} {
		if d.Closed != 0 && d.Closed <= moment || d.end != nil && d.end.Start <= moment {
			return false
		}
	}
	return earlier.Channel != later.Channel && later.Opened < earlier.Start
}

func total(deaths []Death) (n int64) {
	for _, d := range deaths {
		n += d.Count
	}
	return n
}
