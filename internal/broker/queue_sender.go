package broker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	// gatherBytesMax is how much is gathered for a partition while others are on
	// their way; past it, senders wait. A topic with smaller batches has its own.
	gatherBytesMax = 512 << 10
	// batchBytesKept is the largest batch whose memory is kept for others.
	batchBytesKept = 2 << 20
	// appendsMax is how many batches of a partition are on their way at once: one
	// is being committed, one is next.
	appendsMax = 2
)

// batchMemory is what batches were built in and are not any more.
var batchMemory = sync.Pool{New: func() any { return new([]byte) }}

// sender gathers records for one partition into batches.
type sender struct {
	q    *openQueue // nil if no queue sends
	part *Partition
	// own, of a partition in the home of q, is where it was when q was opened: what q has
	// taken must not be appended past its end, when another owner knows nothing of it.
	own partitionBackend

	mu       sync.Mutex // guards what follows; held for memory work only
	builder  *record.Builder
	list     []gathered
	appends  int  // batches on their way
	flushing bool // somebody is in flush
	space    chan struct{}
	answers  []answer // with dedup ids, in the order of the log
	noting   bool     // somebody is in note
}

// answer is the outcome of a batch.
type answer struct {
	list []gathered
	sent []Sent
}

func newSender(q *openQueue, p *Partition) *sender {
	s := &sender{q: q, part: p, builder: record.NewBuilder(record.None), space: make(chan struct{})}
	if q != nil && p.Slot() == q.t.s.id {
		s.own = &localPartition{Partition: q.t.s.log(p), of: p, in: q.t.s}
	}
	return s
}

// to is where batches are appended.
func (s *sender) to() partitionBackend {
	if s.own != nil {
		return s.own
	}
	return s.part.appendsTo()
}

// add gathers messages, in order.
func (s *sender) add(ctx context.Context, list []outgoing) {
	bytesMax := min(gatherBytesMax, int(s.part.Topic().Settings.MaxMessageBytes))
	s.mu.Lock()
	for i := range list {
		o := &list[i]
		for size := o.batchBytes(); s.builder.Len() > 0 && s.builder.Bytes()+size > bytesMax; {
			s.startFlush()
			space := s.space
			s.mu.Unlock()
			select {
			case <-space:
			case <-ctx.Done():
				s.fail(gatheredOf(list[i:]), ctx.Err())
				return
			}
			s.mu.Lock()
		}
		if s.builder.Len() == 0 {
			s.builder.Use(*batchMemory.Get().(*[]byte))
		}
		// What is wrong with one message must not stop the others of the batch.
		if err := s.builder.Check(o.timestamp, o.key, o.value, o.headers); err != nil {
			o.call.results[o.index].Err = err
			s.mu.Unlock()
			s.fail(gatheredOf(list[i:i+1]), err)
			s.mu.Lock()
			continue
		}
		s.builder.Append(o.timestamp, o.key, o.value, o.headers)
		s.list = append(s.list, o.gathered)
	}
	start := s.mayFlush()
	s.mu.Unlock()
	if start {
		s.flush()
	}
}

// addOnce appends records as batches of their own, unless they were appended before.
func (s *sender) addOnce(ctx context.Context, once *Once, list []outgoing) {
	bytesMax := min(gatherBytesMax, int(s.part.Topic().Settings.MaxMessageBytes))
	var reused atomic.Bool // then no further batch may be appended
	for number := 0; len(list) > 0; number++ {
		n, size := 1, record.HeaderBytes+list[0].batchBytes()
		for ; n < len(list) && size+list[n].batchBytes() <= bytesMax; n++ {
			size += list[n].batchBytes()
		}
		if reused.Load() {
			s.fail(gatheredOf(list), ErrOnceReused)
			return
		}
		told := s.addBatchOnce(ctx, once, number, list[:n], &reused)
		list = list[n:]
		if _, here := s.to().(*localPartition); !here && len(list) > 0 {
			select {
			case <-told:
			case <-ctx.Done():
				s.fail(gatheredOf(list), ctx.Err())
				return
			}
		}
	}
}

// addBatchOnce appends the batch of that number. If the key was used for something
// else, that is known before Append returns; of another broker's partition, when told is
// closed.
func (s *sender) addBatchOnce(ctx context.Context, once *Once, number int, list []outgoing, reused *atomic.Bool) (told chan struct{}) {
	told = make(chan struct{})
	b := record.NewBuilder(record.None)
	for i := range list {
		b.Append(list[i].timestamp, list[i].key, list[i].value, list[i].headers)
	}
	done := gatheredOf(list)
	batch, err := b.Build()
	if err != nil {
		s.fail(done, err)
		close(told)
		return told
	}
	id, sequence := once.producer(number)
	record.SetProducer(batch, id, 0, sequence)
	s.to().Append(ctx, batch, func(a Appended, err error) {
		if errors.Is(err, commitlog.ErrOutOfOrderSequence) {
			err = ErrOnceReused
			reused.Store(true)
		}
		s.settle(done, a, err)
		close(told)
	})
	return told
}

func gatheredOf(list []outgoing) []gathered {
	out := make([]gathered, len(list))
	for i := range list {
		out[i] = list[i].gathered
	}
	return out
}

// mayFlush takes the right to flush, if that can be done. Caller holds mu.
func (s *sender) mayFlush() bool {
	if s.flushing || s.appends >= appendsMax || s.builder.Len() == 0 {
		return false
	}
	s.flushing = true
	return true
}

