package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const fleetSlots = 4

// fleet is several brokers over one bucket and one coordinator.
type fleet struct {
	t      *testing.T
	bucket *objectstore.Fake
	quorum *coord.Fake

	mu     sync.Mutex // guards what follows
	now    time.Time
	owners [fleetSlots]int32
}

// ship is a broker of a fleet. It is what it knows of the cluster.
type ship struct {
	*fleet
	node    int32
	flusher *journal.Flusher
	b       *Broker
	fences  map[int]catalog.Fence // guarded by mu
}

func newFleet(t *testing.T, n int) (f *fleet, ships []*ship) {
	f = &fleet{
		t: t, bucket: objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), quorum: coord.NewFake(coord.FakeConfig{}),
		now: time.UnixMilli(1_700_000_000_000),
	}
	for i := range n {
		ships = append(ships, f.launch(int32(i+1)))
	}
	return f, ships
}

func (f *fleet) launch(node int32) *ship {
	f.t.Helper()
	s := &ship{fleet: f, node: node, fences: make(map[int]catalog.Fence)}
	s.flusher = newFlusher(f.bucket, f.quorum, fmt.Sprintf("node-%d", node), fleetSlots)
	lease, err := f.quorum.Grant(f.t.Context(), coord.TTLMax)
	if err != nil {
		f.t.Fatal(err)
	}
	key := fmt.Sprintf("member/%d", node)
	joined, err := f.quorum.Txn(f.t.Context(), nil, []coord.Op{coord.Put(key, nil, lease)}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	s.b, err = Open(Config{
		NodeID: node, Cluster: s, Slots: fleetSlots, BatchBytesMax: objectEntryBytesMax,
		Store: catalog.NewCoord(catalog.CoordConfig{
			Store: f.quorum, Context: f.t.Context(), Member: catalog.Fence{Key: key, Created: joined.Revision}, Slots: fleetSlots,
			Name: key, SlotOwner: func(slot int) (catalog.Fence, bool) {
				f.mu.Lock()
				defer f.mu.Unlock()
				fence, ok := s.fences[slot]
				return fence, ok
			},
		}),
		RetentionEvery: -1, PasswordRounds: 1, Groups: testGroupsConfig(),
		OpenJournal: func(journal.Options) (Medium, error) { return nil, errors.New("opened for a broker of a cluster") },
		Now: func() time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.now
		},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		s.b.Close()
		s.flusher.Close()
	})
	return s
}

// Owner implements Cluster.
func (f *fleet) Owner(id journal.SlotID) int32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.owners[id]
}

// Leader implements Cluster.
func (f *fleet) Leader(id journal.SlotID) (node, epoch int32) { return f.Owner(id), 1 }

// Fence implements Cluster.
func (f *fleet) Fence(id journal.SlotID) (catalog.Fence, bool) {
	key, _ := slotKeys(id)
	kv, ok, err := f.quorum.Get(context.Background(), key)
	return catalog.Fence{Key: key, Created: kv.CreateRevision}, ok && err == nil
}

// Members implements Cluster.
func (f *fleet) Members() []Member { return nil }

// Peer implements Cluster: they do not ask each other.
func (f *fleet) Peer(int32) (*peer.Client, error) { return nil, ErrNotOwner }

