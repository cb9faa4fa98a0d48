package trigger

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/narumq/naru/internal/record"
)

// message is one of the model's queue, which has one partition.
type message struct {
	priority int32
	ready    bool
}

// model is a queue, a trigger on it, and what a reader who sees every change at once
// knows of them.
type model struct {
	*story
	t    *testing.T
	rng  *rand.Rand
	list []message // by offset; a message that is done stays, and is not ready

	// Of each condition, since the last look: the fewest and most that were ready.
	low, high []int64
	crossed   []int  // how often it crossed
	above     []bool // it is crossed now
	pending   []bool // it crossed, and no look was durable since
	fired     []int  // how often it had crossed when it fired last
	unsure    []bool // the process died since it fired, and fewer were left of those it fired for

	working map[uint64]int32 // run to attempt
	over    map[uint64]bool
	every   map[record.Offset]int // firings by message
}

func newModel(t *testing.T, rng *rand.Rand) *model {
	m := &model{
		story: newStory(), t: t, rng: rng, working: make(map[uint64]int32), over: make(map[uint64]bool), every: make(map[record.Offset]int),
	}
	spec := Spec{Name: "t", Queue: "q", MaxRunning: 1 + rng.Int32N(3), AttemptsMax: 1 + rng.Int32N(3)}
	for range 1 + rng.IntN(3) {
		c := Condition{On: OnFirst, MinPriority: rng.Int32N(3)}
		if rng.IntN(2) == 0 {
			c.On, c.Depth = OnDepth, 1+rng.Int32N(6)
		}
		spec.Conditions = append(spec.Conditions, c)
	}
	spec.Conditions = append(spec.Conditions, Condition{On: OnEvery, MinPriority: 0})
	if err := spec.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := Define(storyID, 1, m.now, &spec)
	if err != nil {
		t.Fatal(err)
	}
	m.append(c)
	n := len(spec.Conditions)
	m.low, m.high, m.crossed, m.above, m.pending = make([]int64, n), make([]int64, n), make([]int, n), make([]bool, n), make([]bool, n)
	m.fired, m.unsure = make([]int, n), make([]bool, n)
	return m
}

// ready counts the messages that condition i counts, below an offset.
func (m *model) ready(i int, below int64) (n int64) {
	for _, x := range m.list[:below] {
		if x.ready && x.priority >= m.trigger().Spec.Conditions[i].MinPriority {
			n++
		}
	}
	return n
}

// change changes the queue, one message at a time.
func (m *model) change() {
	switch i := m.rng.IntN(len(m.list) + 3); {
	case i >= len(m.list) || i < len(m.list)-12: // those long ago are left alone
		m.list = append(m.list, message{priority: m.rng.Int32N(3), ready: true})
	default:
		m.list[i].ready = !m.list[i].ready
	}
	for i := range m.low {
		c := &m.trigger().Spec.Conditions[i]
		if c.On == OnEvery {
			continue
		}
		n := m.ready(i, int64(len(m.list)))
		m.low[i], m.high[i] = min(m.low[i], n), max(m.high[i], n)
		if above := n >= c.depth(); above != m.above[i] {
			m.above[i] = above
			if above {
				m.crossed[i]++
				m.pending[i] = true
			}
		}
	}
}

// round looks at everything; it may be lost.
func (m *model) round(lost bool) {
	end := int64(len(m.list))
	r := m.trigger().Round(m.now)
	for i := range m.low {
		if m.trigger().Spec.Conditions[i].On == OnEvery {
			m.read(r, i)
			continue
		}
		n := m.ready(i, end)
		r.Look(i, Seen{Ready: n, Low: m.low[i], High: m.high[i]}, []record.Offset{record.Offset(end)})
	}
	for run, attempt := range m.working {
		if m.rng.IntN(2) == 0 {
			continue
		}
		failure := []string{"", "no luck"}[m.rng.IntN(2)]
		r.Ended(run, attempt, failure)
		if !lost {
			delete(m.working, run)
			defer func() { m.trigger().Stopped(run) }()
			if m.over[run] {
				m.t.Fatalf("run %d ended twice", run)
			}
			m.over[run] = failure == "" || attempt >= m.trigger().Spec.AttemptsMax
		}
	}
	if lost {
		return
	}
	m.check(r, end)
	m.append(r.Commands()...)
	for i := range m.low {
		n := m.ready(i, end)
		m.low[i], m.high[i], m.pending[i] = n, n, false
	}
}

