package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// machine is a computer that a broker runs on: a disk, a catalog, a clock.
type machine struct {
	t     *testing.T
	fs    *vfs.Mem
	store *catalog.Mem
	now   time.Time // guarded by mu, for the broker's goroutines read it
	mu    sync.Mutex
	b     *Broker
	cloud *cloud // nil: it has a disk
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, fs: vfs.NewMem(), store: catalog.NewMem(), now: time.UnixMilli(1_700_000_000_000)}
	if *medium == "object" {
		m.cloud = newCloud(t)
	}
	m.start()
	t.Cleanup(func() { m.b.Close() })
	return m
}

func (m *machine) start() {
	m.t.Helper()
	cfg := Config{Dir: "/d", FS: m.fs, Store: m.store, RetentionEvery: -1, PasswordRounds: 1, Groups: testGroupsConfig()}
	cfg.Journal.SegmentBytes = journal.SegmentBytesMin
	cfg.Journal.CacheBytes = journal.CacheBytesMin
	cfg.Journal.RelocateEvery = -1
	cfg.Journal.RelocateBytesPerSecond = -1
	cfg.Journal.Observer.Damage = func(f journal.Finding) { m.t.Error("damage: ", f) }
	cfg.Now = func() time.Time {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.now
	}
	if m.cloud != nil {
		m.cloud.boot()
		if cfg.OpenJournal = m.cloud.open(HomeSlot); m.cloud.slots > 1 {
			cfg.Slots, cfg.Cluster, cfg.BatchBytesMax = m.cloud.slots, alone{}, objectEntryBytesMax
		}
	}
	var err error
	if m.b, err = Open(cfg); err != nil {
		m.t.Fatal(err)
	}
	if cfg.Cluster != nil {
		m.openSlots()
	}
}

// openSlots opens all of them at a time.
func (m *machine) openSlots() {
	m.t.Helper()
	errs := make([]error, m.cloud.slots)
	var work sync.WaitGroup
	for i := range errs {
		id := journal.SlotID(i)
		work.Go(func() { errs[i] = m.b.OpenSlot(id, m.cloud.open(id)) })
	}
	work.Wait()
	if err := errors.Join(errs...); err != nil {
		m.t.Fatal(err)
	}
}

// crash ends the broker as how says, and starts it on what is left.
func (m *machine) crash(how string, rng *rand.Rand) {
	m.t.Helper()
	fs, store := m.fs, m.store
	switch how {
	case "process":
		fs, store = m.fs.ProcessCrashClone(), cloneStore(m.t, m.store)
	case "power":
		fs, store = m.fs.CrashClone(rng), cloneStore(m.t, m.store)
	}
	if m.cloud != nil {
		store = m.store // the catalog is not on the machine that crashes
		if how != "orderly" && how != "close" {
			m.cloud.crash()
		}
	}
	if err := m.b.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.fs, m.store = fs, store
	m.start()
}

