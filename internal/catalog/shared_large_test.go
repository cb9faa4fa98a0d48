package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

// A change of 10,000 keys whose author ends in the middle of it has happened for all, and those who change something next
// finish it, several at a time.
func TestSharedLargeChange(t *testing.T) {
	const n = 5_000 // each has a topic and log starts
	p := newParty(t, partySize)
	a, b, last := p.all[0], p.all[1], p.all[2]
	var ops []Op
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		topic := &Topic{Name: name, ID: UUID{1, byte(i >> 8), byte(i), 1}, Partitions: []PartitionMeta{{Stream: uint64(i + 1)}}}
		ops = append(ops, encodeTopic(topic), encodeStart(uint64(i+1), record.Offset(i)))
	}
	ops = append(ops, encodeNumber(keyNextStream, n+1))
	cut := 0
	s := a.shared.(*Coord)
	p.quorum.SetGate(func(_ context.Context, c *coord.Call) coord.Fate {
		if c.Request.Kind == coord.CallTxn && len(c.Request.Then) == coordOpsMax {
			if cut++; cut > 20 {
				s.cancel()
				return coord.FateBroken
			}
		}
		return coord.FateDone
	})
	if err := s.Apply(ops); err != nil || cut <= 20 {
		t.Fatalf("after %d pieces: %v", cut, err)
	}
	p.quorum.SetGate(nil)
	p.all = p.all[1:]
	if err := last.Refresh(t.Context()); err != nil || len(last.Topics()) != n {
		t.Errorf("%d topics: %v", len(last.Topics()), err)
	}
	if kvs, _, err := p.quorum.Range(t.Context(), coordRest); err != nil || len(kvs) != 1 {
		t.Fatalf("%d written down: %v", len(kvs), err)
	}
	var wg sync.WaitGroup
	for i, c := range p.all {
		wg.Go(func() {
			if _, err := c.Create(TopicSpec{Name: fmt.Sprintf("new%d", i), Partitions: 1}, false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if kvs, _, err := p.quorum.Range(t.Context(), coordRest); err != nil || len(kvs) != 0 {
		t.Errorf("%d written down still: %v", len(kvs), err)
	}
	p.same()
	if len(b.Topics()) != n+partySize-1 {
		t.Errorf("%d topics", len(b.Topics()))
	}
	if starts, err := b.LogStarts(b.SlotOf(8)); err != nil || len(starts) != n/testSlots || starts[8] != 7 {
		t.Errorf("%d log starts, %d: %v", len(starts), starts[8], err)
	}
}

// What others change is taken in without reading everything, whatever it is.
func TestSharedTakesInWhatChanged(t *testing.T) {
	p := newParty(t, 2)
	a, b := p.all[0], p.all[1]
	before := p.quorum.Usage()[coord.CallRange]
	settings := DefaultQueueSettings()
	for _, step := range []func() error{
		func() error { _, err := a.Create(TopicSpec{Name: "a", Partitions: 3}, false); return err },
		func() error { _, err := a.AddPartitions("a", 5, false); return err },
		func() error { _, _, err := a.CreateQueue(QueueSpec{Name: "q", Settings: settings}, 1); return err },
		func() error {
			_, _, err := a.AlterQueue("q", 2, func(s *QueueSpec) error { s.Settings.Retention *= 2; return nil })
			return err
		},
		func() error { _, err := a.Delete("a"); return err },
		func() error { _, err := a.Create(TopicSpec{Name: "a", Partitions: 1}, false); return err },
		func() error {
			_, err := a.Delete("a")
			_, again := a.Create(TopicSpec{Name: "a", Partitions: 2}, false)
			return errors.Join(err, again)
		},
		func() error { _, err := a.PutUser("u", func(*user.User, bool) error { return nil }); return err },
		func() error { _, err := a.DeleteQueue("q"); return err },
		func() error { return a.DeleteUser("u") },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := dumpAll(b), dumpAll(a); got != want {
			t.Fatalf("the other has\n%s\nwant\n%s", got, want)
		}
	}
	if used := p.quorum.Usage()[coord.CallRange] - before; used != 0 {
		t.Errorf("all was read %d times", used)
	}
	p.same()
}

// Who asks at the same time waits for one answer.
func TestSharedRefreshTogether(t *testing.T) {
	p := newParty(t, 1)
	c := p.all[0]
	asked := make(chan struct{})
	p.quorum.SetGate(func(_ context.Context, call *coord.Call) coord.Fate {
		if call.Request.Kind == coord.CallGet {
			<-asked
		}
		return coord.FateDone
	})
	before := p.quorum.Usage()[coord.CallGet]
	var wg sync.WaitGroup
	const n = 50
	began := make(chan struct{}, n)
	for range n {
		wg.Go(func() {
			began <- struct{}{}
			if err := c.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for range n {
		<-began
	}
	close(asked)
	wg.Wait()
	if gets := p.quorum.Usage()[coord.CallGet] - before; gets > n/2 {
		t.Errorf("%d gets", gets)
	}
	p.quorum.SetGate(nil)
}

// BenchmarkSharedFollow is what another broker's topic costs, beside 10,000.
func BenchmarkSharedFollow(b *testing.B) {
	p := newParty(b, 2)
	for i := range 10_000 {
		create(b, p.all[0], fmt.Sprintf("t%d", i), 1)
	}
	if err := p.all[1].Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		create(b, p.all[0], fmt.Sprintf("n%d", i), 1)
		if err := p.all[1].Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
