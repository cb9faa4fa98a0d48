package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const seeds = 300

// crashes clones m with many seeds, and returns how often each description of
// the clone by look came up.
func crashes(t *testing.T, m *Mem, look func(*Mem) string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for seed := range uint64(seeds) {
		seen[look(m.CrashClone(rand.New(rand.NewPCG(seed, 0))))]++
	}
	t.Logf("seeds 0 to %d: %d outcomes", seeds-1, len(seen))
	return seen
}

// wantOutcomes wants exactly these outcomes, each in at least one seed.
func wantOutcomes(t *testing.T, seen map[string]int, want ...string) {
	t.Helper()
	for _, w := range want {
		if seen[w] == 0 {
			t.Errorf("%q never happened", w)
		}
	}
	for s := range seen {
		if !slices.Contains(want, s) {
			t.Errorf("%.80q must not happen", s)
		}
	}
}

// file describes a file of m: its content, or "none".
func file(t *testing.T, name string) func(m *Mem) string {
	return func(m *Mem) string {
		f, err := m.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return "none"
		}
		must(t, err)
		defer f.Close()
		return content(t, f)
	}
}

func durable(t *testing.T, m *Mem, name, s string) File {
	t.Helper()
	f := create(t, m, name)
	write(t, f, s, 0)
	must(t, f.Sync())
	must(t, m.SyncDir("."))
	return f
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := NewMem()
	durable(t, m, "a", "synced")
	wantOutcomes(t, crashes(t, m, file(t, "a")), "synced")
}

func TestCrashMayLoseNameWithoutSyncDir(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	write(t, f, "synced", 0)
	must(t, f.Sync())
	wantOutcomes(t, crashes(t, m, file(t, "a")), "synced", "none")
}

func TestCrashMayLoseBytesAndSize(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "old")
	write(t, f, "NEW!", 0)
	// Both together, the size or the byte alone, nothing.
	wantOutcomes(t, crashes(t, m, file(t, "a")), "NEW!", "NEW", "old\x00", "old")
	must(t, f.Sync())
	wantOutcomes(t, crashes(t, m, file(t, "a")), "NEW!")
}

func TestCrashMayKeepVersionInBetween(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "0")
	for _, s := range []string{"1", "2", "3"} {
		write(t, f, s, 0)
	}
	wantOutcomes(t, crashes(t, m, file(t, "a")), "0", "1", "2", "3")
}

// TestCrashTearsAtUnits overwrites two sectors and looks at each unit of 512.
func TestCrashTearsAtUnits(t *testing.T) {
	m := NewMem()
	size := 2 * sectorBytes
	f := durable(t, m, "a", strings.Repeat("o", size))
	write(t, f, strings.Repeat("n", size), 0)
	seen := crashes(t, m, func(m *Mem) string {
		s := file(t, "a")(m)
		var units []byte
		for at := 0; at < size; at += unitBytes {
			unit := s[at : at+unitBytes]
			if strings.Trim(unit, unit[:1]) != "" {
				t.Fatalf("unit at %d is torn", at)
			}
			units = append(units, unit[0])
		}
		return string(units)
	})
	for _, w := range []string{"oooooooooooooooo", "nnnnnnnnnnnnnnnn", "oooooooonnnnnnnn", "nnnnnnnnoooooooo"} {
		if seen[w] == 0 {
			t.Errorf("%s never happened", w)
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d outcomes: nothing is torn within a sector", len(seen))
	}
}

func TestCrashAndAllocate(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "x")
	must(t, f.Allocate(3))
	wantOutcomes(t, crashes(t, m, file(t, "a")), "x", "x\x00\x00")
	must(t, f.Sync())
	write(t, f, "yz", 1)
	wantOutcomes(t, crashes(t, m, file(t, "a")), "xyz", "x\x00\x00")
}

// TestCrashCutsAtomically cuts a file of three sectors to none and lets it grow
// again: what was cut must not come back in part.
func TestCrashCutsAtomically(t *testing.T) {
	m := NewMem()
	old := strings.Repeat("o", 3*sectorBytes)
	f := durable(t, m, "a", old)
	must(t, f.Truncate(2))
	wantOutcomes(t, crashes(t, m, file(t, "a")), old, "oo")
	must(t, f.Truncate(3*sectorBytes))
	zeros := "oo" + strings.Repeat("\x00", 3*sectorBytes-2)
	wantOutcomes(t, crashes(t, m, file(t, "a")), old, "oo", zeros)
	must(t, f.Sync())
	wantOutcomes(t, crashes(t, m, file(t, "a")), zeros)
}

// TestCrashNeverRevivesCutBytes writes after a cut: an old byte beyond the cut
// may only be seen where the cut itself was lost.
func TestCrashNeverRevivesCutBytes(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "abcdef")
	must(t, f.Truncate(2))
	write(t, f, "X", 5)
	wantOutcomes(t, crashes(t, m, file(t, "a")), "abcdef", "ab", "ab\x00\x00\x00\x00", "ab\x00\x00\x00X")
}

