package broker

// Counts are how many messages were delivered and acknowledged since the broker
// started. Unlike Stats it costs nothing.
func (q *Queue) Counts() (delivered, acked int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.t.log.Read(func() {
		st := q.core.Stats()
		delivered, acked = st.Received, st.Acked
	})
	return delivered, acked
}
