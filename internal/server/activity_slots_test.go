package server

import (
	"testing"
	"time"

	"github.com/narumq/naru/internal/journal"
)

// Slots that come and go are no traffic.
func TestActivityOfSlots(t *testing.T) {
	a := &activity{s: new(Server)}
	two := totals{slots: []journal.SlotID{1, 2}, records: 50, bytesIn: 900, bytesOut: 700}
	one := totals{slots: []journal.SlotID{1}, records: 20, bytesIn: 900, bytesOut: 300}
	none := totals{}
	more := one
	more.records, more.bytesIn, more.bytesOut = 21, 910, 315
	for _, x := range []struct {
		from, to                   totals
		records, bytesIn, bytesOut int64
	}{{two, one, 0, 0, 0}, {one, none, 0, 0, 0}, {none, two, 0, 0, 0}, {one, more, 1, 10, 15}} {
		a.add(time.Now(), &x.from, &x.to)
		got := a.samples[len(a.samples)-1]
		if got.RecordsIn != x.records || got.BytesIn != x.bytesIn || got.BytesOut != x.bytesOut {
			t.Errorf("%v", got)
		}
	}
}