func (m *model) read(r *Round, i int) {
	from, _ := r.Place(i, 0)
	to := min(from+record.Offset(m.rng.IntN(4)), record.Offset(len(m.list)))
	var list []Arrived
	for o := from; o < to; o++ {
		list = append(list, Arrived{Offset: o})
	}
	r.Read(i, 0, to, list)
}

// check holds the firings of a round that is about to become durable against what
// happened.
func (m *model) check(r *Round, end int64) {
	for i := range m.low {
		c := r.changed[i]
		if m.trigger().Spec.Conditions[i].On == OnEvery {
			continue
		}
		fires := c != nil && c.firedAt == m.now && len(r.runs) > 0 && r.fired
		switch {
		case fires:
			if m.crossed[i] <= m.fired[i] && !m.unsure[i] {
				m.t.Fatalf("condition %d fires, and has not crossed since it fired last", i)
			}
			// Crossings between two looks are one firing.
			m.fired[i], m.unsure[i] = m.crossed[i], false
		case m.pending[i] && m.above[i]:
			m.t.Fatalf("condition %d was crossed, and did not fire: %+v", i, m.trigger().conditions[i])
		}
	}
	for _, run := range r.runs {
		if run.Depth == 0 {
			if m.every[run.Offset]++; m.every[run.Offset] > 1 {
				m.t.Fatalf("message %d fired twice", run.Offset)
			}
		}
	}
}

func (m *model) begin() {
	list, started, _ := m.trigger().Start(m.now, 100)
	for _, w := range list {
		if m.over[w.Run.Number] {
			m.t.Fatalf("run %d ran after it had ended", w.Run.Number)
		}
		if _, twice := m.working[w.Run.Number]; twice {
			m.t.Fatalf("run %d runs twice at a time", w.Run.Number)
		}
		m.working[w.Run.Number] = w.Attempt
	}
	if n := int32(len(m.working)); n > m.trigger().Spec.MaxRunning {
		m.t.Fatalf("%d run, at most %d may", n, m.trigger().Spec.MaxRunning)
	}
	if m.rng.IntN(4) > 0 { // else the process dies before they are durable
		m.append(started...)
	} else if len(started) > 0 {
		m.crash()
	}
}

// crash ends the process, whose tries are lost, and begins as the broker does: of
// what happened since the last look it knows what is there, and what is left.
func (m *model) crash() {
	m.restart(m.t)
	if m.rng.IntN(2) == 0 {
		m.log = snapshotOf(m.table)
	}
	clear(m.working)
	end := int64(len(m.list))
	for i := range m.low {
		n := m.ready(i, end)
		m.low[i], m.high[i] = n, n
		if ends, disarmed := m.trigger().FiredAt(i); disarmed && len(ends) > 0 {
			left := m.ready(i, int64(ends[0]))
			m.low[i] = min(n, left)
			depth := m.trigger().Spec.Conditions[i].depth()
			m.unsure[i] = left < depth
			// If as many are left, whether it was below is not known.
			m.pending[i] = m.pending[i] && left < depth
		}
	}
}

// finish lets everything end, and looks whether anything is left.
func (m *model) finish() {
	for range 100_000 {
		m.now += backoffMostMS
		m.round(false)
		m.begin()
		x := m.trigger()
		if from, _ := x.Round(m.now).Place(len(m.low)-1, 0); x.Unended() == 0 && int(from) == len(m.list) {
			break
		}
	}
	x := m.trigger()
	if x.Unended() > 0 || x.totals.Fired != x.totals.Succeeded+x.totals.Failed || int64(len(m.over)) < x.totals.Fired {
		m.t.Fatalf("%d runs did not end, %+v, %d ended", x.Unended(), x.totals, len(m.over))
	}
	for o := range m.list {
		if m.every[record.Offset(o)] != 1 {
			m.t.Fatalf("message %d fired %d times", o, m.every[record.Offset(o)])
		}
	}
}

// TestModel changes a queue at random, looks at it now and then, and crashes.
func TestModel(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 17))
			m := newModel(t, rng)
			for range 400 {
				m.now++
				switch k := rng.IntN(100); {
				case k < 50:
					m.change()
				case k < 75:
					m.round(false)
				case k < 80:
					m.round(true)
				case k < 95:
					m.begin()
				case k < 97:
					m.now += backoffMostMS
				default:
					m.crash()
				}
			}
			m.finish()
			m.restart(t)
		})
	}
}
