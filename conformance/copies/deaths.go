package copies

import "slices"

// checkDeaths compares the history that a copy brought with what consumers did to it.
func (c *checker) checkDeaths(m *message) {
	one := c.entries(m, m.home) == 1
	for i, later := range m.deliveries {
		c.checkKept(m, later, m.deliveries[i+1:])
		for _, earlier := range m.deliveries[:i] {
			if one && !m.moved(later.Queue) && after(later, earlier.Channel, earlier.Start) {
				c.checkCounts(m, earlier, later)
			}
		}
		c.checkMade(m, m.deliveries[:i], later)
	}
}

// checkKept looks for what came with a history, or was rejected for certain, was not settled, and never came again with that
// much of a history. It holds also where there may be two of a copy.
func (c *checker) checkKept(m *message, d *delivery, rest []*delivery) {
	n := count(d.Deaths, m.home, rejected)
	switch {
	case d.Queue != m.home || len(rest) == 0 || d.end != nil && d.end.Kind == Ack:
		return
	case d.end != nil && d.end.Kind == Reject && d.end.Certain == Committed:
		n++
	}
	if n == 0 || c.scene.Retry[m.home] == "" {
		return
	}
	if !slices.ContainsFunc(rest, func(x *delivery) bool { return count(x.Deaths, m.home, rejected) >= n }) {
		c.report(DeathsWrong, m.value, "had been rejected %d times in %s, and never came with that again", n, m.home)
	}
}

// checkCounts looks for counts that went back, or did not move though a rejection is certain.
func (c *checker) checkCounts(m *message, earlier, later *delivery) {
	for _, d := range earlier.Deaths {
		if n := count(later.Deaths, d.Queue, d.Reason); n < d.Count {
			c.report(DeathsWentBack, m.value, "came from %s with %d deaths in %s (%s), and had had %d", later.Queue, n, d.Queue, d.Reason, d.Count)
			return
		}
	}
	end := earlier.end
	if end == nil || end.Kind != Reject || c.scene.Retry[end.Queue] == "" || !c.holds(end, later) || !after(later, end.Channel, end.Time) {
		return
	}
	was, is := count(earlier.Deaths, end.Queue, rejected), count(later.Deaths, end.Queue, rejected)
	if is <= was {
		c.report(DeathsWrong, m.value, "came from %s with %d rejections in %s, as before one that is certain", later.Queue, is, end.Queue)
	}
}

const (
	rejected = "rejected"
	expired  = "expired"
	tooOften = "delivery_limit"
)

// checkMade looks for deaths that nobody caused: each rejection needs a consumer that rejected what had one less, and what
// came back through another queue has expired there as often.
func (c *checker) checkMade(m *message, earlier []*delivery, d *delivery) {
	if d.Queue != m.home {
		c.checkLimit(m, d)
		return
	}
	n := count(d.Deaths, m.home, rejected)
	through := c.scene.Retry[m.home]
	if x := count(d.Deaths, through, expired); through != "" && x != n {
		c.report(DeathsWrong, m.value, "was rejected %d times in %s, and expired %d times in %s", n, m.home, x, through)
	}
	if entries := len(d.Deaths); entries > 0 && (through == "" || n == 0 || entries != 2) {
		c.report(DeathsWrong, m.value, "came from %s with a history that nobody made: %v", d.Queue, d.Deaths)
	}
	for want := range n {
		made := false
		for _, e := range earlier {
			made = made || e.end != nil && e.end.Kind == Reject && e.Queue == m.home && count(e.Deaths, m.home, rejected) == want
		}
		if !made {
			c.report(DeathsWrong, m.value, "came from %s with %d rejections, and nobody made number %d", d.Queue, n, want+1)
			return
		}
	}
}

// checkLimit looks at what was delivered too often: it died of that once.
func (c *checker) checkLimit(m *message, d *delivery) {
	if c.scene.Limits[m.home] != d.Queue {
		return
	}
	if len(d.Deaths) != 1 || d.Deaths[0] != (Death{m.home, tooOften, 1}) {
		c.report(DeathsWrong, m.value, "came from %s with the history %v", d.Queue, d.Deaths)
	}
}

func count(deaths []Death, queue, reason string) int64 {
	for _, d := range deaths {
		if d.Queue == queue && d.Reason == reason {
			return d.Count
		}
	}
	return 0
}
