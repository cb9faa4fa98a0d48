package queue

// Receive leases up to n records to the caller, until now plus lease; a negative
// lease has no end, and none after a restart. Milliseconds. Deliveries are
// appended to out. What has no attempts left or has expired goes to Dead.
func (q *Queue) Receive(now int64, n int, lease int64, out []Delivery) []Delivery {
	q.last = lastGroup{}
	return q.receive(now, len(out)+n, lease, out)
}

// ReceiveMore goes on where the Receive before it ended: it delivers what now follows in
// the group that was delivered from last, if nothing else has happened to the group, and
// then does as Receive does. It is for a caller that let nobody else in between the two.
func (q *Queue) ReceiveMore(now int64, n int, lease int64, out []Delivery) []Delivery {
	want := len(out) + n
	if g := q.last; g.busy > 0 && q.groups.at(g.number).busy == g.busy {
		out = q.receiveGroup(g.number, now, lease, want, out)
	}
	return q.receive(now, want, lease, out)
}

// lastGroup is what was delivered from last of an ordered queue.
type lastGroup struct {
	number int32
	busy   int32 // of the group, all delivered in turn; 0: nothing may follow
}

// receive delivers until there are `want` in out.
func (q *Queue) receive(now int64, want int, lease int64, out []Delivery) []Delivery {
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
		g := q.groups.at(^x.id)
		g.listed = false
		if g.busy == 0 { // else a record that was loaded later, after a restart, is leased
			out = q.receiveGroup(^x.id, now, lease, want, out)
		}
	}
	return out
}

// receiveGroup delivers the head of a group's line, and what follows it, up to
// want deliveries in all.
func (q *Queue) receiveGroup(n int32, now, lease int64, want int, out []Delivery) []Delivery {
	g := q.groups.at(n)
	for len(out) < want && q.inFlight < q.cfg.InFlightMax && q.headReady(g) {
		var ok bool
		if out, ok = q.deliver(q.popHead(g), now, lease, out); !ok {
			q.last = lastGroup{} // what follows waits until that one is out of the way
			break
		}
		q.last = lastGroup{n, g.busy}
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
