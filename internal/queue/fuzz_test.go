package queue

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/narumq/naru/internal/record"
)

// FuzzCommand applies any bytes to a ledger: no panic, memory bounded by the
// command, nothing changed by one that is refused; and a snapshot of whatever came
// of it makes the same ledger again.
func FuzzCommand(f *testing.F) {
	w := newCommand(cmdTouch, 1)
	w.int(-5_000)
	w.uint(2)
	w.spans([]span{{3, 5}, {9, 10}})
	wide := newCommand(cmdFinish, 0)
	wide.spans([]span{{1, 1 << 40}})
	seeds := [][]byte{
		w, wide, New(Config{}, NewLedger()).FinishBelow(0, 7, false), StartAt(2, 4), SetNote("a", []byte("b")), SetNote("a", nil),
		Remember(0, []SentID{{Hash: [16]byte{1}, Offset: 4, At: 5}, {Hash: [16]byte{2}, Offset: 6, At: 7}}),
		parkCommand(0, Run{First: 3, Blocks: 2}, []span{{3, 5}, {9, 10}}), unparkCommand(0, Run{First: 3}), {}, {1}, {2, 0xff, 0xff},
	}
	for _, a := range seeds {
		f.Add(a, seeds[0])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l := NewLedger()
		for _, cmd := range [][]byte{a, b} {
			was := snapshotOf(l)
			if err := l.Apply(cmd, 1_000); err != nil && !bytes.Equal(was, snapshotOf(l)) {
				t.Fatalf("a refused command changed the ledger: %v", err)
			}
		}
		runtime.ReadMemStats(&after)
		// A source is some 200 bytes, a touched record some 100.
		if n := after.TotalAlloc - before.TotalAlloc; n > 512<<20 {
			t.Fatalf("%d bytes of memory for %d of commands", n, len(a)+len(b))
		}
		again := NewLedger()
		l.Snapshot(1_000, func(cmd []byte) {
			if err := again.Apply(cmd, 2_000); err != nil {
				t.Fatalf("a snapshot's command is refused: %v", err)
			}
		})
		if !bytes.Equal(snapshotOf(l), snapshotOf(again)) {
			t.Fatal("a snapshot makes another ledger")
		}
	})
}

// Commands may be as wide as queues are long, and no wider.
func TestWideRanges(t *testing.T) {
	const far = record.Offset(1) << 50
	command := func(k commandKind, list ...span) []byte {
		w := newCommand(k, 0)
		if k == cmdPark {
			w.uint(0)
			w.uint(1)
		}
		w.spans(list)
		return w
	}
	for _, k := range []commandKind{cmdFinish, cmdPark, cmdParked} {
		l := NewLedger()
		if err := l.Apply(command(k, span{1, 2}, span{3, 3 + coveredMax}), 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("a command of kind %d, too wide: %v", k, err)
		}
		if err := l.Apply(command(k, span{1, 2}, span{3, 2 + coveredMax}), 0); err != nil {
			t.Errorf("the widest command of kind %d: %v", k, err)
		}
	}
	l := NewLedger()
	for _, x := range []span{{0, far}, {far + 1, far + 1<<33}, {far + 1<<33, far + coveredMax}, {far + coveredMax, far + 3*coveredMax/2}} {
		if err := l.Apply(command(cmdFinish, x), 0); err != nil {
			t.Fatal(x, err)
		}
	}
	again := NewLedger()
	l.Snapshot(0, func(cmd []byte) {
		if err := again.Apply(cmd, 0); err != nil {
			t.Fatalf("a snapshot's command is refused: %v", err)
		}
	})
	for _, l := range []*Ledger{l, again} {
		if l.Floor(0) != far || l.Done(0, far) || !l.Done(0, far+1) || !l.Done(0, far+3*coveredMax/2-1) || l.Done(0, far+3*coveredMax/2) {
			t.Fatalf("all below %d is done", l.Floor(0))
		}
		if err := l.Apply(command(cmdFinish, span{far, far + 1}), 0); err != nil || l.Floor(0) != far+3*coveredMax/2 {
			t.Fatalf("all below %d is done: %v", l.Floor(0), err)
		}
	}
}

// The end of a run is where the first offset is missing, however long the run is.
func TestRunEnd(t *testing.T) {
	b := roaring64.New()
	for _, x := range []span{{5, 6}, {7, 7 + stepsMax}, {9 + stepsMax, 9 + 5*stepsMax}, {1 << 40, 1<<40 + 2*stepsMax}} {
		b.AddRange(uint64(x.from), uint64(x.to))
		for _, from := range []record.Offset{x.from, (x.from + x.to) / 2, x.to - 1, x.to} {
			if got := runEnd(b, from); got != x.to {
				t.Errorf("from %d the run ends at %d, not %d", from, got, x.to)
			}
		}
	}
	b.Remove(uint64(3 * stepsMax))
	if got := runEnd(b, 9+stepsMax); got != 3*stepsMax {
		t.Errorf("the run ends at %d", got)
	}
	want := []span{{5, 6}, {7, 7 + stepsMax}, {9 + stepsMax, 3 * stepsMax}, {3*stepsMax + 1, 9 + 5*stepsMax}, {1 << 40, 1<<40 + 2*stepsMax}}
	if got := spansOf(b); !slices.Equal(got, want) {
		t.Errorf("runs are %v", got)
	}
}

func snapshotOf(l *Ledger) []byte {
	var all []byte
	for i := range l.sources {
		l.sources[i].snapshot(Source(i), func(cmd []byte) { all = append(all, cmd...) })
	}
	for _, key := range l.Notes() {
		all = append(all, SetNote(key, l.notes[key])...)
	}
	return all
}

func FuzzBlock(f *testing.F) {
	f.Add(encodeBlock([]Meta{{Offset: 5, DueAt: 100, SentAt: 3, Group: 9}, {Offset: 2, DueAt: 200, ExpiresAt: 7}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeBlock(b)
		if err != nil {
			return
		}
		again, err := decodeBlock(encodeBlock(list))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d records became %d: %v", len(list), len(again), err)
		}
		for i := range list {
			if list[i] != again[i] {
				t.Fatalf("%+v became %+v", list[i], again[i])
			}
		}
	})
}

func TestSentIDs(t *testing.T) {
	l := NewLedger()
	apply := func(ids ...SentID) {
		if err := l.Apply(Remember(0, ids), 0); err != nil {
			t.Fatal(err)
		}
	}
	apply(SentID{[16]byte{1}, 10, 1_000}, SentID{[16]byte{2}, 11, 2_000})
	apply(SentID{[16]byte{3}, 12, SentIDMS + 1_500})
	for _, c := range []struct {
		hash  byte
		now   int64
		want  record.Offset
		known bool
	}{
		{1, 2_000, 10, true}, {1, SentIDMS + 999, 10, true}, {1, SentIDMS + 1_000, 10, false},
		{3, SentIDMS + 2_000, 12, true}, {9, 2_000, 0, false},
	} {
		_, o, ok := l.Sent([16]byte{c.hash}, c.now)
		if ok != c.known || ok && o != c.want {
			t.Errorf("id %d at %d: offset %d, %v", c.hash, c.now, o, ok)
		}
	}
	if l.SentBelow(0) != 13 {
		t.Errorf("noted below %d, want 13", l.SentBelow(0))
	}
}
