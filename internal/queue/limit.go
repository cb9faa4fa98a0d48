package queue

// Size is how many records are ready in memory, and what they count together.
func (q *Queue) Size() (n int, bytes int64) {
	for i := range q.sources {
		n += q.sources[i].readyN
		bytes += q.sources[i].bytes
	}
	return n, bytes
}

// DropHead gives up records that would be delivered next, until n and so many bytes
// are gone or there is nothing more to give up now; Dead hands them out. It returns
// how many.
func (q *Queue) DropHead(n int, bytes int64) (dropped int) {
	for dropped < n || bytes > 0 {
		i, ok := q.popReady()
		if !ok {
			break
		}
		bytes -= int64(q.entries[i].Bytes)
		q.bury(i, ReasonLength)
		dropped++
	}
	return dropped
}

// GiveUpReady gives up all that is ready now; Dead hands it out.
func (q *Queue) GiveUpReady(why Reason) {
	for {
		i, ok := q.popReady()
		if !ok {
			return
		}
		q.bury(i, why)
	}
}

// GiveUp gives up those of the deliveries' records that were given back and were
// delivered as often as allowed: they need not wait for another who would not get
// them. Dead hands them out.
func (q *Queue) GiveUp(tags []Tag) {
	if q.cfg.AttemptsMax == 0 {
		return
	}
	for _, t := range tags {
		i, ok := q.find(t.Source, t.Offset)
		if !ok {
			continue
		}
		if e := &q.entries[i]; e.attempts == t.Attempt && e.attempts >= q.cfg.AttemptsMax && !e.bare && (e.state == ready || e.state == held) {
			q.bury(i, ReasonAttempts)
		}
	}
}

// popReady takes the entry that would be delivered next out of its line.
func (q *Queue) popReady() (int32, bool) {
	for {
		w := q.nextSource()
		if w == nil {
			return 0, false
		}
		x := w.ready.pop()
		if x.id >= 0 {
			if e := &q.entries[x.id]; e.state == ready && e.Offset == x.offset && &q.sources[e.source] == w {
				return x.id, true
			}
			continue
		}
		g := q.groups.at(^x.id)
		g.listed = false
		if g.busy == 0 && q.headReady(g) {
			return q.popHead(g), true
		}
		q.leaveGroup(^x.id)
	}
}