func (s *sender) startFlush() {
	if s.mayFlush() {
		go s.flush()
	}
}

// flush appends what is gathered until nothing is, or enough is on its way. Only
// one does it at a time, so batches keep their order.
func (s *sender) flush() {
	for {
		s.mu.Lock()
		if s.builder.Len() == 0 || s.appends >= appendsMax {
			s.flushing = false
			s.mu.Unlock()
			return
		}
		batch, err := s.builder.Build()
		list := s.list
		s.list = make([]gathered, 0, len(list))
		s.appends++
		close(s.space)
		s.space = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			s.appended(list, Appended{}, err)
			continue
		}
		s.append(batch, list)
	}
}

// append appends a batch. If it is refused for one of its records, the halves are
// appended: the others must not fail with it. A batch is refused before Append
// returns, so that the order is kept; but another broker refuses it when others may be
// under way, which then go first.
func (s *sender) append(batch []byte, list []gathered) {
	memory := batch[:0] // Append may make another batch of it
	var state atomic.Int32
	const refused, returned = 1, 2
	s.to().Append(context.Background(), batch, func(a Appended, err error) {
		if len(list) > 1 && (errors.Is(err, record.ErrInvalidTimestamp) || errors.Is(err, record.ErrTooLarge)) {
			if !state.CompareAndSwap(0, refused) {
				go s.halve(batch, list)
			}
			return
		}
		if err == nil && cap(memory) <= batchBytesKept { // the journal has copied it
			batchMemory.Put(&memory)
		}
		s.appended(list, a, err)
	})
	if !state.CompareAndSwap(0, returned) {
		s.halve(batch, list)
	}
}

// halve appends a batch that was refused as two.
func (s *sender) halve(batch []byte, list []gathered) {
	half := len(list) / 2
	first, second, err := split(batch, half, s.part.broker.limits)
	if err != nil {
		s.appended(list, Appended{}, err)
		return
	}
	s.mu.Lock()
	s.appends++ // there are two now
	s.mu.Unlock()
	s.append(first, list[:half])
	s.append(second, list[half:])
}

// split makes two of a batch, of which the first has n records.
func split(batch []byte, n int, lim record.Limits) (first, second []byte, err error) {
	r, err := record.NewReader(batch, lim)
	if err != nil {
		return nil, nil, err
	}
	b := record.NewBuilder(record.None)
	for rec, ok := r.Next(); ok; rec, ok = r.Next() {
		if b.Len() == n && first == nil {
			if first, err = b.Build(); err != nil {
				return nil, nil, err
			}
		}
		b.Append(rec.Timestamp, rec.Key, rec.Value, rec.Headers)
	}
	if err := r.Err(); err != nil {
		return nil, nil, err
	}
	second, err = b.Build()
	return first, second, err
}

// appended answers the calls of a batch. It runs in the committer, in the order
// of the batches if they were appended.
func (s *sender) appended(list []gathered, a Appended, err error) {
	s.mu.Lock()
	s.appends--
	s.startFlush()
	s.mu.Unlock()
	s.settle(list, a, err)
}

// settle answers the calls of a batch.
func (s *sender) settle(list []gathered, a Appended, err error) {
	if err != nil {
		s.fail(list, err)
		return
	}
	sent := make([]Sent, len(list))
	for i := range list {
		o := a.Base + record.Offset(i)
		at := list[i].timestamp
		switch {
		case a.LogAppendTime >= 0:
			at = a.LogAppendTime
		case a.Duplicate:
			at = a.Timestamp
		}
		sent[i] = Sent{Partition: s.part.index, Offset: o, Timestamp: at, ID: newMessageID(s.part.Topic().ID, s.part.index, o), Duplicate: a.Duplicate}
	}
	if s.q != nil && !a.Duplicate {
		s.q.sent.Add(int64(len(list)))
	}
	s.answer(list, sent)
}

func (s *sender) fail(list []gathered, err error) {
	sent := make([]Sent, len(list))
	for i := range sent {
		sent[i].Err = err
	}
	s.answer(list, sent)
}

// answer tells the callers. Where ids are to be noted first, that is done
// elsewhere: the queue's lock may be held by somebody who waits for the committer.
// They are noted in the order of the log, for the last one that was noted says
// where to look for more after a crash.
func (s *sender) answer(list []gathered, sent []Sent) {
	hashed := false
	for i := range list {
		hashed = hashed || list[i].hashed
		if list[i].taken {
			s.q.taken.Add(-1)
		}
	}
	if !hashed {
		finishAll(list, sent)
		return
	}
	s.mu.Lock()
	s.answers = append(s.answers, answer{list, sent})
	start := !s.noting
	s.noting = true
	s.mu.Unlock()
	if start {
		go s.note()
	}
}

func (s *sender) note() {
	for {
		s.mu.Lock()
		if len(s.answers) == 0 {
			s.answers, s.noting = nil, false
			s.mu.Unlock()
			return
		}
		a := s.answers[0]
		s.answers = s.answers[1:]
		s.mu.Unlock()
		s.q.noteSent(queue.Source(s.part.index), a.list, a.sent)
		finishAll(a.list, a.sent)
	}
}

func finishAll(list []gathered, sent []Sent) {
	for i := 0; i < len(list); {
		c, n := list[i].call, 0
		for ; i < len(list) && list[i].call == c; i++ {
			c.results[list[i].index] = sent[i]
			n++
		}
		c.finish(n)
	}
}
