package kafka

import (
	"context"
	"fmt"
	"hash/crc32"
	"net"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

func crc32c(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func fetchRequest(topic string, offsets ...int64) *wire.FetchRequest {
	q := new(wire.FetchRequest)
	q.Default()
	q.SessionEpoch = epochFinal
	t := wire.FetchRequestFetchTopic{Topic: topic}
	for i, o := range offsets {
		var p wire.FetchRequestFetchPartition
		p.Default()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = int32(i), o, 1<<20
		t.Partitions = append(t.Partitions, p)
	}
	if len(offsets) > 0 {
		q.Topics = []wire.FetchRequestFetchTopic{t}
	}
	return q
}

// told is an answer as text: partition, error, high watermark, first and last
// offset of the batches.
func told(t testing.TB, r *wire.FetchResponse) string {
	t.Helper()
	s := ""
	if r.ErrorCode != 0 {
		s = fmt.Sprintf("error %d ", r.ErrorCode)
	}
	for _, topic := range r.Responses {
		for _, p := range topic.Partitions {
			s += fmt.Sprintf("%s/%d", topic.Topic, p.PartitionIndex)
			if p.ErrorCode != 0 {
				s += fmt.Sprintf(" error %d", p.ErrorCode)
			}
			s += fmt.Sprintf(" hw %d", p.HighWatermark)
			for _, b := range p.Records {
				for len(b) > 0 {
					h, err := record.Check(b[:min(len(b), batchBytes(t, b))], record.Limits{})
					if err != nil {
						t.Fatal(err)
					}
					s += fmt.Sprintf(" [%d-%d]", h.BaseOffset, h.LastOffset())
					b = b[h.Bytes():]
				}
			}
			s += "; "
		}
	}
	return s
}

func batchBytes(t testing.TB, b []byte) int {
	h, err := record.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	return h.Bytes()
}

func (c *client) fetched(q *wire.FetchRequest, want string) *wire.FetchResponse {
	c.t.Helper()
	r := ask[*wire.FetchResponse](c, 12, q)
	if got := told(c.t, r); got != want {
		c.t.Fatalf("got %q, want %q", got, want)
	}
	return r
}

// put produces n records of a size into a partition.
func (r *rig) put(topic string, index int32, n, valueBytes int) {
	r.t.Helper()
	p, err := r.broker.Partition(topic, index)
	if err != nil {
		r.t.Fatal(err)
	}
	done := make(chan error, 1)
	p.Append(context.Background(), batch(r.t, n, valueBytes), func(_ broker.Appended, err error) { done <- err })
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

func TestFetchWithoutSession(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 3)
	c := rig.dial()
	c.fetched(fetchRequest("t", 0, 0, 0), "t/0 hw 0; t/1 hw 0; t/2 hw 0; ")
	rig.put("t", 0, 3, 10)
	rig.put("t", 0, 2, 10)
	rig.put("t", 2, 1, 10)
	c.fetched(fetchRequest("t", 0, 0, 0), "t/0 hw 5 [0-2] [3-4]; t/1 hw 0; t/2 hw 1 [0-0]; ")
	// From the middle of a batch, the end, and past it.
	c.fetched(fetchRequest("t", 1, 0, 1), "t/0 hw 5 [0-2] [3-4]; t/1 hw 0; t/2 hw 1; ")
	c.fetched(fetchRequest("t", 4), "t/0 hw 5 [3-4]; ")
	c.fetched(fetchRequest("t", 6, -1), "t/0 error 1 hw 5; t/1 error 1 hw 0; ")
	c.fetched(fetchRequest("no", 0), "no/0 error 3 hw -1; ")
	q := fetchRequest("t", 0, 0)
	q.Topics[0].Partitions[0].CurrentLeaderEpoch = 1
	q.Topics[0].Partitions[1].CurrentLeaderEpoch = -2
	c.fetched(q, "t/0 error 75 hw -1; t/1 error 74 hw -1; ")
	p, _ := rig.broker.Partition("t", 0)
	if _, err := p.DeleteRecords(3); err != nil {
		t.Fatal(err)
	}
	c.fetched(fetchRequest("t", 0), "t/0 error 1 hw 5; ")
}

func TestFetchByID(t *testing.T) {
	rig := newRig(t)
	topic := rig.createTopic("t", 1)
	rig.put("t", 0, 1, 10)
	c := rig.dial()
	q := fetchRequest("", 0)
	q.Topics[0].TopicId = wire.UUID(topic.ID)
	r := ask[*wire.FetchResponse](c, 13, q)
	if got := told(t, r); got != "/0 hw 1 [0-0]; " || r.Responses[0].TopicId != wire.UUID(topic.ID) {
		t.Errorf("%q", got)
	}
	q.Topics[0].TopicId[3]++
	if got := told(t, ask[*wire.FetchResponse](c, 18, q)); got != "/0 error 100 hw -1; " {
		t.Errorf("unknown id: %q", got)
	}
	q.Topics[0].TopicId = wire.UUID{}
	if got := told(t, ask[*wire.FetchResponse](c, 18, q)); got != "/0 error 100 hw -1; " {
		t.Errorf("zero id: %q", got)
	}
}

func TestFetchLimits(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 2)
	for range 3 {
		rig.put("t", 0, 1, 1000)
		rig.put("t", 1, 1, 1000)
	}
	c := rig.dial()
	// The first batch comes whatever the limits are, and no other.
	q := fetchRequest("t", 0, 0)
	q.MaxBytes = 1
	c.fetched(q, "t/0 hw 3 [0-0]; t/1 hw 3; ")
	q.MaxBytes = 2500 // two batches fit
	c.fetched(q, "t/0 hw 3 [0-0] [1-1]; t/1 hw 3; ")
	q = fetchRequest("t", 0, 0)
	q.Topics[0].Partitions[0].PartitionMaxBytes = 1
	q.Topics[0].Partitions[1].PartitionMaxBytes = 1
	c.fetched(q, "t/0 hw 3 [0-0]; t/1 hw 3; ")
}

func TestFetchWaits(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 2)
	c := rig.dial()
	q := fetchRequest("t", 0, 0)
	q.MinBytes, q.MaxWaitMs = 1, 60_000
	for session, epoch := range map[string]int32{"none": epochFinal, "full": epochFull} {
		q.SessionEpoch = epoch
		c.send(12, q)
		rig.put("t", 1, 1, 10)
		p, _ := rig.broker.Partition("t", 1)
		want := fmt.Sprintf("t/0 hw 0; t/1 hw %d", p.HighWatermark())
		if got := told(t, c.receive().(*wire.FetchResponse)); len(got) < len(want) || got[:len(want)] != want {
			t.Fatalf("session %s: %q, want %q", session, got, want)
		}
		q.Topics[0].Partitions[1].FetchOffset = int64(p.HighWatermark())
	}
	// No more than max_wait.
	q.MaxWaitMs = 10
	start := time.Now()
	c.fetched(q, "t/0 hw 0; t/1 hw 2; ")
	if d := time.Since(start); d > patience/2 {
		t.Errorf("waited %v", d)
	}
	// min_bytes gathers.
	q.MaxWaitMs, q.MinBytes = 60_000, 1500
	c.send(12, q)
	rig.put("t", 0, 1, 1000)
	rig.put("t", 0, 1, 1000)
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 hw 2 [0-0] [1-1]; t/1 hw 2; " {
		t.Errorf("%q", got)
	}
	// A deleted topic does not wait.
	q = fetchRequest("t", 2)
	q.MinBytes, q.MaxWaitMs = 1, 60_000
	c.send(12, q)
	if err := rig.broker.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 error 3 hw -1; " {
		t.Errorf("%q", got)
	}
}

