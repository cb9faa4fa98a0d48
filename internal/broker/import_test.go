package broker

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/trigger"
)

// fillForImport makes some of everything.
func fillForImport(t *testing.T, w *machine) {
	rng := rand.New(rand.NewPCG(1, 2))
	spec := catalog.TopicSpec{Name: "events", Partitions: 20, Settings: map[string]string{"retention.ms": "-1"}, Tags: map[string]string{"team": "a"}, Labels: map[string]string{"l": "v"}}
	if _, err := w.b.CreateTopic(spec, false); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		p, err := w.b.Partition("events", int32(i%19)) // one stays empty
		if err != nil {
			t.Fatal(err)
		}
		b := record.NewBuilder(record.None)
		for k := range 1 + rng.IntN(5) {
			b.Append(w.now.UnixMilli(), []byte(fmt.Sprint(k)), bytes.Repeat([]byte("v"), rng.IntN(2000)), nil)
		}
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.append(p, batch); err != nil {
			t.Fatal(err)
		}
	}
	for index, upTo := range map[int32]record.Offset{1: 7, 2: -1} { // one begins in the middle of a batch, one is empty and does not begin at 0
		p, _ := w.b.Partition("events", index)
		if upTo < 0 {
			upTo = p.HighWatermark()
		}
		log, err := p.local()
		if err == nil {
			err = w.b.trim(log, upTo)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		reply := make(chan CommitOffsetsResponse, 1)
		w.b.CommitOffsets(simpleCommit(fmt.Sprintf("group-%d", i), "events", int32(i%20), record.Offset(i)), func(r CommitOffsetsResponse) { reply <- r })
		if r := <-reply; r.Err != nil || r.Errs[0][0] != nil {
			t.Fatal(r)
		}
	}
	for i := range 10 {
		q := makeQueue(t, w.b, fmt.Sprintf("work-%d", i), func(s *catalog.QueueSettings) { s.Lanes, s.Dedup = int32(1+i%3), catalog.DedupQueue })
		for k := range 40 {
			m := text("%d", k)
			m.DedupID, m.Lane = fmt.Sprint(k), int32(k%(1+i%3))
			if k%7 == 6 {
				m.Delay = time.Hour
			}
			sendAll(t, q, m)
		}
		ackAll(t, q, mustReceive(t, q, ReceiveRequest{Max: 5 + i}))
		mustReceive(t, q, ReceiveRequest{Max: 3}) // on their way
		list := mustReceive(t, q, ReceiveRequest{Max: 6})
		ackAll(t, q, list[3:])
	}
	if _, err := w.b.CreateTrigger(context.Background(), trigger.Spec{Name: "t", Queue: "work-1", Conditions: []trigger.Condition{{On: trigger.OnDepth, Depth: 1000}}}); err != nil {
		t.Fatal(err)
	}
	password := "secret"
	for _, err := range []error{
		w.b.DeclareExchange(DefaultNamespace, exchange.Spec{Name: "x", Kind: exchange.Topic, Durable: true}),
		w.b.Bind(DefaultNamespace, exchange.Binding{Source: "x", Destination: "work-2", Key: "a.#"}),
		w.b.CreateUser("anna", UserSpec{Password: &password}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := w.b.catalog.NextProducerIDBlock(); err != nil {
		t.Fatal(err)
	}
}

// importInto copies a broker into a cluster of 8 slots, and opens a broker there.
func importInto(t *testing.T, src *machine) (*machine, Imported) {
	t.Helper()
	m := &machine{t: t, store: catalog.NewMem(), now: src.now, cloud: newCloud(t)}
	m.cloud.slots = 8
	m.cloud.boot()
	sum, err := m.imported(src.b)
	if err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(func() { m.b.Close() })
	return m, sum
}

func (m *machine) imported(src *Broker) (Imported, error) {
	cat, err := catalog.Open(catalog.Options{Store: m.store, Random: rand.NewChaCha8([32]byte{1}), Slots: m.cloud.slots})
	if err != nil {
		return Imported{}, err
	}
	im := &Import{
		Source: src, Catalog: cat, Now: func() int64 { return m.now.UnixMilli() },
		Open: func(id journal.SlotID, opt journal.Options) (Medium, error) { return m.cloud.open(id)(opt) },
	}
	return im.Run(context.Background())
}

func TestImport(t *testing.T) {
	src := newMachine(t)
	src.needsDisk("that is what is imported from")
	fillForImport(t, src)
	dst, sum := importInto(t, src)
	if sum.Topics != 11 || sum.Queues != 10 || sum.Users != 1 || sum.Batches < 300 {
		t.Errorf("copied %+v", sum)
	}
	sameTopics(t, src.b, dst.b)
	sameQueues(t, src.b, dst.b)
	if a, b := src.b.GroupOffsets(), dst.b.GroupOffsets(); len(a) != 30 || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("committed offsets\n%v, were\n%v", b, a)
	}
	if a, b := src.b.Users(), dst.b.Users(); !reflect.DeepEqual(a, b) {
		t.Errorf("users %v, were %v", b, a)
	}
	if a, b := fmt.Sprint(src.b.Exchanges("/"), src.b.Bindings("/")), fmt.Sprint(dst.b.Exchanges("/"), dst.b.Bindings("/")); a != b {
		t.Errorf("exchanges\n%s, were\n%s", b, a)
	}
	if dst.b.slot(dst.b.homeOf("work-1")).triggers.find("t") == nil {
		t.Error("the trigger is not where its queue is")
	}
	if first, _, err := dst.b.catalog.NextProducerIDBlock(); err != nil || first < catalog.ProducerIDBlock {
		t.Errorf("producer ids go on at %d, %v", first, err)
	}
	// The delayed ones are due later, the delivered ones are on their way, the rest is there.
	got := values(mustReceive(t, queueOf(t, dst.b, "work-0"), ReceiveRequest{Max: 100}))
	want := values(mustReceive(t, queueOf(t, src.b, "work-0"), ReceiveRequest{Max: 100}))
	if len(got) == 0 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the queue gives %q, the source %q", got, want)
	}
	if _, err := dst.imported(src.b); !errors.Is(err, ErrImport) {
		t.Errorf("a second time: %v", err)
	}
}

