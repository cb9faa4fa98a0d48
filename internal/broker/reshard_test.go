package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
)

// reshardSim puts records under keys while partitions are split and merged, on a
// machine that crashes, and holds the log against what was answered.
type reshardSim struct {
	queueWorld
	rng *rand.Rand

	answers sync.Mutex
	sent    map[string]int // by key: how many, answered for or not
	acked   map[string]bool
}

const reshardKeys = 12

func keyName(i int) string { return fmt.Sprintf("k%02d", i) }

// put puts the next record of a key, and waits.
func (s *reshardSim) put(b *Broker, key string) {
	s.answers.Lock()
	n := s.sent[key]
	s.sent[key]++
	s.answers.Unlock()
	v := fmt.Sprintf("%s/%06d", key, n)
	sent, err := b.ProduceWait(context.Background(), "t", []NewRecord{{
		Partition: -1, Hashed: true, Hash: catalog.HashKeyOfKey([]byte(key)), Timestamp: -1, Key: []byte(key), Value: []byte(v),
	}})
	if err == nil && sent[0].Err == nil {
		s.answers.Lock()
		s.acked[v] = true
		s.answers.Unlock()
	} else if errors.Is(err, commitlog.ErrClosed) || err == nil && errors.Is(sent[0].Err, commitlog.ErrClosed) {
		s.t.Errorf("%s: the client was told of a closed partition", v)
	}
}

// change splits or merges at random.
func (s *reshardSim) change(rng *rand.Rand) {
	topic, err := s.b.Topic("t")
	if err != nil {
		s.t.Fatal(err)
	}
	open, ctx := topic.Open(), context.Background()
	i := rng.IntN(len(open))
	switch k := rng.IntN(4); {
	case k == 0:
		_, err = s.b.SetOpenPartitions(ctx, "t", 1+rng.IntN(6))
	case k == 1 && len(open) > 1:
		i = max(i, 1)
		_, err = s.b.MergePartitions(ctx, "t", open[i], open[i-1])
	case len(open) < 8:
		keys := topic.Partitions[open[i]].Keys
		_, err = s.b.SplitPartition(ctx, "t", open[i], catalog.HashKey{Hi: keys.First.Hi/2 + keys.Last.Hi/2 + 1})
	}
	if err != nil && !errors.Is(err, catalog.ErrReshard) && !errors.Is(err, context.Canceled) && !errors.Is(err, journal.ErrNotOwner) {
		s.t.Fatal(err)
	}
}

// load puts records from several clients, each of which has keys of its own, while
// partitions change. With a crash, the disk and the catalog are copied meanwhile, and
// only what was answered before counts.
func (s *reshardSim) load(crash bool) {
	b := s.b
	var clients sync.WaitGroup
	for c := range 3 {
		clients.Go(func() {
			for range 8 {
				for k := c; k < reshardKeys; k += 3 {
					s.put(b, keyName(k))
				}
			}
		})
	}
	seed := s.rng.Uint64()
	clients.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 1))
		for range 3 {
			s.change(rng)
		}
	})
	clients.Go(func() { // other changes of the topic must not hide these
		for i := range 30 {
			err := b.AnnotateTopic("t", func(_, labels map[string]string) error { labels["n"] = fmt.Sprint(i); return nil })
			if err != nil {
				s.t.Error(err)
			}
		}
	})
	if !crash {
		clients.Wait()
		return
	}
	s.answers.Lock()
	acked := make(map[string]bool, len(s.acked))
	for v := range s.acked {
		acked[v] = true
	}
	s.answers.Unlock()
	store := cloneStore(s.t, s.store)
	fs := s.fs.CrashClone(s.rng)
	if s.cloud != nil {
		store = s.store
		s.cloud.crash()
	}
	clients.Wait()
	if err := s.b.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.fs, s.store, s.acked = fs, store, acked
	s.start()
}

// check reads parents before children, and holds each key's records to their order.
func (s *reshardSim) check() {
	s.t.Helper()
	topic, err := s.b.Topic("t")
	if err != nil {
		s.t.Fatal(err)
	}
	last, found := map[string]string{}, map[string]bool{}
	for i := range topic.Partitions { // parents come first
		p, err := s.b.Partition("t", int32(i))
		if err != nil {
			s.t.Fatal(err)
		}
		meta := &topic.Partitions[i]
		if meta.Closed && p.HighWatermark() < meta.End {
			s.t.Errorf("partition %d ends at %d, the catalog says %d", i, p.HighWatermark(), meta.End)
		}
		if meta.Closed {
			if sent := produce(s.t, s.b, "t", nil, NewRecord{Partition: int32(i), Timestamp: -1}); !errors.Is(sent[0].Err, commitlog.ErrClosed) {
				s.t.Errorf("append to closed partition %d: %+v", i, sent[0])
			}
		}
		for _, r := range readAll(s.t, p) {
			key, v := string(r.Key), string(r.Value)
			if !meta.Keys.Has(catalog.HashKeyOfKey(r.Key)) {
				s.t.Errorf("%s is in partition %d", v, i)
			}
			if v <= last[key] {
				s.t.Errorf("%s comes after %s", v, last[key])
			}
			last[key], found[v] = v, true
		}
	}
	for v := range s.acked {
		if !found[v] {
			s.t.Errorf("%s was answered for, and is lost", v)
		}
	}
}

