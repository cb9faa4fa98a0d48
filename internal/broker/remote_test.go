package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// produceTo sends values to partition 0 of a topic.
func produceTo(t *testing.T, b *Broker, topic string, values ...string) []Sent {
	t.Helper()
	var list []NewRecord
	for _, v := range values {
		list = append(list, NewRecord{Timestamp: -1, Value: []byte(v)})
	}
	done := make(chan []Sent, 1)
	if err := b.Produce(t.Context(), topic, nil, list, func(s []Sent) { done <- s }); err != nil {
		t.Fatal(err)
	}
	sent := <-done
	for i, s := range sent {
		if s.Err != nil {
			t.Fatalf("%s: %v", values[i], s.Err)
		}
	}
	return sent
}

// valuesOf reads a partition from an offset on.
func valuesOf(t *testing.T, p *Partition, from record.Offset) (list []string) {
	t.Helper()
	for from < p.HighWatermark() {
		s, err := p.Read(from, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range s.Payloads {
			r, err := record.NewReader(b, p.broker.limits)
			if err != nil {
				t.Fatal(err)
			}
			for rec, ok := r.Next(); ok; rec, ok = r.Next() {
				list = append(list, string(rec.Value))
			}
		}
		from = s.Next
		s.Release()
	}
	return list
}

func mustPartition(t *testing.T, b *Broker, topic string) *Partition {
	t.Helper()
	p, err := b.Partition(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A partition of another broker's does what one that is here does.
func TestRemotePartition(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	here, there := mustPartition(t, a.Broker, "t"), mustPartition(t, b.Broker, "t")
	if here.Local() != nil || !errors.Is(there.Local(), ErrNotOwner) {
		t.Fatal("the partition is at the wrong broker")
	}
	sent := produceTo(t, b.Broker, "t", "one", "two")
	if sent[1].Offset != 1 || there.HighWatermark() != 2 {
		t.Errorf("sent %+v, high watermark %d", sent, there.HighWatermark())
	}
	produceTo(t, a.Broker, "t", "three")
	for _, p := range []*Partition{here, there} {
		if got := valuesOf(t, p, 0); !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("read %q", got)
		}
	}
	at, ms, err := there.OffsetOfMaxTime()
	if wantAt, wantMS, _ := here.OffsetOfMaxTime(); err != nil || at != wantAt || ms != wantMS {
		t.Error(at, ms, err)
	}
	if o, _, err := there.OffsetForTime(0); o != 0 || err != nil {
		t.Error(o, err)
	}
	if n := there.Available(0, 1<<20); n == 0 || n != here.Available(0, 1<<20) || there.SizeBytes() != here.SizeBytes() {
		t.Error(n)
	}
	if _, err := there.Read(9, 100, true); !errors.Is(err, commitlog.ErrOffsetOutOfRange) {
		t.Error(err)
	}
	there.Append(t.Context(), []byte("no batch"), func(_ Appended, err error) {
		if err == nil {
			t.Error("no batch was appended")
		}
	})
	if start, err := there.DeleteRecords(2); err != nil || start != 2 || there.LogStart() != 2 || here.LogStart() != 2 {
		t.Error(start, err)
	}
}

// What another broker refuses of a batch does not take the rest with it, and what a key
// was used for is known before more is appended under it.
func TestRemoteRefusals(t *testing.T) {
	w, _, b := newPair(t)
	w.topic("t", 1)
	send := func(once *Once, list ...NewRecord) (errs []error) {
		t.Helper()
		done := make(chan []Sent, 1)
		if err := b.Produce(t.Context(), "t", once, list, func(s []Sent) { done <- s }); err != nil {
			t.Fatal(err)
		}
		for _, s := range <-done {
			errs = append(errs, s.Err)
		}
		return errs
	}
	future := time.Now().Add(1000 * time.Hour).UnixMilli()
	errs := send(nil, NewRecord{Timestamp: -1, Value: []byte("a")}, NewRecord{Timestamp: future}, NewRecord{Timestamp: -1, Value: []byte("b")})
	if errs[0] != nil || !errors.Is(errs[1], record.ErrInvalidTimestamp) || errs[2] != nil {
		t.Error(errs)
	}
	half := NewRecord{Timestamp: -1, Value: make([]byte, gatherBytesMax-1000)}
	if errs := send(&Once{Key: "k"}, half, half, half); errors.Join(errs...) != nil {
		t.Error(errs)
	}
	if errs := send(&Once{Key: "k"}, half, half, half); errors.Join(errs...) != nil {
		t.Error(errs)
	}
	for _, err := range send(&Once{Key: "k", Digest: [32]byte{9}}, half, half, half) {
		if !errors.Is(err, ErrOnceReused) {
			t.Error(err)
		}
	}
	if high := mustPartition(t, b.Broker, "t").HighWatermark(); high != 5 {
		t.Error("high watermark ", high)
	}
}

// Who watches a partition of another broker's hears of records, of a move, and of the end.
func TestRemoteWatch(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	there := mustPartition(t, b.Broker, "t")
	news := NewWaiter()
	there.Watch(news, 7)
	until := func(what string, ok func() bool) {
		t.Helper()
		for !ok() {
			select {
			case <-news.C():
			case <-time.After(10 * time.Second):
				t.Fatal("nobody told of ", what)
			}
			if got := news.Dirty(nil); len(got) > 1 || len(got) == 1 && got[0] != 7 {
				t.Fatal("news of ", got)
			}
		}
	}
	remote := there.backend().(*remotePartition)
	until("the beginning", remote.told.Load)
	for i := range 5 {
		produceTo(t, a.Broker, "t", "x")
		until("a record", func() bool { return remote.high.Load() == int64(i)+1 })
	}
	w.give(there.Slot(), b)
	until("the move", func() bool { return there.Local() == nil })
	produceTo(t, b.Broker, "t", "y")
	w.give(there.Slot(), a)
	until("the move back", func() bool { return there.Local() != nil })
	remote = there.backend().(*remotePartition)
	until("the new owner", remote.told.Load)
	b.cut()
	until("the cut", func() bool { return !remote.told.Load() })
	produceTo(t, a.Broker, "t", "z")
	until("a record after the cut", func() bool { return remote.high.Load() == 7 })
	there.Unwatch(news, 7)
	if remote.told.Load() {
		t.Error("it is told though nobody watches")
	}
}

// mover moves a slot to and fro, the next time when step has come.
func (w *pair) mover(slot journal.SlotID, times int, cut bool) (step chan struct{}, done chan struct{}) {
	step, done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := range times {
			<-step
			w.give(slot, w.nodes[int32(2-i%2)])
			if cut {
				w.nodes[2].cut()
			}
		}
	}()
	return step, done
}

// Records that one caller appends stay in their order while the slot moves, though it does
// not wait for one before the next.
func TestRemoteOrderWhileMoving(t *testing.T) {
	w, _, b := newPair(t)
	w.topic("t", 1)
	there := mustPartition(t, b.Broker, "t")
	step, moved := w.mover(there.Slot(), 10, false)
	const n, window = 3000, 100
	outcomes := make(chan Sent, n)
	room := make(chan struct{}, window)
	for i := range n {
		if i%(n/20) == 0 {
			select {
			case step <- struct{}{}:
			case <-moved:
			default: // it still moves
			}
		}
		room <- struct{}{}
		v := []byte(fmt.Sprint(i))
		err := b.Produce(t.Context(), "t", nil, []NewRecord{{Timestamp: -1, Value: v}}, func(s []Sent) {
			outcomes <- s[0]
			<-room
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	for range n {
		if s := <-outcomes; s.Err != nil {
			failed++
			if !errors.Is(s.Err, ErrNotOwner) && !errors.Is(s.Err, peer.ErrUnknownOutcome) {
				t.Error(s.Err)
			}
		}
	}
	got := valuesOf(t, there, 0)
	last := -1
	for _, v := range got {
		i, err := strconv.Atoi(v)
		if err != nil || i <= last {
			t.Fatalf("%s after %d, %q", v, last, got)
		}
		last = i
	}
	if len(got) < n-failed {
		t.Errorf("%d are there, %d of %d failed", len(got), failed, n)
	}
	t.Logf("%d are there, %d of %d failed", len(got), failed, n)
	close(step)
	<-moved
}

func sendTo(t *testing.T, q *Queue, values ...string) {
	t.Helper()
	var msgs []Message
	for _, v := range values {
		msgs = append(msgs, Message{Value: []byte(v), Delay: -1})
	}
	done := make(chan []Sent, 1)
	q.Send(t.Context(), msgs, func(s []Sent) { done <- s })
	for _, s := range <-done {
		if s.Err != nil {
			t.Fatal(s.Err)
		}
	}
}

func receiveFrom(t *testing.T, q *Queue, req ReceiveRequest) []Delivery {
	t.Helper()
	list, err := q.Receive(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func tagsOf(list []Delivery) (tags []queue.Tag) {
	for i := range list {
		tags = append(tags, list[i].Tag)
	}
	return tags
}

func settled(t *testing.T, f func(done func([]error))) {
	t.Helper()
	done := make(chan []error, 1)
	f(func(errs []error) { done <- errs })
	if err := errors.Join(<-done...); err != nil {
		t.Fatal(err)
	}
}

// A change of a queue looks for another one, that nobody knows or that a broker made a moment ago.
func TestAlteredQueueLooksForAnother(t *testing.T) {
	_, a, b := newPair(t)
	for _, name := range []string{"q", "dead"} {
		if _, err := a.CreateQueue(catalog.QueueSpec{Name: name, Settings: catalog.DefaultQueueSettings()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		want error
	}{{"dead", nil}, {"none", catalog.ErrUnknownQueue}} {
		ended := make(chan error, 1)
		go func() {
			_, err := b.AlterQueue("q", func(s *catalog.QueueSpec) error {
				_, err := b.FindQueue(c.name)
				s.Settings.Delay = time.Second
				return err
			})
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("it waits for itself")
		}
	}
}

// A queue of another broker's does what one that is here does.
func TestRemoteQueue(t *testing.T) {
	w, _, _ := newPair(t)
	w.queue("dead", nil)
	q := w.queue("q", func(s *catalog.QueueSettings) { s.DeadLetter, s.AttemptsMax = "dead", 3 })
	if q.local() != nil {
		t.Fatal("the queue is at the wrong broker")
	}
	big := string(bytes.Repeat([]byte("x"), 100_000))
	sendTo(t, q, "a", "b", big, "d")
	if st := q.Stats(); st.Ready != 4 {
		t.Errorf("%+v", st)
	}
	if list, err := q.Peek(10, 1<<20); err != nil || len(list) != 4 || string(list[2].Record.Value) != big {
		t.Error(len(list), err)
	}
	list := receiveFrom(t, q, ReceiveRequest{Max: 10})
	if len(list) != 4 || string(list[0].Record.Value) != "a" || list[0].Attempts != 1 {
		t.Fatalf("%d deliveries", len(list))
	}
	tags := tagsOf(list)
	settled(t, func(done func([]error)) { q.Extend(tags[:1], []time.Duration{time.Hour}, done) })
	settled(t, func(done func([]error)) { q.Ack(tags[:1], done) })
	settled(t, func(done func([]error)) { q.Reject(tags[1:2], done) })
	settled(t, func(done func([]error)) { q.Nack(tags[2:], 0, done) })
	errs := make(chan []error, 1)
	q.Ack([]queue.Tag{{Offset: 99, Attempt: 1}}, func(e []error) { errs <- e })
	if err := (<-errs)[0]; !errors.Is(err, queue.ErrUnknownRecord) {
		t.Error(err)
	}
	dead, err := q.b.Queue("dead")
	if err != nil {
		t.Fatal(err)
	}
	if letters := receiveFrom(t, dead, ReceiveRequest{Max: 10, Wait: 10 * time.Second}); len(letters) != 1 || string(letters[0].Record.Value) != "b" {
		t.Errorf("%d dead letters", len(letters))
	}
	again := receiveFrom(t, q, ReceiveRequest{Max: 10})
	if len(again) != 2 || again[0].Attempts != 2 {
		t.Fatalf("%d deliveries again", len(again))
	}
	q.Ack(tagsOf(again), nil)
	if err := q.Purge(); err != nil {
		t.Error(err)
	}
	if delivered, acked := q.Counts(); delivered != 6 || acked == 0 {
		t.Error(delivered, acked)
	}
	task, err := q.b.StartRedrive(RedriveSpec{From: "dead", To: "q"})
	if err != nil || len(q.b.Redrives("dead")) != 1 {
		t.Error(task, err)
	}
	if _, err := q.b.CancelRedrive("none"); !errors.Is(err, ErrUnknownRedrive) {
		t.Error(err)
	}
}

// As many of a group come together as are there and may, wherever the queue is.
func TestRemoteOrderedQueue(t *testing.T) {
	_, a, b := newPair(t)
	for name, c := range map[string]struct {
		req  ReceiveRequest
		want []string
	}{
		"all":     {ReceiveRequest{Max: 10}, []string{"one", "two", "three"}},
		"bounded": {ReceiveRequest{Max: 10, BytesMax: 1 << 20, Together: true}, []string{"one", "two", "three"}},
		"full":    {ReceiveRequest{Max: 10, BytesMax: 5, Together: true}, []string{"one", "two"}},
		"turns":   {ReceiveRequest{Max: 10, BytesMax: 1 << 20}, []string{"one"}},
	} {
		for at, here := range map[string]*Broker{"here": a.Broker, "away": b.Broker} {
			t.Run(name+" "+at, func(t *testing.T) {
				q := makeQueue(t, here, name+"-"+at, func(s *catalog.QueueSettings) { s.Ordered = true })
				for _, v := range []string{"one", "two", "three"} {
					sendAll(t, q, Message{Key: []byte("g"), Value: []byte(v), Delay: -1})
				}
				wantValues(t, receiveFrom(t, q, c.req), c.want...)
			})
		}
	}
}

// Who waits for a message gets the next one, and keeps none when it gives up.
func TestRemoteReceiveWaits(t *testing.T) {
	w, _, _ := newPair(t)
	q := w.queue("q", nil)
	got := make(chan []Delivery, 1)
	go func() {
		list, _ := q.Receive(context.Background(), ReceiveRequest{Max: 1, Wait: 20 * time.Second})
		got <- list
	}()
	sendTo(t, q, "a")
	if list := <-got; len(list) != 1 {
		t.Fatal("nothing came")
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := q.Receive(ctx, ReceiveRequest{Max: 1, Wait: 20 * time.Second})
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	sendTo(t, q, "b")
	if list := receiveFrom(t, q, ReceiveRequest{Max: 1, Wait: 10 * time.Second}); len(list) != 1 || string(list[0].Record.Value) != "b" {
		t.Error("who gave up has the message")
	}
}

// What one answer cannot carry, for the last of it is long, comes in several.
func TestRemoteReceiveOfMoreThanAnAnswerCarries(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	p, err := a.Partition("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{answerBytesMax - 1<<20, peer.PayloadMax - answerBytesMax + 2<<20} {
		long := record.NewBuilder(record.Zstd)
		long.Append(time.Now().UnixMilli(), nil, make([]byte, size), nil)
		batch, err := long.Build()
		if err != nil {
			t.Fatal(err)
		}
		store(t, p, batch)
	}
	if _, err := a.CreateQueue(catalog.QueueSpec{Name: "view", Topic: "t", Settings: catalog.DefaultQueueSettings()}); err != nil {
		t.Fatal(err)
	}
	q, err := b.Queue("view")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := q.Peek(10, answerBytesMax); err != nil || len(list) != 1 {
		t.Errorf("%d peeked at, %v", len(list), err)
	}
	for i := range record.Offset(2) {
		list, err := q.Receive(t.Context(), ReceiveRequest{Max: 10, Lease: time.Minute, Wait: time.Minute})
		if err != nil || len(list) != 1 || list[0].Record.Offset != i {
			t.Fatalf("%d: received %d, %v", i, len(list), err)
		}
	}
}

// What a broker had leased without end is given back when it is gone; a lease that ends
// is not.
func TestRemoteLeasesEndWithTheSession(t *testing.T) {
	w, _, b := newPair(t)
	q := w.queue("q", nil)
	sendTo(t, q, "a", "b", "c")
	list := receiveFrom(t, q, ReceiveRequest{Max: 2, Lease: -1})
	if len(list) != 2 {
		t.Fatal(len(list))
	}
	settled(t, func(done func([]error)) { q.Ack(tagsOf(list)[:1], done) })
	timed := receiveFrom(t, q, ReceiveRequest{Max: 1, Lease: time.Hour})
	q.Stats() // behind it the owner knows that all of them came
	b.cut()
	again := receiveFrom(t, q, ReceiveRequest{Max: 3, Lease: -1, Wait: 10 * time.Second})
	if len(again) != 1 || string(again[0].Record.Value) != "b" || again[0].Attempts != 2 {
		t.Fatalf("%d deliveries", len(again))
	}
	settled(t, func(done func([]error)) { q.Ack(tagsOf(timed), done) })
	settled(t, func(done func([]error)) { q.Ack(tagsOf(again), done) })
	if st := q.Stats(); st.Ready+st.InFlight != 0 {
		t.Errorf("%+v", st)
	}
}

// A queue keeps all that was acknowledged while its home moves and connections break, and
// delivers nothing that was acked.
func TestRemoteQueueWhileMoving(t *testing.T) {
	w, _, b := newPair(t)
	q := w.queue("q", nil)
	step, moved := w.mover(q.home(), 10, true)
	consumed := make(chan map[string]int, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		acked := make(map[string]int)
		for {
			list, err := q.Receive(ctx, ReceiveRequest{Max: 10, Lease: -1, Wait: 20 * time.Second})
			if ctx.Err() != nil {
				consumed <- acked
				return
			}
			if err != nil {
				continue
			}
			done := make(chan []error, 1)
			q.Ack(tagsOf(list), func(errs []error) { done <- errs })
			for i, err := range <-done {
				if err == nil {
					acked[string(list[i].Record.Value)]++
				}
			}
		}
	}()
	const n = 1000
	var want []string
	for i := range n {
		if i%(n/20) == 0 {
			select {
			case step <- struct{}{}:
			case <-moved:
			default:
			}
		}
		v := fmt.Sprint(i)
		done := make(chan []Sent, 1)
		q.Send(t.Context(), []Message{{Value: []byte(v), Delay: -1}}, func(s []Sent) { done <- s })
		if s := <-done; s[0].Err == nil {
			want = append(want, v)
		}
	}
	close(step)
	<-moved
	for left := int64(1); left > 0; {
		st := q.Stats()
		left = st.Ready + st.InFlight
		if q.b.Owner(q.home()) != b.node {
			b.cut() // what was leased to nobody any more is ready again
		}
	}
	stop()
	acked := <-consumed
	for _, v := range want {
		if acked[v] > 1 {
			t.Errorf("%s was acked %d times", v, acked[v])
		}
	}
	t.Logf("%d of %d were acknowledged, %d acked", len(want), n, len(acked))
	if len(acked) < len(want)*9/10 { // an ack whose outcome is unknown is not counted
		t.Errorf("%d of %d were acked", len(acked), len(want))
	}
}

// Nobody has the slot: who asks waits a while, and then fails; an owner that comes serves it.
func TestNobodyOwnsIt(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	there := mustPartition(t, b.Broker, "t")
	w.take(there.Slot())
	if _, err := there.Read(0, 100, true); !errors.Is(err, ErrNotOwner) {
		t.Error(err)
	}
	sent := make(chan []Sent, 1)
	go b.Produce(context.Background(), "t", nil, []NewRecord{{Timestamp: -1, Value: []byte("x")}}, func(s []Sent) { sent <- s })
	w.give(there.Slot(), a)
	if s := <-sent; s[0].Err != nil {
		t.Error(s[0].Err)
	}
}

// A view that is old leads to a broker that refuses, and the next one does not.
func TestOldView(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	there := mustPartition(t, b.Broker, "t")
	slot := there.Slot()
	w.take(slot)
	w.mu.Lock()
	w.owners[slot] = a.node // it is not
	w.mu.Unlock()
	sent := make(chan []Sent, 2)
	for range 2 {
		go b.Produce(context.Background(), "t", nil, []NewRecord{{Timestamp: -1, Value: []byte("x")}}, func(s []Sent) { sent <- s })
	}
	for refused := false; !refused && len(sent) == 0; runtime.Gosched() {
		there.away.mu.Lock()
		refused = there.away.busy
		there.away.mu.Unlock()
	}
	w.mu.Lock()
	w.owners[slot] = 0
	w.mu.Unlock()
	w.give(slot, a)
	for range 2 {
		if s := <-sent; s[0].Err != nil {
			t.Error(s[0].Err)
		}
	}
	if got := valuesOf(t, there, 0); len(got) != 2 {
		t.Error(got)
	}
}

// How far a group is behind is not known, and not nothing, where nobody says how far the partition goes.
func TestLagOfAPartitionThatNobodyHas(t *testing.T) {
	w, a, b := newPair(t)
	w.topic("t", 1)
	p := mustPartition(t, b.Broker, "t")
	name := "g"
	for b.GroupSlot(name) == p.Slot() {
		name += "g"
	}
	w.give(b.GroupSlot(name), b)
	produceTo(t, a.Broker, "t", "one", "two")
	commit := CommitTopic{Topic: "t", Partitions: []CommitPartition{{Offset: 1, LeaderEpoch: -1}}}
	if err := b.CommitAnywhere(t.Context(), name, commit); err != nil {
		t.Fatal(err)
	}
	w.take(p.Slot())
	if list := b.GroupOffsets(name); len(list) != 1 || list[0].End != -1 || list[0].Lag != -1 {
		t.Errorf("nobody has it: %+v", list)
	}
	w.give(p.Slot(), a)
	until(t, func() bool { return b.GroupOffsets(name)[0].Lag == 1 })
	w.take(p.Slot())
	if list := b.GroupOffsets(name); list[0].End != 2 || list[0].Lag != 1 {
		t.Errorf("it was heard of: %+v", list)
	}
}

// Groups are described, moved and deleted from any broker.
func TestRemoteGroups(t *testing.T) {
	w, _, b := newPair(t)
	w.topic("t", 1)
	produceTo(t, b.Broker, "t", "x", "y")
	ctx := t.Context()
	commit := CommitTopic{Topic: "t", Partitions: []CommitPartition{{Offset: 1, LeaderEpoch: -1, Metadata: "m"}}}
	if err := b.CommitAnywhere(ctx, "g", commit); err != nil {
		t.Fatal(err)
	}
	bad := CommitTopic{Topic: "t", Partitions: []CommitPartition{{Partition: 9}}}
	if err := b.CommitAnywhere(ctx, "g", bad); !errors.Is(err, ErrUnknownPartition) {
		t.Error(err)
	}
	d, offsets, err := b.GroupAnywhere(ctx, "g")
	if err != nil || d.Group != "g" || len(offsets) != 1 || offsets[0].Offset != 1 || offsets[0].Lag != 1 || offsets[0].Metadata != "m" {
		t.Error(d, offsets, err)
	}
	list, err := b.AllGroups(ctx)
	if err != nil || len(list) != 1 || list[0].Group != "g" || list[0].Lag != 1 {
		t.Error(list, err)
	}
	if err := b.DeleteGroupAnywhere(ctx, "g"); err != nil {
		t.Error(err)
	}
	if list, err := b.AllGroups(ctx); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}