func (f *fleet) add(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// take makes the broker a slot's owner.
func (s *ship) take(id journal.SlotID) {
	s.t.Helper()
	err := s.b.OpenSlot(id, func(opt journal.Options) (Medium, error) {
		m, err := takeSlot(s.quorum, s.flusher, id, opt)
		if err != nil {
			return nil, err
		}
		key, _ := slotKeys(id)
		kv, _, err := s.quorum.Get(context.Background(), key)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fences[int(id)] = catalog.Fence{Key: key, Created: kv.CreateRevision}
		return m, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.owners[id] = s.node
	s.mu.Unlock()
}

func (s *ship) takeAll() {
	var work sync.WaitGroup
	for id := range journal.SlotID(fleetSlots) {
		work.Go(func() { s.take(id) })
	}
	work.Wait()
}

// leave gives a slot up.
func (s *ship) leave(id journal.SlotID) {
	s.t.Helper()
	s.mu.Lock()
	if s.owners[id] == s.node {
		s.owners[id] = 0
	}
	s.mu.Unlock()
	if err := s.b.CloseSlot(id); err != nil {
		s.t.Fatal(err)
	}
}

// give moves all slots to another broker: handed over, or taken from who does not know.
func (s *ship) give(to *ship, handed bool) {
	for id := range journal.SlotID(fleetSlots) {
		if handed {
			s.leave(id)
			to.take(id)
			continue
		}
		to.take(id)
		s.leave(id)
	}
}

func (s *ship) queue(name string) *Queue {
	s.t.Helper()
	q, err := s.b.Queue(name)
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

func (s *ship) partition(topic string, i int32) *Partition {
	s.t.Helper()
	p, err := s.b.Partition(topic, i)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s *ship) append(topic string, i int32, batch []byte) (a Appended, err error) {
	s.t.Helper()
	done := make(chan struct{})
	s.partition(topic, i).Append(context.Background(), batch, func(got Appended, gotErr error) {
		a, err = got, gotErr
		close(done)
	})
	<-done
	return a, err
}

// What is in slots is there whole at their next owner: queues with what is leased, done
// and delayed, groups with their offsets, producers with what they sent.
func TestSlotsMoveBetweenBrokers(t *testing.T) {
	for name, handed := range map[string]bool{"handed over": true, "taken": false} {
		t.Run(name, func(t *testing.T) {
			f, ships := newFleet(t, 2)
			a, b := ships[0], ships[1]
			a.takeAll()
			names := []string{"one", "two", "three", "four", "five", "six"}
			for _, q := range names {
				makeQueue(t, a.b, q, func(s *catalog.QueueSettings) { s.Lease = time.Hour })
				later := text("later")
				later.Delay = time.Minute
				sendAll(t, a.queue(q), text("done"), text("leased"), text("ready"), later)
				list := mustReceive(t, a.queue(q), ReceiveRequest{Max: 2})
				wantValues(t, list, "done", "leased")
				ackAll(t, a.queue(q), list[:1])
			}
			if _, err := a.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 5}, false); err != nil {
				t.Fatal(err)
			}
			for p := range int32(5) {
				for i := range int32(3) {
					if _, err := a.append("t", p, producerBatch(t, f.now, 7, 0, i, 100)); err != nil {
						t.Fatal(err)
					}
				}
			}
			groups := []string{"g", "h", "i", "j", "k"}
			for i, id := range groups {
				out := make(chan CommitOffsetsResponse, 1)
				a.b.CommitOffsets(simpleCommit(id, "t", 0, record.Offset(i)), func(r CommitOffsetsResponse) { out <- r })
				if r := <-out; r.Err != nil || r.Errs[0][0] != nil {
					t.Fatalf("%+v", r)
				}
			}

			a.give(b, handed)
			for _, q := range names {
				wantValues(t, mustReceive(t, b.queue(q), ReceiveRequest{Max: 9}), "ready")
			}
			for p := range int32(5) {
				again, err := b.append("t", p, producerBatch(t, f.now, 7, 0, 2, 100))
				if err != nil || !again.Duplicate || again.Base != 2 {
					t.Errorf("partition %d: what was sent before is at %d, duplicate %t, %v", p, again.Base, again.Duplicate, err)
				}
				if next, err := b.append("t", p, producerBatch(t, f.now, 7, 0, 3, 100)); err != nil || next.Base != 3 {
					t.Errorf("partition %d: the next batch is at %d, %v", p, next.Base, err)
				}
			}
			for i, id := range groups {
				got, err := b.b.FetchOffsets(id, nil)
				if err != nil || len(got) != 1 || got[0].Partitions[0].Offset != record.Offset(i) {
					t.Errorf("group %s: %+v, %v", id, got, err)
				}
				if _, err := a.b.FetchOffsets(id, nil); !errors.Is(err, ErrNotOwner) {
					t.Errorf("group %s at the old owner: %v", id, err)
				}
			}
			f.add(2 * time.Minute)
			for _, q := range names {
				wantValues(t, mustReceive(t, b.queue(q), ReceiveRequest{Max: 9}), "later")
			}
		})
	}
}

// A slot goes away and comes back under load. What was said to be sent is received, what
// was said to be done does not come again, and whatever fails, fails with ErrNotOwner.
func TestSlotComesAndGoesUnderLoad(t *testing.T) {
	_, ships := newFleet(t, 1)
	s := ships[0]
	s.takeAll()
	const queues, each = 4, 300
	stop := make(chan struct{})
	var load sync.WaitGroup
	for i := range queues {
		name := fmt.Sprintf("q%d", i)
		makeQueue(t, s.b, name, func(s *catalog.QueueSettings) { s.Lease = time.Hour })
		sent := make(chan string, each)
		load.Go(func() {
			defer close(sent)
			for n := range each {
				id := fmt.Sprint(n)
				if trySend(t, s.queue(name), id) {
					sent <- id
				}
				runtime.Gosched()
			}
		})
		load.Go(func() { drain(t, s.queue(name), sent) })
	}
	go func() {
		load.Wait()
		close(stop)
	}()
	for round := 0; ; round++ {
		select {
		case <-stop:
			if round < 5 {
				t.Errorf("the slot came and went %d times only", round)
			}
			return
		default:
		}
		id := journal.SlotID(round % fleetSlots)
		s.leave(id)
		s.take(id)
	}
}

// trySend sends a message, and tells whether it was durable.
func trySend(t *testing.T, q *Queue, value string) bool {
	out := make(chan []Sent, 1)
	q.Send(context.Background(), []Message{text("%s", value)}, func(s []Sent) { out <- s })
	err := (<-out)[0].Err
	if err != nil && !errors.Is(err, ErrNotOwner) {
		t.Errorf("send: %v", err)
	}
	return err == nil
}

// drain receives until all of sent came.
func drain(t *testing.T, q *Queue, sent <-chan string) {
	missing, seen, done := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for open := true; open || len(missing) > 0; {
		for more := true; more && open; {
			select {
			case id, ok := <-sent:
				if open = ok; ok && !seen[id] {
					missing[id] = true
				}
			default:
				more = false
			}
		}
		list, err := q.Receive(context.Background(), ReceiveRequest{Max: 10, Lease: -1})
		if err != nil && !errors.Is(err, ErrNotOwner) {
			t.Errorf("receive: %v", err)
			return
		}
		for _, d := range list {
			id := string(d.Record.Value)
			seen[id] = true
			delete(missing, id)
			if done[id] {
				t.Errorf("%s: message %s was done, and came again", q.Meta().Name, id)
			}
			out := make(chan []error, 1)
			q.Ack([]queue.Tag{d.Tag}, func(errs []error) { out <- errs })
			switch err := (<-out)[0]; {
			case err == nil:
				done[id] = true
			case !errors.Is(err, ErrNotOwner) && !errors.Is(err, queue.ErrNotLeased): // else it may be done, or not
				t.Errorf("ack: %v", err)
			}
		}
		runtime.Gosched()
	}
}

// Who waits in a slot that goes away is told, or waits on where it comes back.
func TestWaitersOfASlotThatGoes(t *testing.T) {
	_, ships := newFleet(t, 1)
	s := ships[0]
	s.takeAll()
	q := makeQueue(t, s.b, "q", nil)
	got := make(chan []Delivery, 1)
	go func() {
		list, err := q.Receive(context.Background(), ReceiveRequest{Max: 1, Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		got <- list
	}()
	until(t, func() bool {
		here := q.local()
		here.mu.Lock()
		defer here.mu.Unlock()
		return len(here.receives) > 0
	})
	joined := make(chan group.JoinResponse, 1)
	s.b.JoinGroup(joinRequest("c"), func(r group.JoinResponse) { joined <- r })
	home := s.b.GroupSlot("g")
	s.leave(home)
	if r := <-joined; !errors.Is(r.Err, ErrNotOwner) {
		t.Errorf("a member that was waiting: %v", r.Err)
	}
	s.take(home)
	if home := q.home(); home != s.b.GroupSlot("g") {
		s.leave(home)
		s.take(home)
	}
	sendAll(t, s.queue("q"), text("here"))
	wantValues(t, <-got, "here")
}

// What one broker makes, changes and deletes, another one knows.
func TestCatalogOfAnotherBroker(t *testing.T) {
	_, ships := newFleet(t, 2)
	a, b := ships[0], ships[1]
	a.takeAll()
	makeQueue(t, b.b, "q", nil) // whose home is at the other one
	sendAll(t, a.queue("q"), text("first"))
	if _, err := b.b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 3}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := a.append("t", 2, producerBatch(t, a.now, 1, 0, 0, 10)); err != nil {
		t.Error(err)
	}
	if err := b.b.AddPartitions("t", 5, false); err != nil {
		t.Fatal(err)
	}
	if _, err := a.append("t", 4, producerBatch(t, a.now, 1, 0, 0, 10)); err != nil {
		t.Error(err)
	}
	_, err := b.b.AlterQueue("q", func(s *catalog.QueueSpec) error {
		s.Settings.Lease = 7 * time.Second
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	q := a.queue("q")
	until(t, func() bool { return q.Meta().Settings.Lease == 7*time.Second })
	if err := b.b.DeleteQueue("q"); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		_, err := a.b.Queue("q")
		return errors.Is(err, catalog.ErrUnknownQueue)
	})
	if _, err := q.Receive(context.Background(), ReceiveRequest{Max: 1}); !errors.Is(err, ErrQueueDeleted) {
		t.Errorf("a queue that another broker deleted: %v", err)
	}
}