func readAll(t *testing.T, p *Partition) (list []record.Record) {
	t.Helper()
	for from := p.LogStart(); from < p.HighWatermark(); {
		slice, err := p.Read(from, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range slice.Payloads {
			r, err := record.NewReader(b, record.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			for rec, ok := r.Next(); ok; rec, ok = r.Next() {
				if rec.Offset >= from {
					list = append(list, cloneRecord(rec))
				}
			}
		}
		from = slice.Next
		slice.Release()
	}
	return list
}

// consume takes everything from an ordered queue on the topic, and holds each group
// to its order.
func (s *reshardSim) consume() {
	q := s.queue("q")
	last, found := map[string]string{}, map[string]bool{}
	for {
		list := mustReceive(s.t, q, ReceiveRequest{Max: 10, Lease: time.Minute})
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			g, v := string(d.Record.Key), string(d.Record.Value)
			if v <= last[g] {
				s.t.Errorf("the queue gave %s after %s", v, last[g])
			}
			last[g], found[v] = v, true
		}
		ackAll(s.t, q, list)
	}
	for v := range s.acked {
		if !found[v] {
			s.t.Errorf("%s never came out of the queue", v)
		}
	}
}

func TestReshardUnderLoad(t *testing.T) {
	seeds := uint64(30)
	if testing.Short() {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := &reshardSim{queueWorld: newQueueWorld(t), rng: rand.New(rand.NewPCG(seed, 21)), sent: map[string]int{}, acked: map[string]bool{}}
			if _, err := s.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: int32(1 + s.rng.IntN(3))}, false); err != nil {
				t.Fatal(err)
			}
			spec := catalog.QueueSpec{Name: "q", Topic: "t", Settings: catalog.DefaultQueueSettings()}
			spec.Settings.Ordered = true
			if _, err := s.b.CreateQueue(spec); err != nil {
				t.Fatal(err)
			}
			for range 6 {
				switch s.rng.IntN(4) {
				case 0:
					s.load(true)
				case 1:
					s.crash([]string{"process", "power", "orderly"}[s.rng.IntN(3)], s.rng)
				default:
					s.load(false)
				}
				s.check()
			}
			s.consume()
		})
	}
}

// What the catalog refuses has not happened; what it does not know stops appends.
func TestReshardFailures(t *testing.T) {
	for _, x := range []struct {
		err  error
		goOn bool
	}{{catalog.ErrDiskFull, true}, {catalog.ErrStorage, false}} {
		w := newQueueWorld(t)
		w.topic("t", nil)
		w.store.FailNext(x.err, false)
		if _, err := w.b.SetOpenPartitions(context.Background(), "t", 2); !errors.Is(err, x.err) {
			t.Fatalf("%v, want %v", err, x.err)
		}
		sent := produce(t, w.b, "t", nil, NewRecord{Partition: -1, Timestamp: -1})
		if (sent[0].Err == nil) != x.goOn {
			t.Errorf("after %v: %+v", x.err, sent[0])
		}
		w.restart()
		if sent := produce(t, w.b, "t", nil, NewRecord{Partition: -1, Timestamp: -1}); sent[0].Err != nil {
			t.Errorf("after a restart: %v", sent[0].Err)
		}
	}
}

// Calls that name no partition find an open one, by their key or in turns.
func TestProduceToWhatIsOpen(t *testing.T) {
	w := newQueueWorld(t)
	w.topic("t", nil)
	topic, err := w.b.SetOpenPartitions(context.Background(), "t", 3)
	if err != nil {
		t.Fatal(err)
	}
	var to []int32
	for i := range 30 {
		r := NewRecord{Partition: -1, Timestamp: -1}
		if i%2 == 0 {
			r.Key = fmt.Appendf(nil, "key %d", i)
		}
		sent := produce(t, w.b, "t", nil, r)
		if sent[0].Err != nil {
			t.Fatal(sent[0].Err)
		}
		if p := sent[0].Partition; r.Key != nil && !topic.Partitions[p].Keys.Has(catalog.HashKeyOfKey(r.Key)) {
			t.Errorf("key %d went to %d", i, p)
		}
		to = append(to, sent[0].Partition)
	}
	slices.Sort(to)
	if got := slices.Compact(to); !slices.Equal(got, topic.Open()) {
		t.Errorf("records went to %v, open are %v", got, topic.Open())
	}
	sent := produce(t, w.b, "t", nil, NewRecord{Partition: 0, Timestamp: -1})
	if err := sent[0].Err; !errors.Is(err, commitlog.ErrClosed) || !strings.Contains(err.Error(), fmt.Sprint(topic.Children(0))) {
		t.Errorf("%v does not say that %v took over", err, topic.Children(0))
	}
}

// A change that is shown late shows what is there by then.
func TestLateChangeHidesNothing(t *testing.T) {
	w := newQueueWorld(t)
	p := w.topic("t", nil)
	before := p.Topic()
	if _, err := w.b.SetOpenPartitions(context.Background(), "t", 2); err != nil {
		t.Fatal(err)
	}
	w.b.topics.put(w.b, before)
	if sent := produce(t, w.b, "t", nil, NewRecord{Partition: -1, Timestamp: -1}); !p.Closed() || sent[0].Err != nil {
		t.Errorf("closed: %v; %+v", p.Closed(), sent[0])
	}
	if err := w.b.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	w.b.topics.put(w.b, before)
	if _, err := w.b.Partition("t", 0); !errors.Is(err, catalog.ErrUnknownTopic) {
		t.Errorf("the topic came back: %v", err)
	}
}
