package queue

import (
	"testing"

	"github.com/narumq/naru/internal/record"
)

// TestGiveUpReady gives up what is ready, and neither what is leased nor what is delayed.
func TestGiveUpReady(t *testing.T) {
	q := New(Config{Sources: 1}, NewLedger())
	var metas []Meta
	for o := range record.Offset(5) {
		metas = append(metas, Meta{Offset: o, SentAt: 1})
	}
	metas[4].DueAt = 1_000
	q.Load(0, metas, 5, 10)
	leased := q.Receive(10, 2, -1, nil)
	q.GiveUpReady(ReasonExpired)
	dead := q.Dead(nil)
	if len(leased) != 2 || len(dead) != 2 || dead[0].Tag.Offset != 2 || dead[1].Tag.Offset != 3 || dead[0].Reason != ReasonExpired {
		t.Errorf("leased %v, dead %v", leased, dead)
	}
	if st := q.Stats(); st.Ready != 0 || st.Delayed != 1 || st.Expired != 2 {
		t.Errorf("%+v", st)
	}
}
