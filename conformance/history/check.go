package history

import (
	"fmt"
	"sort"
)

// checker holds the indexes that the single checks share.
type checker struct {
	events  []Event
	found   []Anomaly
	sent    map[string]bool               // values handed to a producer
	acked   map[place]string              // what the broker confirmed
	at      map[place]map[string]bool     // values seen at a place: acked or read
	read    map[place]bool                // places that any consumer was handed
	ends    map[int32]int64               // how far each partition was read to its end
	offsets map[int32][]int64             // known offsets of each partition, ascending
	group   map[string]map[place][]int64  // when a group delivered a place
	commits map[string]map[int32][]*Event // confirmed commits by group and partition
}

func newChecker(events []Event) *checker {
	c := &checker{
		events: events, sent: map[string]bool{}, acked: map[place]string{},
		at: map[place]map[string]bool{}, read: map[place]bool{}, ends: map[int32]int64{},
		offsets: map[int32][]int64{}, group: map[string]map[place][]int64{},
		commits: map[string]map[int32][]*Event{},
	}
	for i := range events {
		c.index(&events[i])
	}
	for p := range c.at {
		c.offsets[p.partition] = append(c.offsets[p.partition], p.offset)
	}
	for _, o := range c.offsets {
		sort.Slice(o, func(i, j int) bool { return o[i] < o[j] })
	}
	return c
}

func (c *checker) index(e *Event) {
	p := place{e.Partition, e.Offset}
	switch e.Kind {
	case Send:
		c.sent[e.Value] = true
	case Ack:
		c.acked[p] = e.Value
		c.see(p, e.Value)
	case Poll:
		c.read[p] = true
		c.see(p, e.Value)
		if e.Group != "" {
			if c.group[e.Group] == nil {
				c.group[e.Group] = map[place][]int64{}
			}
			c.group[e.Group][p] = append(c.group[e.Group][p], e.Time)
		}
	case Commit:
		if c.commits[e.Group] == nil {
			c.commits[e.Group] = map[int32][]*Event{}
		}
		c.commits[e.Group][e.Partition] = append(c.commits[e.Group][e.Partition], e)
	case End:
		c.ends[e.Partition] = max(c.ends[e.Partition], e.Offset)
	}
}

func (c *checker) see(p place, value string) {
	if c.at[p] == nil {
		c.at[p] = map[string]bool{}
	}
	c.at[p][value] = true
}

func (c *checker) report(name, format string, args ...any) {
	c.found = append(c.found, Anomaly{name, fmt.Sprintf(format, args...)})
}

// checkValues looks at the log as a whole: what value stands at which place.
func (c *checker) checkValues() {
	places := map[string][]place{}
	for p, values := range c.at {
		if len(values) > 1 {
			c.report(InconsistentOffset, "%v holds %v", p, keys(values))
		}
		for v := range values {
			places[v] = append(places[v], p)
			if !c.sent[v] {
				c.report(Phantom, "%v holds %q, which nobody sent", p, v)
			}
		}
	}
	for v, at := range places {
		if len(at) > 1 {
			sort.Slice(at, func(i, j int) bool {
				return at[i].partition < at[j].partition ||
					at[i].partition == at[j].partition && at[i].offset < at[j].offset
			})
			c.report(Duplicate, "%q is at %v", v, at)
		}
	}
}

// checkLost needs the partition to have been read to its end after the sends.
func (c *checker) checkLost() {
	for p, v := range c.acked {
		end, ok := c.ends[p.partition]
		switch {
		case !ok:
		case p.offset >= end:
			c.report(LostWrite, "%q was acknowledged at %v, the log ends at %d", v, p, end)
		case !c.read[p]:
			c.report(LostWrite, "%q was acknowledged at %v, nobody could read it", v, p)
		}
	}
}

// checkPolls follows each consumer through each partition between assignments.
func (c *checker) checkPolls() {
	type cursor struct {
		process   string
		partition int32
	}
	last := map[cursor]int64{}
	for i := range c.events {
		e := &c.events[i]
		at := cursor{e.Process, e.Partition}
		switch e.Kind {
		case Assign:
			delete(last, at)
		case Poll:
			before, ok := last[at]
			last[at] = e.Offset
			if !ok {
				continue
			}
			if e.Offset <= before {
				c.report(NonMonotonicPoll, "%s read %d@%d after %d", e.Process, e.Partition, e.Offset, before)
			} else if missed, ok := c.between(e.Partition, before, e.Offset); ok {
				c.report(PollSkip, "%s went from %d@%d to %d over %d", e.Process, e.Partition, before, e.Offset, missed)
			}
		}
	}
}

// between returns a known offset strictly between the two.
func (c *checker) between(partition int32, from, to int64) (int64, bool) {
	known := c.offsets[partition]
	i := sort.Search(len(known), func(i int) bool { return known[i] > from })
	if i < len(known) && known[i] < to {
		return known[i], true
	}
	return 0, false
}

// checkSends compares the order in which a producer sent to a partition with
// the order of the offsets that its values got.
func (c *checker) checkSends() {
	type lane struct {
		process   string
		partition int32
	}
	order := map[lane][]string{}
	got := map[string]int64{}
	for i := range c.events {
		e := &c.events[i]
		switch e.Kind {
		case Send:
			l := lane{e.Process, e.Partition}
			order[l] = append(order[l], e.Value)
		case Ack:
			got[e.Value] = e.Offset
		}
	}
	for l, values := range order {
		last, lastValue := int64(-1), ""
		for _, v := range values {
			offset, ok := got[v]
			if !ok {
				continue
			}
			if offset <= last {
				c.report(NonMonotonicSend, "%s sent %q after %q to %d, offsets %d and %d",
					l.process, v, lastValue, l.partition, offset, last)
			}
			last, lastValue = offset, v
		}
	}
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, fmt.Sprintf("%q", k))
	}
	sort.Strings(out)
	return out
}
