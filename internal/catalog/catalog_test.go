package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/record"
)

// seeded is randomness that repeats.
func seeded(seed uint64) io.Reader {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return rand.NewChaCha8(key)
}

func open(t testing.TB, s Store) *Catalog {
	t.Helper()
	c, err := Open(Options{Store: s, Random: seeded(1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t testing.TB, c *Catalog, name string, n int32) *Topic {
	t.Helper()
	topic, err := c.Create(TopicSpec{Name: name, Partitions: n}, false)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

func wantErr(t tb, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Fatalf("error %q does not say %q", err, text)
		}
	}
}

func TestTopicNames(t *testing.T) {
	c := open(t, NewMem())
	for _, name := range []string{"a", "A-z_0.9", "...", strings.Repeat("x", 249), "__consumer_offsets"} {
		create(t, c, name, 1)
	}
	for _, name := range []string{"", ".", "..", strings.Repeat("x", 250), "a b", "a/b", "나루", "a\x00", InternalPrefix + "x"} {
		_, err := c.Create(TopicSpec{Name: name, Partitions: 1}, false)
		wantErr(t, err, ErrInvalidTopicName)
	}
	create(t, c, "orders.new_eu", 1)
	_, err := c.Create(TopicSpec{Name: "orders_new.eu", Partitions: 1}, false)
	wantErr(t, err, ErrTopicExists, "orders.new_eu", "differ only in")
	_, err = c.Create(TopicSpec{Name: "orders.new_eu", Partitions: 1}, false)
	wantErr(t, err, ErrTopicExists)
	if _, err := c.Delete("orders.new_eu"); err != nil {
		t.Fatal(err)
	}
	create(t, c, "orders_new.eu", 1)
}

func TestInternalTopics(t *testing.T) {
	c := open(t, NewMem())
	_, err := c.Create(TopicSpec{Name: "offsets", Partitions: 1, Internal: true}, false)
	wantErr(t, err, ErrInvalidTopicName)
	name := InternalPrefix + "offsets"
	topic, err := c.Create(TopicSpec{Name: name, Partitions: 2, Internal: true}, false)
	if err != nil || !topic.Internal {
		t.Fatal(topic, err)
	}
	_, err = c.Delete(name)
	wantErr(t, err, ErrInternalTopic)
	_, err = c.AddPartitions(name, 3, false)
	wantErr(t, err, ErrInternalTopic)
	_, err = c.Alter(name, nil, false)
	wantErr(t, err, ErrInternalTopic)
}

func TestPartitionCounts(t *testing.T) {
	c, err := Open(Options{Store: NewMem(), Random: seeded(1), DefaultPartitions: 3,
		Limits: Limits{TopicsMax: 3, PartitionsPerTopicMax: 10, PartitionsMax: 15}})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int32{0, -2, 11, 1<<31 - 1} {
		_, err := c.Create(TopicSpec{Name: "t", Partitions: n}, false)
		wantErr(t, err, ErrInvalidPartitions)
	}
	if got := len(create(t, c, "default", -1).Partitions); got != 3 {
		t.Fatalf("%d partitions", got)
	}
	create(t, c, "ten", 10)
	_, err = c.Create(TopicSpec{Name: "t", Partitions: 3}, false)
	wantErr(t, err, ErrLimit)
	_, err = c.AddPartitions("default", 6, false)
	wantErr(t, err, ErrLimit)
	for _, n := range []int32{-1, 0, 3} {
		_, err = c.AddPartitions("default", n, false)
		wantErr(t, err, ErrInvalidPartitions)
	}
	_, err = c.AddPartitions("absent", 3, false)
	wantErr(t, err, ErrUnknownTopic)
	before, _ := c.Topic("default")
	grown, err := c.AddPartitions("default", 5, false)
	if err != nil || len(grown.Partitions) != 5 || len(before.Partitions) != 3 || grown.ID != before.ID {
		t.Fatal(grown, err)
	}
	if _, err := c.Delete("ten"); err != nil {
		t.Fatal(err)
	}
	create(t, c, "a", 1)
	create(t, c, "b", 1)
	_, err = c.Create(TopicSpec{Name: "c", Partitions: 1}, false)
	wantErr(t, err, ErrLimit, "3 topics")
}

func TestValidateOnlyChangesNothing(t *testing.T) {
	s := NewMem()
	c := open(t, s)
	create(t, c, "t", 1)
	applies, snap := s.Applies, c.Snapshot()
	topic, err := c.Create(TopicSpec{Name: "u", Partitions: 2, Settings: map[string]string{"retention.ms": "5"}}, true)
	if err != nil || !topic.ID.IsZero() || len(topic.Partitions) != 2 || topic.Settings.RetentionMS != 5 {
		t.Fatal(topic, err)
	}
	if topic, err = c.AddPartitions("t", 4, true); err != nil || len(topic.Partitions) != 4 {
		t.Fatal(topic, err)
	}
	v := "7"
	if topic, err = c.Alter("t", []Change{{Name: "retention.ms", Value: &v}}, true); err != nil || topic.Settings.RetentionMS != 7 {
		t.Fatal(topic, err)
	}
	if s.Applies != applies || c.Snapshot() != snap {
		t.Fatal("something changed")
	}
}

func TestNumbersAreNeverReused(t *testing.T) {
	s := NewMem()
	seen := map[uint64]bool{}
	ids := map[UUID]bool{}
	var producer int64
	for round := range uint64(4) {
		c, err := Open(Options{Store: s, Random: seeded(round)})
		if err != nil {
			t.Fatal(err)
		}
		create(t, c, "t", 3)
		topic, err := c.AddPartitions("t", 5, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range topic.Partitions {
			if p.Stream == 0 || seen[p.Stream] {
				t.Fatalf("stream %d again", p.Stream)
			}
			seen[p.Stream] = true
		}
		if ids[topic.ID] {
			t.Fatalf("topic id %s again", topic.ID)
		}
		ids[topic.ID] = true
		first, n, err := c.NextProducerIDBlock()
		if err != nil || first != producer || n != ProducerIDBlock {
			t.Fatalf("block %d+%d, %v; want %d", first, n, err, producer)
		}
		producer += int64(n)
		if _, err := c.Delete("t"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLogStarts(t *testing.T) {
	s := NewMem()
	c := open(t, s)
	p := create(t, c, "t", 3).Partitions
	gone := create(t, c, "gone", 1).Partitions[0].Stream
	if err := c.SetLogStarts(map[uint64]record.Offset{gone: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Delete("gone"); err != nil {
		t.Fatal(err)
	}
	applies := s.Applies
	if err := c.SetLogStarts(map[uint64]record.Offset{p[0].Stream: 10, p[2].Stream: 30, gone: 9, 999: 1}); err != nil {
		t.Fatal(err)
	}
	if s.Applies != applies+1 {
		t.Fatalf("%d applies for one batch", s.Applies-applies)
	}
	// Backwards, and for a stream that is gone: passed over, nothing written.
	if err := c.SetLogStarts(map[uint64]record.Offset{p[0].Stream: 9, p[2].Stream: 30, gone: 10}); err != nil || s.Applies != applies+1 {
		t.Fatal(err, s.Applies)
	}
	topic, err := open(t, s).Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []record.Offset{10, 0, 30} {
		if topic.Partitions[i].LogStart != want {
			t.Fatalf("partition %d starts at %d, want %d", i, topic.Partitions[i].LogStart, want)
		}
	}
}

func TestSnapshotsNeverChange(t *testing.T) {
	c := open(t, NewMem())
	a := create(t, c, "a", 1)
	snap := c.Snapshot()
	create(t, c, "b", 1)
	v := "9"
	if _, err := c.Alter("a", []Change{{Name: "retention.ms", Value: &v}}, false); err != nil {
		t.Fatal(err)
	}
	later := c.Snapshot()
	seen, _ := later.Topic("a")
	v = "10"
	if _, err := c.Alter("a", []Change{{Name: "retention.ms", Value: &v}}, false); err != nil {
		t.Fatal(err)
	}
	if got, _ := later.Topic("a"); got != seen || seen.Settings.RetentionMS != 9 {
		t.Fatal("a snapshot changed when a topic was altered")
	}
	if got, _ := snap.Topic("a"); got != a || a.Settings.RetentionMS != 604800000 || len(snap.Topics()) != 1 {
		t.Fatal("an old snapshot changed")
	}
	if _, err := snap.Topic("b"); !errors.Is(err, ErrUnknownTopic) {
		t.Fatal(err)
	}
	if now, _ := c.TopicByID(a.ID); now.Settings.RetentionMS != 10 {
		t.Fatal(now.Settings)
	}
}

func TestClusterID(t *testing.T) {
	s := NewMem()
	id := open(t, s).ClusterID()
	if len(id) != 22 {
		t.Fatalf("cluster id %q", id)
	}
	other, err := Open(Options{Store: s, Random: seeded(2)})
	if err != nil || other.ClusterID() != id {
		t.Fatal(other.ClusterID(), err)
	}
	u, err := ParseUUID(id)
	if err != nil || u.String() != id {
		t.Fatal(u, err)
	}
	for _, bad := range []string{"", "x", id + "A", strings.Repeat("/", 22), id[:21] + "!"} {
		if _, err := ParseUUID(bad); err == nil {
			t.Fatalf("uuid %q is accepted", bad)
		}
	}
}

func TestUUIDsDoNotLookLikeOptions(t *testing.T) {
	r := seeded(3)
	for range 2000 {
		u, err := newUUID(r)
		if err != nil || u.String()[0] == '-' || u[6]>>4 != 4 || u[8]>>6 != 2 {
			t.Fatal(u, err)
		}
	}
	if _, err := newUUID(bytes.NewReader(make([]byte, 15))); err == nil {
		t.Fatal("randomness ran out and nobody noticed")
	}
	if _, err := newUUID(bytes.NewReader(bytes.Repeat([]byte{0xfb}, 16*uuidTries))); err == nil {
		t.Fatal("an unusable id is accepted")
	}
}

func TestClosed(t *testing.T) {
	c := open(t, NewMem())
	create(t, c, "t", 1)
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := c.Create(TopicSpec{Name: "u", Partitions: 1}, false)
	wantErr(t, err, ErrClosed)
	if _, err := c.Topic("t"); err != nil {
		t.Fatal(err)
	}
}

// Whether a failed change took place is unknown: either way the catalog goes on
// from what the store holds, and gives out nothing twice.
func TestFailedChange(t *testing.T) {
	for _, applied := range []bool{false, true} {
		t.Run(fmt.Sprintf("applied=%v", applied), func(t *testing.T) {
			s := NewMem()
			c := open(t, s)
			create(t, c, "a", 2)
			s.FailNext(errors.New("lost power"), applied)
			_, err := c.Create(TopicSpec{Name: "b", Partitions: 2}, false)
			wantErr(t, err, ErrStorage, "lost power")
			if _, err := c.Topic("b"); !errors.Is(err, ErrUnknownTopic) {
				t.Fatal("visible although it failed")
			}
			fresh := create(t, c, "c", 1).Partitions[0].Stream
			_, err = c.Topic("b")
			if (err == nil) != applied {
				t.Fatalf("b: %v", err)
			}
			if want := uint64(3); applied && fresh != want+2 || !applied && fresh != want {
				t.Fatalf("stream %d", fresh)
			}
			mustMatch(t, open(t, s), c)
		})
	}
}

// mustMatch holds two catalogs against each other.
func mustMatch(t testing.TB, a, b *Catalog) {
	t.Helper()
	if dump(a) != dump(b) {
		t.Fatalf("catalogs differ:\n%s\n%s", dump(a), dump(b))
	}
}

func dump(c *Catalog) string {
	var out strings.Builder
	fmt.Fprintln(&out, c.ClusterID(), c.nextStream, c.nextProducer, c.partitions, c.starts, c.collisions)
	for _, t := range c.Topics() {
		fmt.Fprint(&out, t.Name, t.ID, t.Internal, t.Settings.Explicit)
		for _, p := range t.Partitions {
			fmt.Fprint(&out, " ", p.Stream)
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

// tb is what the tests of testing and of rapid have in common.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Readers see a whole catalog at any moment: every topic by name and by id.
func TestReadersBesideWriters(t *testing.T) {
	c := open(t, NewMem())
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				s := c.Snapshot()
				for _, topic := range s.Topics() {
					if got, err := s.TopicByID(topic.ID); err != nil || got != topic {
						t.Errorf("%s by id: %v, %v", topic.Name, got, err)
						return
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 200 {
		name := fmt.Sprintf("t%d", i%7)
		if _, err := c.Create(TopicSpec{Name: name, Partitions: 2}, false); err != nil {
			if _, err = c.Delete(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	readers.Wait()
}