// TestCrashCutsEachVersion cuts bytes that were not synced either.
func TestCrashCutsEachVersion(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "")
	write(t, f, "abcdef", 0)
	must(t, f.Truncate(2))
	must(t, f.Truncate(7))
	zeros := func(n int) string { return strings.Repeat("\x00", n) }
	wantOutcomes(t, crashes(t, m, file(t, "a")), "", "abcdef", zeros(6), "ab", zeros(2), "ab"+zeros(5), zeros(7))
}

// TestCrashLeavesNothingBeyondTheSize lets the file grow after the crash.
func TestCrashLeavesNothingBeyondTheSize(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "ab")
	write(t, f, "c", 2)
	wantOutcomes(t, crashes(t, m, func(m *Mem) string {
		f := open(t, m, "a")
		found := content(t, f)
		must(t, f.Truncate(4))
		return found + ", " + content(t, f)
	}), "abc, abc\x00", "ab\x00, ab\x00\x00", "ab, ab\x00\x00")
}

func TestCrashRenamesAtomically(t *testing.T) {
	m := NewMem()
	durable(t, m, "old", "o")
	durable(t, m, "new", "n")
	must(t, m.Rename("old", "new"))
	both := func(m *Mem) string { return file(t, "old")(m) + " " + file(t, "new")(m) }
	wantOutcomes(t, crashes(t, m, both), "o n", "none o")
	must(t, m.SyncDir("."))
	wantOutcomes(t, crashes(t, m, both), "none o")
}

// TestCrashRemovesOnlyWhatWasRemoved removes the file that a rename put in
// another's place: if the rename is lost, the other one was never removed.
func TestCrashRemovesOnlyWhatWasRemoved(t *testing.T) {
	m := NewMem()
	durable(t, m, "old", "o")
	durable(t, m, "new", "n")
	must(t, m.Rename("old", "new"))
	must(t, m.Remove("new"))
	both := func(m *Mem) string { return file(t, "old")(m) + " " + file(t, "new")(m) }
	wantOutcomes(t, crashes(t, m, both), "o n", "none o", "none none")
}

// TestCrashRenameAcrossDirectories syncs one of the two only.
func TestCrashRenameAcrossDirectories(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("d"))
	must(t, create(t, m, "a").Close())
	must(t, m.Rename("a", "d/b"))
	must(t, m.SyncDir("d"))
	wantOutcomes(t, crashes(t, m, func(m *Mem) string { return file(t, "a")(m) + " " + file(t, "d/b")(m) }), "none ")
}

func TestCrashMayBringRemovedFileBack(t *testing.T) {
	m := NewMem()
	durable(t, m, "a", "x")
	must(t, m.Remove("a"))
	wantOutcomes(t, crashes(t, m, file(t, "a")), "x", "none")
	must(t, m.SyncDir("."))
	wantOutcomes(t, crashes(t, m, file(t, "a")), "none")
}

// TestCrashSeparatesFiles wants the fates of files to be independent.
func TestCrashSeparatesFiles(t *testing.T) {
	m := NewMem()
	a, b := durable(t, m, "a", "0"), durable(t, m, "b", "0")
	write(t, a, "1", 0)
	write(t, b, "1", 0)
	wantOutcomes(t, crashes(t, m, func(m *Mem) string { return file(t, "a")(m) + file(t, "b")(m) }), "00", "01", "10", "11")
}

func TestFailedSyncIsForGood(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "old")
	write(t, f, "new", 0)
	broken := errors.New("I/O error")
	m.SetFault(func(op Op) error {
		if op.Kind == OpSync {
			return broken
		}
		return nil
	})
	wantPathError(t, f.Sync(), broken, "a")
	m.SetFault(nil)
	must(t, f.Sync()) // claims success, as Linux does
	wantOutcomes(t, crashes(t, m, file(t, "a")), "old", "new")
	write(t, f, "new", 0)
	must(t, f.Sync())
	wantOutcomes(t, crashes(t, m, file(t, "a")), "new")
}

// TestFailedSyncOfCut cuts a file, fails to sync that, and succeeds later: the
// cut is durable then, and the bytes must not come back when the file grows.
func TestFailedSyncOfCut(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "abc")
	must(t, f.Truncate(1))
	m.SetFault(func(op Op) error { return errors.New("broken") })
	if f.Sync() == nil {
		t.Fatal("no fault")
	}
	m.SetFault(nil)
	must(t, f.Sync())
	must(t, f.Truncate(3))
	wantOutcomes(t, crashes(t, m, file(t, "a")), "a", "a\x00\x00")
}

