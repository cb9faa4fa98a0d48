package broker

import (
	"context"
	"errors"
	"sync"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

const (
	// gatherBytesMax is how much is gathered for a partition while others are on
	// their way; past it, senders wait. A topic with smaller batches has its own.
	gatherBytesMax = 512 << 10
	// appendsMax is how many batches of a partition are on their way at once: one
	// is being committed, one is next.
	appendsMax = 2
)

// batchMemory is what batches were built in and are not any more.
var batchMemory = sync.Pool{New: func() any { return new([]byte) }}

// sender gathers records for one partition into batches.
type sender struct {
	q    *Queue // nil if no queue sends
	part *Partition

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

func newSender(q *Queue, p *Partition) *sender {
	return &sender{q: q, part: p, builder: record.NewBuilder(record.None), space: make(chan struct{})}
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

// addOnce appends records as a batch of their own, unless it was appended before.
func (s *sender) addOnce(ctx context.Context, once *Once, list []outgoing) {
	b := record.NewBuilder(record.None)
	for i := range list {
		b.Append(list[i].timestamp, list[i].key, list[i].value, list[i].headers)
	}
	done := gatheredOf(list)
	batch, err := b.Build()
	if err != nil {
		s.fail(done, err)
		return
	}
	id, sequence := once.producer()
	record.SetProducer(batch, id, 0, sequence)
	s.part.Append(ctx, batch, func(a Appended, err error) {
		if errors.Is(err, commitlog.ErrOutOfOrderSequence) {
			err = ErrOnceReused
		}
		s.settle(done, a, err)
	})
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
		memory := batch[:0] // Append may make another batch of it
		s.part.Append(context.Background(), batch, func(a Appended, err error) {
			if err == nil { // the journal has copied it
				batchMemory.Put(&memory)
			}
			s.appended(list, a, err)
		})
	}
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
