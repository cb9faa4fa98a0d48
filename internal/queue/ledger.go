package queue

import (
	"fmt"
	"maps"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/narumq/naru/internal/record"
)

// Touch is what is known of a record that was delivered or held back, and is not
// done. Times are milliseconds since 1970.
type Touch struct {
	Attempts int32
	FirstAt  int64 // when it was delivered first; 0 = never
	Until    int64 // leased until then; if Held, held back; 0 = neither
	Held     bool
}

// signed is Until as commands have it: negative if the record is held back.
func (t Touch) signed() int64 {
	if t.Held {
		return -t.Until
	}
	return t.Until
}

func (t *Touch) setSigned(until int64) {
	t.Until, t.Held = until, until < 0
	if t.Held {
		t.Until = -until
	}
}

// Ledger is the durable half of a queue. It is changed by Apply alone; the caller
// guards it.
type Ledger struct {
	sources []sourceLedger
	sent    sentIDs
	notes   map[string][]byte
}

type sourceLedger struct {
	floor   record.Offset     // all below is done
	done    *roaring64.Bitmap // what is done above floor; never nil
	touched map[record.Offset]Touch
	parked  *roaring64.Bitmap // what is in runs and not done; never nil
	runs    []Run
}

// NewLedger returns the ledger of a queue in which nothing has happened.
func NewLedger() *Ledger { return &Ledger{notes: make(map[string][]byte)} }

// source returns what is known of s, which is made if it is new.
func (l *Ledger) source(s Source) *sourceLedger {
	for int(s) >= len(l.sources) {
		l.sources = append(l.sources, sourceLedger{done: roaring64.New(), parked: roaring64.New(), touched: make(map[record.Offset]Touch)})
	}
	return &l.sources[s]
}

// untouched stands for sources of which nothing is known.
var untouched = sourceLedger{done: roaring64.New(), parked: roaring64.New()}

// peek returns what is known of s, to be read only.
func (l *Ledger) peek(s Source) *sourceLedger {
	if s < 0 || int(s) >= len(l.sources) {
		return &untouched
	}
	return &l.sources[s]
}

// Floor is the lowest offset that is not done.
func (l *Ledger) Floor(s Source) record.Offset { return l.peek(s).floor }

// Done tells whether a record will never be delivered again.
func (l *Ledger) Done(s Source, o record.Offset) bool { return l.peek(s).isDone(o) }

// Touched returns what is known of a record that is not done.
func (l *Ledger) Touched(s Source, o record.Offset) Touch { return l.peek(s).touched[o] }

// Note returns what a Note command stored under key.
func (l *Ledger) Note(key string) ([]byte, bool) {
	b, ok := l.notes[key]
	return b, ok
}

// Notes returns the keys of all notes, sorted.
func (l *Ledger) Notes() []string { return slices.Sorted(maps.Keys(l.notes)) }

// StartAt is the first command of a queue that begins in the middle of its source.
func StartAt(s Source, from record.Offset) []byte {
	w := newCommand(cmdFloor, s)
	w.uint(uint64(from))
	return w
}

// SetNote is the command that stores a caller's own small state; a nil value
// forgets it.
func SetNote(key string, value []byte) []byte {
	w := newCommand(cmdNote, 0)
	w.bytes([]byte(key))
	if value != nil {
		w.uint(1)
		w.bytes(value)
	} else {
		w.uint(0)
	}
	return w
}

// Apply carries out a command that was durable at time at, in milliseconds. It
// changes nothing if the command is malformed.
func (l *Ledger) Apply(cmd []byte, at int64) error {
	if len(cmd) == 0 {
		return fmt.Errorf("%w: empty", ErrMalformed)
	}
	r := reader{b: cmd[1:]}
	n := r.uint()
	if n >= sourcesMax {
		r.fail("source out of range")
	}
	if r.err != nil {
		return r.err
	}
	s := Source(n)
	change := l.decode(commandKind(cmd[0]), &r, s, at)
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes left over")
	}
	if r.err != nil {
		return r.err
	}
	change()
	return nil
}

// decode reads the command's body and returns what it does.
func (l *Ledger) decode(k commandKind, r *reader, s Source, at int64) func() {
	switch k {
	case cmdFinish:
		list := r.spans()
		if !l.peek(s).fits(list) {
			r.fail("too many offsets")
		}
		return func() { l.source(s).finish(list) }
	case cmdTouch:
		until, attempts, list := r.int(), r.uint(), r.someSpans(touchesMax)
		if attempts > 1<<31-1 {
			r.fail("attempts out of range")
		}
		return func() { l.source(s).touch(list, int32(attempts), until, at) }
	case cmdFloor:
		floor := r.offset()
		return func() { l.source(s).finish([]span{{0, floor}}) }
	case cmdState:
		return l.decodeTouches(r, s)
	case cmdSent:
		return l.decodeSent(r, s)
	case cmdNote:
		return l.decodeNote(r)
	case cmdPark:
		run := Run{First: r.offset(), Blocks: int32(min(r.uint(), runBlocksMax))}
		list := r.someSpans(coveredMax)
		if len(list) > 0 {
			run.low, run.high = list[0].from, list[len(list)-1].to
		}
		return func() { l.source(s).park(run, list) }
	case cmdParked:
		list := r.someSpans(coveredMax)
		return func() { l.source(s).addParked(list) }
	case cmdUnpark:
		first := r.offset()
		return func() { l.source(s).unpark(first) }
	}
	r.fail(fmt.Sprintf("unknown kind %d", k))
	return nil
}
