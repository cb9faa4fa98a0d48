package history

import "sort"

// checkCommits compares every committed offset that was read back with those
// confirmed before the question was asked. Only a lower value is wrong: a later
// commit may have been applied without its confirmation having been seen.
func (c *checker) checkCommits() {
	highest := c.highestCommits()
	for i := range c.events {
		e := &c.events[i]
		if e.Kind != Committed {
			continue
		}
		start := e.Start
		if start == 0 {
			start = e.Time
		}
		if want, ok := highest.before(e.Group, e.Partition, start); ok && e.Offset < want {
			c.report(CommitRegression, "group %s, partition %d: %d was confirmed, %d was read back",
				e.Group, e.Partition, want, e.Offset)
		}
	}
}

// checkDelivery is about groups: nothing again after its commit, and nothing
// that was acknowledged left out.
func (c *checker) checkDelivery() {
	highest := c.highestCommits()
	for group, seen := range c.group {
		for p, times := range seen {
			for _, t := range times {
				if committed, ok := highest.before(group, p.partition, t); ok && p.offset < committed {
					c.report(ReRead, "group %s was handed %v after it had committed %d", group, p, committed)
				}
			}
		}
		for p, v := range c.acked {
			if _, ok := seen[p]; !ok {
				c.report(Undelivered, "%q at %v never reached group %s", v, p, group)
			}
		}
	}
}

// step is the highest committed offset from a time on.
type step struct {
	time   int64
	offset int64
}

type commitIndex map[string]map[int32][]step

// highestCommits gives, for each group and partition, the running maximum of
// the confirmed commits. The clients of this suite never commit backwards.
func (c *checker) highestCommits() commitIndex {
	index := commitIndex{}
	for group, partitions := range c.commits {
		index[group] = map[int32][]step{}
		for partition, commits := range partitions {
			sorted := append([]*Event(nil), commits...)
			sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Time < sorted[j].Time })
			var steps []step
			high := int64(-1)
			for _, e := range sorted {
				if e.Offset > high {
					high = e.Offset
					steps = append(steps, step{e.Time, high})
				}
			}
			index[group][partition] = steps
		}
	}
	return index
}

// before returns the highest offset confirmed strictly before t.
func (x commitIndex) before(group string, partition int32, t int64) (int64, bool) {
	steps := x[group][partition]
	i := sort.Search(len(steps), func(i int) bool { return steps[i].time >= t })
	if i == 0 {
		return 0, false
	}
	return steps[i-1].offset, true
}
