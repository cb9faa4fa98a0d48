package queue

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/narumq/naru/internal/record"
)

// world runs a queue beside the model.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	cfg     Config
	now     int64
	end     record.Offset
	metas   []Meta // the log
	ledger  *Ledger
	q       *Queue
	live    *model
	durable *model // as of the last batch that is applied
	log     [][]byte
	tags    []Tag // some that were given out
	trace   []string
}

func newWorld(t *testing.T, seed uint64, cfg Config) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), cfg: cfg.withDefaults(), now: 1_000_000, ledger: NewLedger()}
	w.live = &model{cfg: w.cfg, records: make(map[record.Offset]*modelRecord)}
	w.durable = w.live.clone()
	w.q = New(w.cfg, w.ledger)
	return w
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
	if len(w.trace) > 400 {
		w.trace = w.trace[200:]
	}
}

func (w *world) fatal(format string, args ...any) {
	w.t.Helper()
	for _, line := range w.trace[max(0, len(w.trace)-60):] {
		w.t.Log(line)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) send() {
	var list []Meta
	for range 1 + w.rng.IntN(4) {
		m := Meta{Offset: w.end, SentAt: w.now, Group: uint64(w.rng.IntN(4))}
		if w.rng.IntN(5) == 0 {
			m.DueAt = w.now + 1000*int64(w.rng.IntN(20))
		}
		if w.rng.IntN(12) == 0 {
			m.ExpiresAt = w.now + 1000*int64(1+w.rng.IntN(60))
		}
		w.end++
		list = append(list, m)
	}
	w.metas = append(w.metas, list...)
	w.q.Load(0, list, w.end, w.now)
	for _, m := range list {
		w.say("send %d group %d due %d expires %d", m.Offset, m.Group, m.DueAt, m.ExpiresAt)
		w.live.load(m, w.now)
	}
}

func (w *world) receive() {
	n, lease := 1+w.rng.IntN(4), 1000*int64(1+w.rng.IntN(10))
	if w.rng.IntN(5) == 0 {
		lease = -1
	}
	got := w.q.Receive(w.now, w.rng.IntN(n+1), lease, nil)
	got = w.q.ReceiveMore(w.now, n-len(got), lease, got) // as if it were one
	dead := w.q.Dead(nil)
	want, wantDead := w.live.receive(w.now, n, lease)
	var tags, gone []Tag
	for _, d := range got {
		tags = append(tags, d.Tag)
	}
	for _, d := range dead {
		gone = append(gone, d.Tag)
	}
	w.say("at %d receive %d for %d: %v dead %v", w.now, n, lease, tags, gone)
	if !slices.Equal(tags, want) || !slices.Equal(gone, wantDead) {
		w.fatal("received %v dead %v, want %v dead %v", tags, gone, want, wantDead)
	}
	w.tags = append(w.tags, tags...)
	if len(gone) == 0 {
		return
	}
	if w.rng.IntN(4) == 0 {
		w.q.Return(gone, w.now+1000)
		for _, t := range gone {
			r := w.live.records[t.Offset]
			r.state, r.until, r.session = held, w.now+1000, true // not written down
		}
		return
	}
	w.q.Finish(gone)
}

func (w *world) tag() Tag {
	if len(w.tags) == 0 || w.rng.IntN(20) == 0 {
		return Tag{0, record.Offset(w.rng.Int64N(int64(w.end) + 3)), int32(w.rng.IntN(3))}
	}
	return w.tags[max(0, len(w.tags)-1-w.rng.IntN(12))]
}

func (w *world) settle() {
	t, late := w.tag(), !w.cfg.Ordered
	r := w.live.records[t.Offset]
	var got []error
	var want error
	switch k := w.rng.IntN(10); {
	case k < 6:
		got, want = w.q.Ack(w.now, []Tag{t}, nil), w.live.holds(t, w.now, late)
		w.say("ack %v: %v", t, got)
		if want == nil {
			r.state = settling
		}
	case k < 8:
		delay := 1000 * int64(w.rng.IntN(5))
		got, want = w.q.Release(w.now, []Tag{t}, delay, nil), w.live.holds(t, w.now, false)
		w.say("release %v for %d: %v", t, delay, got)
		if want == nil && r.state != settling {
			r.state, r.until, r.session = held, w.now+delay, false
		}
	default:
		lease := 1000 * int64(1+w.rng.IntN(8))
		got, want = w.q.Extend(w.now, []Tag{t}, lease, nil), w.live.holds(t, w.now, false)
		w.say("extend %v for %d: %v", t, lease, got)
		if want == nil && r.state != settling {
			r.state, r.until, r.session = leased, w.now+lease, false
		}
	}
	w.live.tick(w.now)
	if !errors.Is(got[0], want) {
		w.fatal("%v: %v, want %v", t, got[0], want)
	}
}

// drain makes what happened durable.
func (w *world) drain() {
	b := w.q.Drain()
	if b == nil {
		return
	}
	w.durable = w.live.clone()
	for o, r := range w.durable.records {
		if r.state == settling && slices.ContainsFunc(b.finished, func(i int32) bool { return w.q.entries[i].Offset == o }) {
			delete(w.durable.records, o)
			delete(w.live.records, o)
		}
	}
	for _, cmd := range b.Commands {
		if err := w.ledger.Apply(cmd, w.now); err != nil {
			w.fatal("apply: %v", err)
		}
		w.log = append(w.log, slices.Clone(cmd))
	}
	w.say("drain: %d commands", len(b.Commands))
	w.q.Settled(b, nil)
}

// restart loses what was not drained.
func (w *world) restart() {
	w.say("restart")
	l := NewLedger()
	for _, cmd := range w.log {
		if err := l.Apply(cmd, w.now); err != nil {
			w.fatal("replay: %v", err)
		}
	}
	if w.rng.IntN(2) == 0 {
		w.log = nil
		l.Snapshot(w.now, func(cmd []byte) { w.log = append(w.log, cmd) })
		again := NewLedger()
		for _, cmd := range slices.Concat(w.log, w.log) { // twice: the second time it changes nothing
			if err := again.Apply(cmd, w.now); err != nil {
				w.fatal("replay of a snapshot: %v", err)
			}
		}
		l = again
	}
	w.ledger, w.q, w.tags = l, New(w.cfg, l), w.tags[max(0, len(w.tags)-5):]
	sent := w.live
	w.live = w.durable.clone()
	w.live.restart(w.now)
	for o, r := range sent.records { // sent after the last batch: only the log knows
		if w.live.records[o] == nil {
			w.live.load(r.Meta, w.now)
		}
	}
	if w.rng.IntN(2) == 0 && len(w.tags) > 0 { // an ack may come before its record is loaded
		t := w.tags[0]
		got, want := w.q.Ack(w.now, []Tag{t}, nil), w.live.holds(t, w.now, !w.cfg.Ordered)
		w.say("early ack %v: %v", t, got)
		if (got[0] == nil) != (want == nil) {
			w.fatal("early ack of %v: %v, want %v", t, got[0], want)
		}
		if want == nil {
			w.live.records[t.Offset].state = settling
		}
	}
	from, _ := w.q.Want(0)
	w.q.Load(0, w.metas[from:], w.end, w.now)
	w.live.tick(w.now)
}

func TestAgainstModel(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{AttemptsMax: 3, InFlightMax: 6},
		{Ordered: true},
		{Ordered: true, AttemptsMax: 2, InFlightMax: 5},
	} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			for seed := range uint64(40) {
				w := newWorld(t, seed, cfg)
				w.say("seed %d", seed)
				for range 400 {
					w.now += 100 * int64(w.rng.IntN(12))
					w.now = (w.now + 999) / 1000 * 1000 // commands round to seconds
					w.q.Tick(w.now)
					w.live.tick(w.now)
					switch k := w.rng.IntN(100); {
					case k < 25:
						w.send()
					case k < 55:
						w.receive()
					case k < 85:
						w.settle()
					case k < 97:
						w.drain()
					default:
						w.restart()
					}
					if err := errors.Join(w.q.check(), w.ledger.check()); err != nil {
						w.fatal("%v", err)
					}
				}
			}
		})
	}
}
