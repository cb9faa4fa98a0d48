package queue

import (
	"cmp"
	"maps"
	"slices"

	"github.com/narumq/naru/internal/record"
)

// model is a queue of one source as one would write it without a thought of
// speed: what Queue has to agree with, operation by operation.
type model struct {
	cfg     Config
	records map[record.Offset]*modelRecord
}

type modelRecord struct {
	Meta
	state    state
	attempts int32
	until    int64
	session  bool
}

func (m *model) clone() *model {
	c := &model{cfg: m.cfg, records: make(map[record.Offset]*modelRecord)}
	for o, r := range m.records {
		x := *r
		c.records[o] = &x
	}
	return c
}

func (m *model) load(x Meta, now int64) {
	m.records[x.Offset] = &modelRecord{Meta: x, state: held, until: x.DueAt}
	m.tick(now)
}

func (m *model) tick(now int64) {
	for _, r := range m.records {
		if (r.state == held || r.state == leased) && r.until <= now {
			r.state = ready
		}
	}
}

// full tells whether no more may be in flight.
func (m *model) full() bool {
	n := 0
	for _, r := range m.records {
		if r.state == leased || r.state == settling || r.state == held && r.attempts > 0 {
			n++
		}
	}
	return n >= m.cfg.InFlightMax
}

// next returns the record that is to be delivered next, within group if that is
// not 0.
func (m *model) next(group uint64) *modelRecord {
	blocked := make(map[uint64]bool)
	for _, r := range m.records {
		if g := r.Group; m.cfg.Ordered && g != 0 && g != group && (r.state == leased || r.state == settling) {
			blocked[g] = true
		}
	}
	for _, o := range slices.Sorted(maps.Keys(m.records)) {
		r := m.records[o]
		if r.state == ready && !blocked[r.Group] && (group == 0 || r.Group == group) {
			return r
		}
		if m.cfg.Ordered && r.Group != 0 && (r.state == held || r.state == ready) {
			blocked[r.Group] = true // its head
		}
	}
	return nil
}

func (m *model) receive(now int64, n int, lease int64) (out []Tag, dead []Tag) {
	var group uint64 // that goes on
	for len(out) < n && !m.full() {
		r := cmp.Or(m.next(group), m.next(0)) // the group that was begun, then any
		if r == nil {
			break
		}
		if r.ExpiresAt != 0 && r.ExpiresAt <= now || m.cfg.AttemptsMax > 0 && r.attempts >= m.cfg.AttemptsMax {
			r.state, group, dead = settling, 0, append(dead, Tag{0, r.Offset, r.attempts})
			continue
		}
		r.attempts++
		if r.state, r.until, r.session = leased, now+lease, lease < 0; r.session {
			r.until = noEnd
		}
		if out = append(out, Tag{0, r.Offset, r.attempts}); m.cfg.Ordered {
			group = r.Group
		}
	}
	return out, dead
}

// holds tells whether the tag's delivery is in force.
func (m *model) holds(t Tag, now int64, late bool) error {
	r := m.records[t.Offset]
	if r == nil {
		return ErrUnknownRecord
	}
	if r.attempts > 0 && r.attempts == t.Attempt && (r.state == settling || r.state == leased && r.until > now || late) {
		return nil
	}
	return ErrNotLeased
}

// restart is what remains after a crash.
func (m *model) restart(now int64) {
	for _, r := range m.records {
		if r.state == settling && r.attempts == 0 || r.session {
			r.state, r.until = ready, 0
		} else if r.state == settling {
			r.state = leased
		} else if r.state == ready {
			r.until = 0
		}
		r.session = false
	}
	m.tick(now)
}