func queueOf(t *testing.T, b *Broker, name string) *Queue {
	t.Helper()
	q, err := b.Queue(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func sameTopics(t *testing.T, src, dst *Broker) {
	t.Helper()
	for _, want := range src.Topics() {
		if want.Internal {
			continue
		}
		got, err := dst.Topic(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || !reflect.DeepEqual(got.Settings, want.Settings) || !reflect.DeepEqual(got.Tags, want.Tags) || !reflect.DeepEqual(got.Labels, want.Labels) {
			t.Errorf("topic %+v, was %+v", got, want)
		}
		for i := range want.Partitions {
			a, aerr := src.Partition(want.Name, int32(i))
			b, berr := dst.Partition(want.Name, int32(i))
			if err := errors.Join(aerr, berr); err != nil {
				t.Fatal(err)
			}
			if a.LogStart() != b.LogStart() || a.HighWatermark() != b.HighWatermark() || !bytes.Equal(allBytes(t, a), allBytes(t, b)) {
				t.Errorf("%s, partition %d: %d to %d, was %d to %d, or other bytes", want.Name, i, b.LogStart(), b.HighWatermark(), a.LogStart(), a.HighWatermark())
			}
		}
	}
}

func allBytes(t *testing.T, p *Partition) (out []byte) {
	t.Helper()
	for at := p.LogStart(); at < p.HighWatermark(); {
		s, err := p.Read(at, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.Join(s.Payloads, nil)...)
		at = s.Next
		s.Release()
	}
	return out
}

func sameQueues(t *testing.T, src, dst *Broker) {
	t.Helper()
	for _, want := range src.catalog.Queues() {
		got, err := dst.catalog.Queue(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		a, b := exported(src.queueLedger(want)), exported(dst.queueLedger(got))
		if a != b || len(a) < 20 {
			t.Errorf("queue %s: the ledger is\n%s, was\n%s", want.Name, b, a)
		}
		same := *got
		same.ID = want.ID
		if !reflect.DeepEqual(&same, want) {
			t.Errorf("queue %+v, was %+v", got, want)
		}
	}
}

func (b *Broker) queueLedger(q *catalog.Queue) (l *queue.Ledger) {
	s := b.slot(b.homeOf(q.Name))
	s.queues.log.Read(func() { l = s.queues.machine.ledgers[q.ID] })
	return l
}

func exported(l *queue.Ledger) (out string) {
	l.Export(0, func(cmd []byte) { out += hex.EncodeToString(cmd) + "\n" })
	return out
}
