package statelog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// table is a machine: a map, where a null value deletes.
type table struct {
	m       map[string]string
	applied []record.Offset
}

func newTable() *table { return &table{m: map[string]string{}} }

func (t *table) Apply(rec record.Record) error {
	t.applied = append(t.applied, rec.Offset)
	switch {
	case string(rec.Key) == "bad":
		return errors.New("no such command")
	case rec.Value == nil:
		delete(t.m, string(rec.Key))
	default:
		t.m[string(rec.Key)] = string(rec.Value)
	}
	return nil
}

func (t *table) Snapshot(emit func(key, value []byte)) {
	for _, k := range slices.Sorted(maps.Keys(t.m)) {
		emit([]byte(k), []byte(t.m[k]))
	}
}

// disk is a data directory and the durable log start.
type disk struct {
	fs    *vfs.Mem
	start atomic.Int64
}

func newDisk() *disk {
	d := &disk{fs: vfs.NewMem()}
	d.fs.MkdirAll("d")
	return d
}

func (d *disk) open(t *testing.T, m Machine, snapshotBytes int64) (*Log, *commitlog.Partition, error) {
	t.Helper()
	j, err := journal.Open(d.fs, "d", journal.Options{
		SegmentBytes: journal.SegmentBytesMin, CacheBytes: journal.CacheBytesMin,
		Live: func(journal.StreamID) (record.Offset, bool) { return record.Offset(d.start.Load()), true },
	})
	if err != nil {
		t.Fatal(err)
	}
	p := commitlog.Open(j, 1)
	trim := func(to record.Offset) error {
		if to > p.HighWatermark() {
			t.Errorf("trim to %d, beyond %d", to, p.HighWatermark())
		}
		d.start.Store(int64(to))
		p.Trim(to)
		return nil
	}
	l, err := Open(p, trim, m, Options{SnapshotBytes: snapshotBytes, Now: func() int64 { return 5 }})
	t.Cleanup(func() {
		if l != nil {
			l.Close()
		}
		j.Close()
	})
	if err == nil {
		l.opt.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	return l, p, err
}

func (d *disk) crash(rng *rand.Rand) *disk {
	start := d.start.Load() // before the disk: what is trimmed later is still there
	c := &disk{fs: d.fs.ProcessCrashClone()}
	if rng != nil {
		c.fs = c.fs.CrashClone(rng)
	}
	c.start.Store(start)
	return c
}

func set(l *Log, k, v string) error {
	c := make(chan error, 1)
	l.Append([]Command{{Key: []byte(k), Value: []byte(v)}}, func(err error) { c <- err })
	return <-c
}

// Whatever sync the power fails at, the state is that of all acknowledged
// commands, or of those and one that was on its way; also in the middle of a
// snapshot, and of several.
func TestStateSurvivesACrashAtEverySync(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	d := newDisk()
	m := newTable()
	l, _, err := d.open(t, m, 3000)
	if err != nil {
		t.Fatal(err)
	}
	type moment struct {
		d         *disk
		min, most int64
	}
	var acked, sent atomic.Int64
	var mu sync.Mutex
	var moments []moment
	d.fs.OnSync(func(*vfs.Mem) {
		mu.Lock()
		defer mu.Unlock()
		low := acked.Load()
		c := d.crash(rng)
		moments = append(moments, moment{c, low, sent.Load()})
	})
	state := func(n int64) map[string]string {
		want := map[string]string{}
		for i := range n {
			want[fmt.Sprint("key ", i%7)] = fmt.Sprint("value ", i, strings.Repeat(".", 50))
		}
		return want
	}
	const commands = 150
	for i := range int64(commands) {
		sent.Add(1)
		if err := set(l, fmt.Sprint("key ", i%7), fmt.Sprint("value ", i, strings.Repeat(".", 50))); err != nil {
			t.Fatal(err)
		}
		acked.Add(1)
	}
	l.Close() // waits for a snapshot on its way
	d.fs.OnSync(nil)
	if d.start.Load() == 0 {
		t.Error("no snapshot was taken")
	}
	mu.Lock()
	defer mu.Unlock()
	for i, at := range moments {
		if testing.Short() && i%5 != 0 {
			continue
		}
		m := newTable()
		if _, _, err := at.d.open(t, m, 1<<30); err != nil {
			t.Fatalf("sync %d: %v", i, err)
		}
		ok := false
		for n := at.min; n <= at.most; n++ {
			ok = ok || maps.Equal(m.m, state(n))
		}
		if !ok {
			t.Fatalf("sync %d: %v, want that of %d to %d commands", i, m.m, at.min, at.most)
		}
	}
	t.Logf("%d crashes", len(moments))
}

// Appends go on while snapshots are taken; every command is applied once, in
// order, and a replay of what is left gives the same state.
func TestAppendsDuringSnapshots(t *testing.T) {
	d, m := newDisk(), newTable()
	l, p, err := d.open(t, m, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var writers, snappers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				if err := set(l, fmt.Sprint(w, "-", i%10), fmt.Sprint(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		snappers.Go(func() {
			for range 15 {
				if err := l.Snapshot(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	snappers.Wait()
	l.Read(func() {
		if len(m.applied) != 400 || !slices.IsSorted(m.applied) {
			t.Errorf("%d commands applied, sorted %v", len(m.applied), slices.IsSorted(m.applied))
		}
	})
	if p.LogStart() == 0 {
		t.Error("nothing was trimmed")
	}
	again := newTable()
	if _, _, err := d.crash(nil).open(t, again, 1<<30); err != nil || !maps.Equal(again.m, m.m) {
		t.Errorf("replayed %v, had %v, %v", again.m, m.m, err)
	}
}

// A snapshot that cannot be written trims nothing and ends no append.
func TestSnapshotThatFailsTrimsNothing(t *testing.T) {
	d, m := newDisk(), newTable()
	l, _, err := d.open(t, m, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := set(l, fmt.Sprint(i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	d.fs.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return io.ErrUnexpectedEOF
		}
		return nil
	})
	if err := l.Snapshot(); !errors.Is(err, journal.ErrFailed) {
		t.Error(err)
	}
	if err := set(l, "k", "v"); !errors.Is(err, journal.ErrFailed) {
		t.Error(err)
	}
	if m.m["k"] != "" {
		t.Error("applied what was not durable")
	}
	if start := d.start.Load(); start != 0 {
		t.Errorf("trimmed to %d", start)
	}
	d.fs.SetFault(nil)
	again := newTable()
	if _, _, err := d.crash(nil).open(t, again, 1<<30); err != nil || len(again.m) < 10 {
		t.Error(again.m, err)
	}
}

func TestReplayRefusesNonsense(t *testing.T) {
	d, m := newDisk(), newTable()
	l, _, err := d.open(t, m, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if err := set(l, "bad", "x"); err != nil {
		t.Error(err)
	}
	if err := set(l, "good", "x"); err != nil || m.m["good"] != "x" {
		t.Error(err)
	}
	if _, _, err := d.crash(nil).open(t, newTable(), 1<<30); err == nil || !strings.Contains(err.Error(), "offset 0") {
		t.Errorf("replay: %v", err)
	}
	refused := make(chan error, 1)
	l.Append(make([]Command, commandsMax+1), func(err error) { refused <- err })
	if err := <-refused; !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

// FuzzReplay replays whatever bytes a record batch may hold.
func FuzzReplay(f *testing.F) {
	b := record.NewBuilder(record.None)
	b.Append(1, []byte("k"), []byte("v"), nil)
	b.Append(1, []byte("k"), nil, nil)
	batch, _ := b.Build()
	f.Add(batch)
	f.Add(batch[:len(batch)-3])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, batch []byte) {
		m := newTable()
		l := &Log{machine: m}
		if err := l.applyBatch(batch, 0); err != nil && len(m.applied) > len(batch) {
			t.Errorf("%d commands from %d bytes", len(m.applied), len(batch))
		}
	})
}