func TestSkipSyncIsNoticed(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "old")
	m.SkipSync(true)
	write(t, f, "new", 0)
	must(t, f.Sync())
	must(t, create(t, m, "b").Close())
	must(t, m.SyncDir("."))
	wantOutcomes(t, crashes(t, m, file(t, "a")), "old", "new")
	wantOutcomes(t, crashes(t, m, file(t, "b")), "none", "")
}

func TestProcessCrashKeepsAllButLocks(t *testing.T) {
	m := NewMem()
	f := create(t, m, "a")
	write(t, f, "x", 0)
	_, err := m.Lock("lock")
	must(t, err)
	c := m.ProcessCrashClone()
	write(t, f, "y", 0) // the dead process's file: no business of the clone's
	if got := file(t, "a")(c); got != "x" {
		t.Errorf("content after kill is %q", got)
	}
	if _, err := c.Lock("lock"); err != nil {
		t.Errorf("lock after kill: %v", err)
	}
	// What was unsynced stays so.
	wantOutcomes(t, crashes(t, c, file(t, "a")), "x", "", "\x00", "none")
	g := open(t, c, "a")
	must(t, g.Sync())
	must(t, c.SyncDir("."))
	wantOutcomes(t, crashes(t, c, file(t, "a")), "x")
}

func TestCloneIsApart(t *testing.T) {
	m := NewMem()
	f := durable(t, m, "a", "old")
	write(t, f, "new", 0)
	before := crashes(t, m, file(t, "a"))
	for _, c := range []*Mem{m.CrashClone(rand.New(rand.NewPCG(1, 0))), m.ProcessCrashClone()} {
		g := open(t, c, "a")
		write(t, g, "clone", 0)
		must(t, g.Sync())
		must(t, c.Remove("a"))
	}
	if got := content(t, f); got != "new" {
		t.Errorf("the original became %q", got)
	}
	if after := crashes(t, m, file(t, "a")); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("crashes of the original changed: %v, were %v", after, before)
	}
}

// TestCrashAgainstModel runs random calls, and checks every crash against a
// model that keeps each 512-byte unit's possible values.
func TestCrashAgainstModel(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := NewMem()
		f := durable(t, m, "a", "")
		model := newCrashModel()
		for range 60 {
			switch rng.IntN(8) {
			case 0:
				must(t, f.Sync())
				model.sync()
			case 1:
				size := rng.Int64N(modelBytes)
				must(t, f.Truncate(size))
				model.truncate(size)
			default:
				p := bytes.Repeat([]byte{byte(1 + rng.IntN(255))}, 1+rng.IntN(3*unitBytes))
				off := rng.IntN(modelBytes - len(p))
				write(t, f, string(p), int64(off))
				model.write(p, off)
			}
			if got := content(t, f); got != string(model.now) {
				t.Fatalf("seed %d: content differs from the model's", seed)
			}
			if err := model.check([]byte(file(t, "a")(m.CrashClone(rng)))); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if got := file(t, "a")(m.ProcessCrashClone()); got != string(model.now) {
				t.Fatalf("seed %d: the content changed when the process was killed", seed)
			}
		}
	}
}

const modelBytes = 3 * sectorBytes

// crashModel holds, for each byte, the values that a crash may show.
type crashModel struct {
	now   []byte
	may   [modelBytes]valueSet
	sizes map[int]bool
}

// valueSet is a set of bytes.
type valueSet [4]uint64

func (v *valueSet) add(b byte)      { v[b/64] |= 1 << (b % 64) }
func (v *valueSet) has(b byte) bool { return v[b/64]>>(b%64)&1 == 1 }

func newCrashModel() *crashModel {
	c := &crashModel{}
	c.sync()
	return c
}

func (c *crashModel) sync() {
	c.sizes = map[int]bool{len(c.now): true}
	for i := range c.may {
		c.may[i] = valueSet{}
		if i < len(c.now) {
			c.may[i].add(c.now[i])
		} else {
			c.may[i].add(0)
		}
	}
}

func (c *crashModel) write(p []byte, off int) {
	if grow := off + len(p) - len(c.now); grow > 0 {
		c.now = append(c.now, make([]byte, grow)...)
	}
	copy(c.now[off:], p)
	c.sizes[len(c.now)] = true
	for i, b := range p {
		c.may[off+i].add(b)
	}
}

func (c *crashModel) truncate(size int64) {
	c.now = append(c.now, make([]byte, modelBytes)...)[:size]
	c.sizes[int(size)] = true
	for i := int(size); i < modelBytes; i++ {
		c.may[i].add(0)
	}
}

func (c *crashModel) check(found []byte) error {
	if !c.sizes[len(found)] {
		return fmt.Errorf("size %d was never there", len(found))
	}
	for i, b := range found {
		if !c.may[i].has(b) {
			return fmt.Errorf("byte %d is %d, which nobody wrote there since the last sync", i, b)
		}
	}
	return nil
}