// next makes q the request that follows r in its session.
func next(q *wire.FetchRequest, r *wire.FetchResponse) *wire.FetchRequest {
	q.SessionId = r.SessionId
	q.SessionEpoch++
	q.Topics, q.ForgottenTopicsData = nil, nil
	return q
}

func TestFetchSession(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 3)
	c := rig.dial()
	q := fetchRequest("t", 0, 0, 0)
	q.SessionEpoch = epochFull
	r := c.fetched(q, "t/0 hw 0; t/1 hw 0; t/2 hw 0; ")
	if r.SessionId == 0 {
		t.Fatal("no session")
	}
	c.fetched(next(q, r), "")
	rig.put("t", 1, 1, 10)
	c.fetched(next(q, r), "t/1 hw 1 [0-0]; ")
	// Not moved on: it comes again.
	c.fetched(next(q, r), "t/1 hw 1 [0-0]; ")
	// Moved on: nothing, until there is more.
	next(q, r)
	q.Topics = fetchRequest("t", 0, 1).Topics
	c.fetched(q, "")
	c.fetched(next(q, r), "")
	rig.put("t", 1, 2, 10)
	rig.put("t", 0, 1, 10)
	c.fetched(next(q, r), "t/1 hw 3 [1-2]; t/0 hw 1 [0-0]; ")
	// Forgotten: not told of any more.
	next(q, r)
	q.ForgottenTopicsData = []wire.FetchRequestForgottenTopic{{Topic: "t", Partitions: []int32{1, 7}}}
	c.fetched(q, "t/0 hw 1 [0-0]; ")
	// A new partition joins, in error until it exists.
	next(q, r)
	q.Topics = fetchRequest("u", 0).Topics
	c.fetched(q, "t/0 hw 1 [0-0]; u/0 error 3 hw -1; ")
	c.fetched(next(q, r), "t/0 hw 1 [0-0]; u/0 error 3 hw -1; ")
	rig.createTopic("u", 1)
	c.fetched(next(q, r), "t/0 hw 1 [0-0]; u/0 hw 0; ")
	c.fetched(next(q, r), "t/0 hw 1 [0-0]; ")

	// The wrong epoch changes nothing; an unknown session is one.
	q.SessionEpoch += 5
	c.fetched(q, "error 71 ")
	q.SessionEpoch -= 5
	c.fetched(next(q, r), "t/0 hw 1 [0-0]; ")
	q.SessionId++
	c.fetched(q, "error 70 ")
	q.SessionId--
	q.SessionEpoch++
	if r := ask[*wire.FetchResponse](c, 13, q); r.ErrorCode != codeSessionTopicID {
		t.Errorf("by id: %d", r.ErrorCode)
	}
	// A full request ends it.
	old := q.SessionId
	q = fetchRequest("t", 0)
	q.SessionId = old
	c.fetched(q, "t/0 hw 1 [0-0]; ")
	if n, parts := rig.server.FetchSessions(); n != 0 || parts != 0 {
		t.Errorf("%d sessions with %d partitions are left", n, parts)
	}
}

