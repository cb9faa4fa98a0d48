package queue

// Ack ends deliveries for good. For each tag errs gets nil, which counts once the
// commands of the next Drain are durable, or an error: ErrUnknownRecord,
// ErrNotLeased. A lease that has ended does no harm on a queue without order, as
// long as the record was not delivered again.
func (q *Queue) Ack(now int64, tags []Tag, errs []error) []error {
	for _, t := range tags {
		i, err := q.holder(t, now, !q.cfg.Ordered)
		if err == nil && q.entries[i].state != settling {
			q.take(i, settling, 0)
			q.todo.finished = append(q.todo.finished, i)
			q.counts.Acked++
		}
		errs = append(errs, err)
	}
	return errs
}

// Reject ends deliveries of records that must not be delivered again; Dead hands
// them out.
func (q *Queue) Reject(now int64, tags []Tag, errs []error) []error {
	for _, t := range tags {
		i, err := q.holder(t, now, false)
		if err == nil && q.entries[i].state != settling {
			q.bury(i, ReasonRejected)
		}
		errs = append(errs, err)
	}
	return errs
}

// Release gives deliveries back, to be delivered again after delay milliseconds.
// The records take their old places.
func (q *Queue) Release(now int64, tags []Tag, delay int64, errs []error) []error {
	for _, t := range tags {
		i, err := q.holder(t, now, false)
		switch {
		case err != nil || q.entries[i].state == settling:
		case delay <= 0 && !q.entries[i].bare:
			q.makeReady(i)
			q.touch(i)
		default:
			q.hold(i, now+max(delay, 0))
			q.entries[i].released = true
			q.released++
			q.touch(i)
		}
		errs = append(errs, err)
	}
	return errs
}

// Extend makes leases that are in force end lease milliseconds from now.
func (q *Queue) Extend(now int64, tags []Tag, lease int64, errs []error) []error {
	for _, t := range tags {
		i, err := q.holder(t, now, false)
		if err == nil && q.entries[i].state != settling {
			q.take(i, leased, now+max(lease, 0))
			q.touch(i)
		}
		errs = append(errs, err)
	}
	return errs
}

// Leased tells whether the tag's delivery is in force.
func (q *Queue) Leased(t Tag, now int64) bool {
	i, ok := q.find(t.Source, t.Offset)
	return ok && q.entries[i].state == leased && q.entries[i].attempts == t.Attempt && q.entries[i].until > now
}

// holder finds the entry that the tag's delivery holds. late allows that its
// lease has ended, if the record was not delivered since.
func (q *Queue) holder(t Tag, now int64, late bool) (int32, error) {
	i, ok := q.find(t.Source, t.Offset)
	if !ok {
		if i, ok = q.adopt(t.Source, t.Offset, now); !ok {
			return 0, ErrUnknownRecord
		}
	}
	e := &q.entries[i]
	switch {
	case e.attempts != t.Attempt || t.Attempt == 0:
		return 0, ErrNotLeased
	case e.state == leased && (e.until > now || late), e.state == settling, late && e.state != free:
		return i, nil
	}
	return 0, ErrNotLeased
}