// cloneStore copies the catalog: what it was told is durable.
func cloneStore(t *testing.T, from *catalog.Mem) *catalog.Mem {
	to := catalog.NewMem()
	var ops []catalog.Op
	err := from.Scan("", func(key string, value []byte) error {
		ops = append(ops, catalog.Op{Key: key, Value: bytes.Clone(value)})
		return nil
	})
	if err == nil {
		err = to.Apply(ops)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func (m *machine) topic(name string, settings map[string]string) *Partition {
	m.t.Helper()
	if _, err := m.b.CreateTopic(catalog.TopicSpec{Name: name, Partitions: 1, Settings: settings}, false); err != nil {
		m.t.Fatal(err)
	}
	return m.partition(name)
}

func (m *machine) partition(name string) *Partition {
	m.t.Helper()
	p, err := m.b.Partition(name, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// put appends one record of so many bytes with the machine's time.
func (m *machine) put(p *Partition, size int) {
	m.t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(m.now.UnixMilli(), nil, bytes.Repeat([]byte("v"), size), nil)
	batch, err := b.Build()
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.append(p, batch); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) append(p *Partition, batch []byte) (Appended, error) {
	type outcome struct {
		a   Appended
		err error
	}
	c := make(chan outcome, 1)
	p.Append(context.Background(), batch, func(a Appended, err error) { c <- outcome{a, err} })
	o := <-c
	return o.a, o.err
}

func TestRetentionByTimeAndSize(t *testing.T) {
	m := newMachine(t)
	byTime := m.topic("by-time", map[string]string{"retention.ms": "60000"})
	bySize := m.topic("by-size", map[string]string{"retention.bytes": "100000"})
	forever := m.topic("forever", map[string]string{"retention.ms": "-1"})
	for range 100 {
		m.put(byTime, 4000)
		m.put(bySize, 4000)
		m.put(forever, 400)
	}
	before := m.b.JournalStats().DiskBytes
	m.mu.Lock()
	m.now = m.now.Add(time.Minute + time.Second)
	m.mu.Unlock()
	m.put(byTime, 4000)
	if err := m.b.Retain(m.now); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		byTime, bySize, forever := m.partition("by-time"), m.partition("by-size"), m.partition("forever")
		if start := byTime.LogStart(); start < 80 || start > 100 {
			t.Errorf("%s: by time, the log starts at %d, want nearly 100", when, start)
		}
		if n := bySize.SizeBytes(); n < 100_000 || n > 100_000+70_000 {
			t.Errorf("%s: by size, %d bytes are left", when, n)
		}
		if start := forever.LogStart(); start != 0 {
			t.Errorf("%s: deleted up to %d", when, start)
		}
		for _, p := range []*Partition{byTime, bySize, forever} {
			if got := readBack(t, p); got != p.HighWatermark() {
				t.Errorf("%s: read up to %d of %d", when, got, p.HighWatermark())
			}
			if _, err := p.Read(p.LogStart()-1, 1000, true); !errors.Is(err, commitlog.ErrOffsetOutOfRange) {
				t.Errorf("%s: read below the log start: %v", when, err)
			}
		}
	}
	check("before reclaiming")
	m.crash("process", nil)
	if err := m.b.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("after reclaiming")
	if after := m.b.JournalStats().DiskBytes; after > before/2 {
		t.Errorf("%d bytes on disk, were %d", after, before)
	}
	m.crash("close", nil)
	check("after reopening")
}

// readBack reads a partition from its start and returns where it ends.
func readBack(t *testing.T, p *Partition) record.Offset {
	t.Helper()
	from := p.LogStart()
	for {
		s, err := p.Read(from, 50_000, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Payloads) == 0 {
			return from
		}
		from = s.Next
		s.Release()
	}
}

func TestDeleteRecordsSurvives(t *testing.T) {
	m := newMachine(t)
	p := m.topic("t", nil)
	for range 20 {
		m.put(p, 100)
	}
	for _, test := range []struct {
		before, want record.Offset
		err          error
	}{
		{7, 7, nil}, {3, 7, nil}, {21, 0, commitlog.ErrOffsetOutOfRange}, {-2, 0, commitlog.ErrOffsetOutOfRange},
	} {
		if got, err := p.DeleteRecords(test.before); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("delete up to %d: %d, %v", test.before, got, err)
		}
	}
	m.crash("power", rand.New(rand.NewPCG(1, 1)))
	p = m.partition("t")
	if p.LogStart() != 7 || p.HighWatermark() != 20 {
		t.Errorf("%d to %d", p.LogStart(), p.HighWatermark())
	}
	if got, err := p.DeleteRecords(-1); got != 20 || err != nil {
		t.Error(got, err)
	}
	if err := m.b.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.crash("close", nil)
	p = m.partition("t")
	m.put(p, 100)
	if p.LogStart() != 20 || p.HighWatermark() != 21 {
		t.Errorf("%d to %d: an offset was used again", p.LogStart(), p.HighWatermark())
	}
}

func TestDeletedTopicFreesItsSpace(t *testing.T) {
	m := newMachine(t)
	big, small := m.topic("big", nil), m.topic("small", nil)
	for range 100 {
		m.put(big, 8000)
		m.put(small, 50)
	}
	before := m.b.JournalStats().DiskBytes
	if err := m.b.DeleteTopic("big"); err != nil {
		t.Fatal(err)
	}
	for range 30 { // so that the segment being written is a new one
		m.put(small, 8000)
	}
	m.crash("close", nil)
	if err := m.b.Reclaim(context.Background()); err != nil {
		t.Fatal(err)
	}
	if after := m.b.JournalStats().DiskBytes; after > before*6/10 {
		t.Errorf("%d bytes on disk, were %d", after, before)
	}
	if _, err := m.b.Partition("big", 0); !errors.Is(err, catalog.ErrUnknownTopic) {
		t.Error(err)
	}
	small = m.partition("small")
	if got := readBack(t, small); got != 130 {
		t.Errorf("read up to %d of 130", got)
	}
	if p := m.topic("big", nil); p.HighWatermark() != 0 {
		t.Errorf("the new topic begins at %d", p.HighWatermark())
	}
}

// producerBatch is a batch of an idempotent producer, with one record.
func producerBatch(t *testing.T, now time.Time, id int64, epoch int16, sequence int32, size int) []byte {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(now.UnixMilli(), nil, bytes.Repeat([]byte("p"), size), nil)
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(batch[43:], uint64(id))
	binary.BigEndian.PutUint16(batch[51:], uint16(epoch))
	binary.BigEndian.PutUint32(batch[53:], uint32(sequence))
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[21:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

// Whatever ends the broker, and wherever the relocator has moved the records,
// a batch that is sent again is known, and the next one fits on.
func TestProducersSurviveRestarts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := newMachine(t)
	m.topic("t", nil)
	m.topic("u", nil)
	type sent struct {
		sequence int32
		base     record.Offset
	}
	history := map[string][]sent{}
	rounds := 25
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		for range 10 + rng.IntN(30) {
			name := []string{"t", "u"}[rng.IntN(2)]
			sequence := int32(len(history[name]))
			a, err := m.append(m.partition(name), producerBatch(t, m.now, 7, 0, sequence, 60+rng.IntN(4000)))
			if err != nil {
				t.Fatal(round, err)
			}
			history[name] = append(history[name], sent{sequence, a.Base})
		}
		if rng.IntN(2) == 0 {
			p := m.partition("t")
			if _, err := p.DeleteRecords(p.LogStart() + (p.HighWatermark()-p.LogStart())/2); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(2) == 0 {
			if err := m.b.Reclaim(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		how := []string{"close", "process", "power"}[rng.IntN(3)]
		m.crash(how, rng)
		for name, list := range history {
			p := m.partition(name)
			for _, s := range list[max(0, len(list)-5):] {
				if m.cloud != nil && s.base < p.LogStart() {
					continue // what is not on the log any more is not read at a take-over
				}
				a, err := m.append(p, producerBatch(t, m.now, 7, 0, s.sequence, 10))
				if err != nil || a.Base != s.base {
					t.Fatalf("round %d, %s, %s: sequence %d again: %+v, %v; was at %d", round, how, name, s.sequence, a, err, s.base)
				}
			}
			if got, want := p.HighWatermark(), record.Offset(len(list)); got != want {
				t.Fatalf("round %d, %s, %s: %d records, want %d", round, how, name, got, want)
			}
			skip := producerBatch(t, m.now, 7, 0, int32(len(list))+1, 10)
			if _, err := m.append(p, skip); !errors.Is(err, commitlog.ErrOutOfOrderSequence) {
				t.Fatalf("round %d, %s, %s: a gap was let in: %v", round, how, name, err)
			}
		}
	}
}

// Relocation before the producers' state could be saved: only the records
// themselves tell what was sent, and they have moved.
func TestProducersSurviveRelocationOfUnsavedSegments(t *testing.T) {
	m := newMachine(t)
	p := m.topic("t", nil)
	other := m.topic("other", nil)
	m.b.cancel() // nobody saves producers' state from here on
	m.b.slot(0).work.Wait()
	for i := range int32(3) {
		if _, err := m.append(p, producerBatch(t, m.now, 7, 0, i, 100)); err != nil {
			t.Fatal(err)
		}
	}
	for range 40 {
		m.put(other, 4000)
	}
	if _, err := other.DeleteRecords(-1); err != nil {
		t.Fatal(err)
	}
	for m.cloud == nil && m.b.JournalStats().Relocated == 0 { // the sealer may still be at it
		if err := m.b.Reclaim(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	m.crash("process", nil)
	a, err := m.append(m.partition("t"), producerBatch(t, m.now, 7, 0, 1, 100))
	if err != nil || a.Base != 1 || m.partition("t").HighWatermark() != 3 {
		t.Errorf("%+v, %v: sequence 1 is at offset 1, and there are three records", a, err)
	}
}

func TestCommittedOffsetsSurviveRestarts(t *testing.T) {
	m := newMachine(t)
	m.topic("t", nil)
	rng := rand.New(rand.NewPCG(3, 3))
	for i, how := range []string{"close", "process", "power", "power", "process", "close"} {
		for n := range 20 {
			r := <-goCommit(m.b.slot(0).groups, simpleCommit("g", "t", 0, record.Offset(100*i+n)))
			if r.Err != nil || r.Errs[0][0] != nil {
				t.Fatalf("%+v", r)
			}
		}
		m.crash(how, rng)
		if got, want := offsetsOf(t, m.b.slot(0).groups, "g"), fmt.Sprintf("t/0=%d", 100*i+19); got != want {
			t.Fatalf("after %s: %s, want %s", how, got, want)
		}
	}
}

func FuzzProducerState(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{producersVersion})
	f.Add([]byte{producersVersion + 1})
	f.Add(encodeSent([]commitlog.SentBatch{{ProducerID: 1, ProducerEpoch: 2, FirstSequence: 3, LastSequence: 4, Base: 5, Timestamp: 6}, {ProducerID: -1}}))
	f.Add(encodeSent(make([]commitlog.SentBatch, 3))[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		sent, err := decodeSent(b)
		if err != nil {
			if !errors.Is(err, errMalformedProducer) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(encodeSent(sent), b) {
			t.Errorf("%d batches do not encode back", len(sent))
		}
	})
}
