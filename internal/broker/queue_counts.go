package broker

// Counts implements queueBackend.
func (q *openQueue) Counts() (delivered, acked int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.t.log.Read(func() {
		st := q.core.Stats()
		delivered, acked = st.Received, st.Acked
	})
	return delivered, acked
}
