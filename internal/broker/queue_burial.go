package broker

// burial are dead letters on their way that somebody may wait for. Who waits closes
// it: what dies later is the next one's, which ends after it. The queue's mu guards it.
type burial struct {
	left int // letters, and the burial before
	done func()
	next *burial
}

// setsOut counts a letter that sets out. Caller holds mu.
func (q *openQueue) setsOut() *burial {
	if q.burial == nil {
		q.burial = new(burial)
	}
	q.burial.left++
	return q.burial
}

// arrives counts one that has arrived, or is put off, and returns what to call without
// mu. Caller holds mu.
func (q *openQueue) arrives(b *burial) (done calls) {
	for b.left--; b.left == 0; b.left-- {
		if b.done != nil {
			done = append(done, b.done)
		}
		if b.next == nil {
			q.burial = nil
			break
		}
		b = b.next
	}
	return done
}

// AfterBurials implements queueBackend.
func (q *openQueue) AfterBurials(done func()) {
	q.mu.Lock()
	b := q.burial
	if b != nil {
		b.done, b.next = done, &burial{left: 1}
		q.burial = b.next
	}
	q.mu.Unlock()
	if b == nil {
		done()
	}
}