// A session that waits on one connection is not another's.
func TestFetchSessionIsOneConnections(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c, d := rig.dial(), rig.dial()
	q := fetchRequest("t", 0)
	q.SessionEpoch = epochFull
	r := c.fetched(q, "t/0 hw 0; ")
	next(q, r)
	q.MinBytes, q.MaxWaitMs = 1, 60_000
	c.send(12, q)
	rig.waiting(1)
	d.fetched(next(q, r), "error 71 ")
	rig.put("t", 0, 1, 1)
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 hw 1 [0-0]; " {
		t.Errorf("%q", got)
	}
	// Now it is free.
	d.fetched(q, "t/0 hw 1 [0-0]; ")
}

// What comes between the first look and the watch is not missed.
func TestFetchLooksAgainOnceItWatches(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	ours, theirs := net.Pipe()
	defer ours.Close()
	x := calls.Get().(*call)
	x.conn, x.version, x.began = newConn(rig.server, theirs), 12, time.Now()
	q := fetchRequest("t", 0)
	q.MinBytes, q.MaxWaitMs = 1, int32(patience.Milliseconds())
	fetch(x, q)
	if x.finished() {
		t.Fatal("it does not wait")
	}
	rig.put("t", 0, 1, 1)
	start := time.Now()
	x.wait()
	if got := told(t, x.resp.(*wire.FetchResponse)); got != "t/0 hw 1 [0-0]; " || time.Since(start) > patience/2 {
		t.Errorf("%q after %v", got, time.Since(start))
	}
	x.sent()
}

