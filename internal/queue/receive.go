package queue

// Receive leases up to n records to the caller, until now plus lease; a negative
// lease has no end, and none after a restart. Milliseconds. Deliveries are
// appended to out. What has no attempts left or has expired goes to Dead.
func (q *Queue) Receive(now int64, n int, lease int64, out []Delivery) []Delivery {
	want := len(out) + n
	for len(out) < want && q.inFlight < q.cfg.InFlightMax {
		w := q.nextSource()
		if w == nil {
			break
		}
		x := w.ready.pop()
		if x.id >= 0 {
			// An item may be left of an entry that went another way.
			if e := &q.entries[x.id]; e.state == ready && e.Offset == x.offset && &q.sources[e.source] == w {
				out, _ = q.deliver(x.id, now, lease, out)
			}
			continue
		}
		out = q.receiveGroup(^x.id, now, lease, want, out)
	}
	return out
}

// receiveGroup delivers the head of a group's line, and what follows it, up to
// want deliveries in all.
func (q *Queue) receiveGroup(n int32, now, lease int64, want int, out []Delivery) []Delivery {
	g := q.groups.at(n)
	g.listed = false
	if g.busy > 0 {
		return out // a record that was loaded later, after a restart, is leased
	}
	for len(out) < want && q.inFlight < q.cfg.InFlightMax && q.headReady(g) {
		var ok bool
		if out, ok = q.deliver(q.popHead(g), now, lease, out); !ok {
			break // what follows waits until that one is out of the way
		}
	}
	q.leaveGroup(n) // its records may have been forgotten meanwhile
	return out
}

// nextSource returns a source with something ready: the one with the highest
// priority, or the next in turn.
func (q *Queue) nextSource() *window {
	if q.cfg.Priority != nil {
		for _, s := range q.order {
			if w := &q.sources[s]; len(w.ready) > 0 {
				return w
			}
		}
		return nil
	}
	for range q.sources {
		if q.turn++; q.turn >= len(q.sources) {
			q.turn = 0
		}
		if w := &q.sources[q.turn]; len(w.ready) > 0 {
			return w
		}
	}
	return nil
}

// deliver leases a ready entry; ok is false if it is dead instead.
func (q *Queue) deliver(i int32, now, lease int64, out []Delivery) (_ []Delivery, ok bool) {
	e := &q.entries[i]
	switch {
	case e.ExpiresAt != 0 && e.ExpiresAt <= now:
		q.bury(i, ReasonExpired)
		return out, false
	case q.cfg.AttemptsMax > 0 && e.attempts >= q.cfg.AttemptsMax:
		q.bury(i, ReasonAttempts)
		return out, false
	}
	until := int64(noEnd)
	if lease >= 0 {
		until = now + lease
	}
	q.take(i, leased, until)
	e.attempts++
	if e.attempts > 1 {
		q.counts.Redelivered++
	} else {
		e.firstAt = now
	}
	q.counts.Received++
	q.touch(i)
	return append(out, Delivery{Tag: Tag{e.source, e.Offset, e.attempts}, FirstAt: e.firstAt, SentAt: e.SentAt}), true
}

// bury hands the entry to whoever calls Dead.
func (q *Queue) bury(i int32, why Reason) {
	e := &q.entries[i]
	q.take(i, settling, 0)
	e.why = why
	q.dead = append(q.dead, DeadLetter{Tag: Tag{e.source, e.Offset, e.attempts}, FirstAt: e.firstAt, Reason: why})
	q.countDead(why, 1)
}

func (q *Queue) countDead(why Reason, n int64) {
	if why == ReasonExpired {
		q.counts.Expired += n
	} else {
		q.counts.DeadLettered += n
	}
}

// Dead appends to out what will not be delivered, each once.
func (q *Queue) Dead(out []DeadLetter) []DeadLetter {
	out = append(out, q.dead...)
	q.dead = q.dead[:0]
	return out
}

// Finish ends what Dead handed out: it went elsewhere, or nowhere on purpose.
func (q *Queue) Finish(tags []Tag) {
	for _, t := range tags {
		if i, ok := q.find(t.Source, t.Offset); ok && q.entries[i].state == settling {
			q.todo.finished = append(q.todo.finished, i)
		}
	}
}

// Return takes back what Dead handed out, because it could not be moved. It is
// held until a time, milliseconds, and then tried again, unless it is done by now.
func (q *Queue) Return(tags []Tag, until int64) {
	for _, t := range tags {
		i, ok := q.find(t.Source, t.Offset)
		if !ok || q.entries[i].state != settling {
			continue
		}
		if q.ledger.Done(t.Source, t.Offset) {
			q.drop(i)
			continue
		}
		q.countDead(q.entries[i].why, -1)
		q.hold(i, until)
	}
}