func TestFetchSessionEndsWhenEmpty(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	q := fetchRequest("t", 0)
	q.SessionEpoch = epochFull
	r := c.fetched(q, "t/0 hw 0; ")
	next(q, r)
	q.ForgottenTopicsData = []wire.FetchRequestForgottenTopic{{Topic: "t", Partitions: []int32{0}}}
	if r := c.fetched(q, ""); r.SessionId != 0 {
		t.Errorf("session %d goes on", r.SessionId)
	}
	if n, _ := rig.server.FetchSessions(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// A partition that always has more than fits does not starve the others.
func TestFetchSessionTakesTurns(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 4)
	for i := range int32(4) {
		for range 4 {
			rig.put("t", i, 1, 1000)
		}
	}
	c := rig.dial()
	q := fetchRequest("t", 0, 0, 0, 0)
	q.SessionEpoch, q.MaxBytes = epochFull, 1
	r := c.fetched(q, "t/0 hw 4 [0-0]; t/1 hw 4; t/2 hw 4; t/3 hw 4; ")
	for _, i := range []int{1, 2, 3, 0, 1, 2, 3} {
		c.fetched(next(q, r), fmt.Sprintf("t/%d hw 4 [0-0]; ", i))
	}
}

func TestFetchSessionFollowsATopicThatIsMadeAnew(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	q := fetchRequest("t", 0)
	q.SessionEpoch, q.MinBytes, q.MaxWaitMs = epochFull, 1, 60_000
	c.send(12, q)
	rig.put("t", 0, 1, 10)
	r := c.receive().(*wire.FetchResponse)
	next(q, r)
	q.Topics = fetchRequest("t", 1).Topics
	c.send(12, q)
	if err := rig.broker.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 error 3 hw -1; " {
		t.Fatalf("%q", got)
	}
	rig.createTopic("t", 1)
	c.fetched(next(q, r), "t/0 error 1 hw 0; ")
	next(q, r)
	q.Topics, q.MaxWaitMs = fetchRequest("t", 0).Topics, 0
	c.fetched(q, "t/0 hw 0; ")
	q.MaxWaitMs = 60_000
	c.send(12, next(q, r))
	rig.put("t", 0, 1, 10)
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 hw 1 [0-0]; " {
		t.Fatalf("%q", got)
	}
}

func TestFetchSessionsAreLimited(t *testing.T) {
	l := Limits{FetchSessionsMax: 2, FetchPartitionsMax: 5}.withDefaults()
	ss := newSessions(l)
	now := time.Now()
	a, b := ss.create(2, false, now), ss.create(2, false, now)
	if a == nil || b == nil || ss.create(1, false, now) != nil {
		t.Fatal("two sessions are allowed")
	}
	b.set.insert(fetchKey{})
	ss.give(b)
	if code := ss.resized(a, 2); code != codeSessionNotFound {
		t.Errorf("7 partitions: %d", code)
	}
	ss.give(a)
	if n, parts := ss.size(); n > 1 || parts > 2 {
		t.Errorf("%d sessions, %d partitions", n, parts)
	}
	// Unused ones make room after a while, those in use do not.
	ss = newSessions(l)
	a, b = ss.create(1, false, now), ss.create(1, false, now)
	b.set.insert(fetchKey{})
	ss.give(b)
	late := time.Now().Add(l.FetchSessionIdle)
	if c := ss.create(1, false, late); c == nil {
		t.Error("no room")
	}
	if _, code := ss.take(b.id, 1, false); code != codeSessionNotFound {
		t.Errorf("evicted session: %d", code)
	}
	if ss.create(1, false, late) != nil {
		t.Error("a session in use was evicted")
	}
	ss.give(a)
}

// With a thousand partitions in a session, a fetch that is told of one looks at
// one.
func TestFetchSessionCostsWhatIsNew(t *testing.T) {
	rig := newRig(t)
	const n = 1000
	rig.createTopic("t", n)
	c := rig.dial()
	q := fetchRequest("t", make([]int64, n)...)
	q.SessionEpoch = epochFull
	r := ask[*wire.FetchResponse](c, 12, q)
	ss := rig.server.sessions
	ss.mu.Lock()
	set := ss.byID[r.SessionId].set
	ss.mu.Unlock()
	ask[*wire.FetchResponse](c, 12, next(q, r))
	if len(set.queue) != 0 {
		t.Fatalf("%d partitions are queued with nothing new", len(set.queue))
	}
	rig.put("t", 500, 1, 10)
	c.fetched(next(q, r), "t/500 hw 1 [0-0]; ")
	if len(set.queue) != 1 {
		t.Fatalf("%d partitions are queued, one has news", len(set.queue))
	}
}

func TestFetchMemoryShrinksAnswers(t *testing.T) {
	rig := newRig(t, func(c *Config) { c.Limits.FetchMemory = 1 })
	rig.createTopic("t", 1)
	rig.put("t", 0, 1, 1000)
	rig.put("t", 0, 1, 1000)
	rig.dial().fetched(fetchRequest("t", 0), "t/0 hw 2 [0-0]; ")
}
