package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// RedriveState is how far a redrive is.
type RedriveState string

// States of a redrive. On disk: never rename.
const (
	RedriveRunning    RedriveState = "running"
	RedriveCompleted  RedriveState = "completed"
	RedriveCancelling RedriveState = "cancelling"
	RedriveCancelled  RedriveState = "cancelled"
	RedriveFailed     RedriveState = "failed"
)

// RedriveSpec asks for messages to be moved back from a dead-letter queue.
type RedriveSpec struct {
	From      string
	To        string // "" = where each message came from
	PerSecond int32  // 0 = as fast as it goes
}

// RedriveTask is a redrive that runs, or ran.
type RedriveTask struct {
	ID        string       `json:"id"`
	From      string       `json:"from"`
	To        string       `json:"to,omitempty"`
	PerSecond int32        `json:"per_second,omitempty"`
	State     RedriveState `json:"state"`
	Moved     int64        `json:"moved"`
	ToMove    int64        `json:"to_move"`
	StartedAt int64        `json:"started_at"` // milliseconds since 1970
	Failure   string       `json:"failure,omitempty"`
}

// Errors of redrives.
var (
	ErrRedriveRunning = fault.New(fault.FailedPrecondition, "a redrive of this queue is running")
	ErrUnknownRedrive = fault.New(fault.NotFound, "redrive does not exist")
	ErrRedriveEnded   = fault.New(fault.FailedPrecondition, "the redrive is not running")
)

const (
	redriveNote  = "redrive/"
	redriveBatch = 10
	// redrivesKept is how many ended redrives of a queue are remembered.
	redrivesKept = 10
	// redrivePause is before another try, where the other queue is nobody's.
	redrivePause = time.Second
)

// StartRedrive begins to move messages from a queue to where they came from, or to
// another queue. It goes on after a restart.
func (b *Broker) StartRedrive(spec RedriveSpec) (RedriveTask, error) {
	q, err := b.Queue(spec.From)
	if err != nil {
		return RedriveTask{}, err
	}
	if spec.To != "" {
		if _, err := b.Queue(spec.To); err != nil {
			return RedriveTask{}, err
		}
	}
	return q.backend().StartRedrive(spec)
}

// CancelRedrive stops a redrive; what was moved stays moved.
func (b *Broker) CancelRedrive(id string) (RedriveTask, error) {
	var unseen error // of a queue that may have it
	away := make(map[journal.SlotID]bool)
	for _, q := range b.queues.handles() {
		if away[q.home()] {
			continue // each would be waited for
		}
		t, err := q.backend().CancelRedrive(id)
		switch code := fault.CodeOf(err); {
		case err == nil:
			return t, nil
		case errors.Is(err, ErrUnknownRedrive), errors.Is(err, ErrQueueDeleted):
		case code == fault.Unavailable, code == fault.DeadlineExceeded:
			unseen, away[q.home()] = err, true
		default:
			return t, err
		}
	}
	if unseen != nil {
		return RedriveTask{}, unseen
	}
	return RedriveTask{}, fmt.Errorf("%w: %s", ErrUnknownRedrive, id)
}

// Redrives lists the redrives of a queue, the newest first.
func (b *Broker) Redrives(from string) []RedriveTask {
	q, err := b.Queue(from)
	if err != nil {
		return nil
	}
	list := q.backend().Redrives()
	slices.Reverse(list)
	return list
}

// StartRedrive implements queueBackend.
func (q *openQueue) StartRedrive(spec RedriveSpec) (RedriveTask, error) {
	list := q.Redrives()
	for _, t := range list {
		if t.State == RedriveRunning || t.State == RedriveCancelling {
			return t, fmt.Errorf("%w: %s", ErrRedriveRunning, t.ID)
		}
	}
	st := q.Stats()
	task := RedriveTask{
		ID: rand.Text(), From: spec.From, To: spec.To, PerSecond: spec.PerSecond, State: RedriveRunning,
		ToMove: st.Ready + st.InFlight + st.Delayed, StartedAt: q.b.nowMS(),
	}
	for _, old := range list[:max(0, len(list)-redrivesKept+1)] {
		q.saveNote(redriveNote+old.ID, nil, nil)
	}
	saved := make(chan error, 1)
	q.saveRedrive(task, func(err error) { saved <- err })
	if err := <-saved; err != nil {
		return task, err
	}
	q.t.s.work.Go(func() { q.redrive(task) })
	return task, nil
}

// CancelRedrive implements queueBackend.
func (q *openQueue) CancelRedrive(id string) (RedriveTask, error) {
	t := q.redriveTask(id)
	switch {
	case t.ID == "":
		return t, fmt.Errorf("%w: %s", ErrUnknownRedrive, id)
	case t.State != RedriveRunning:
		return t, fmt.Errorf("%w: %s is %s", ErrRedriveEnded, id, t.State)
	}
	t.State = RedriveCancelling
	saved := make(chan error, 1)
	q.saveRedrive(t, func(err error) { saved <- err })
	return t, <-saved
}

// Redrives implements queueBackend.
func (q *openQueue) Redrives() (list []RedriveTask) {
	q.t.log.Read(func() {
		for _, key := range q.ledger.Notes() {
			var t RedriveTask
			if b, ok := q.ledger.Note(key); ok && strings.HasPrefix(key, redriveNote) && json.Unmarshal(b, &t) == nil {
				list = append(list, t)
			}
		}
	})
	slices.SortStableFunc(list, func(a, b RedriveTask) int { return int(a.StartedAt - b.StartedAt) })
	return list
}

func (q *openQueue) redriveTask(id string) (t RedriveTask) {
	for _, x := range q.Redrives() {
		if x.ID == id {
			t = x
		}
	}
	return t
}

func (q *openQueue) saveRedrive(t RedriveTask, done func(error)) {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	q.saveNote(redriveNote+t.ID, b, done)
}

func (q *openQueue) saveNote(key string, value []byte, done func(error)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.command(queue.SetNote(key, value), done)
}

// resumeRedrives goes on with what a restart interrupted. The queue is new.
func (q *openQueue) resumeRedrives() {
	for _, t := range q.Redrives() {
		switch t.State {
		case RedriveRunning, RedriveCancelling:
			q.t.s.work.Go(func() {
				select {
				case <-q.t.s.serving:
				case <-q.t.s.ctx.Done():
				}
				q.redrive(t)
			})
		}
	}
}

// redrive moves messages until there are none left, or until it is cancelled.
func (q *openQueue) redrive(t RedriveTask) {
	ctx := q.t.s.ctx
	for ctx.Err() == nil {
		if q.redriveTask(t.ID).State != RedriveRunning {
			t.State = RedriveCancelled
			break
		}
		began := time.Now()
		n, err := q.redriveSome(ctx, &t)
		t.Moved += int64(n)
		if err != nil {
			if errors.Is(err, ErrQueueClosed) || ctx.Err() != nil {
				return // the next start goes on
			}
			if passing(err) {
				pauseFor(ctx, q.b.cfg.waits.redrive)
				continue
			}
			t.State, t.Failure = RedriveFailed, err.Error()
			break
		}
		if n == 0 {
			t.State = RedriveCompleted
			break
		}
		q.noteProgress(t)
		if t.PerSecond > 0 {
			pauseFor(ctx, time.Duration(n)*time.Second/time.Duration(t.PerSecond)-time.Since(began))
		}
	}
	if ctx.Err() == nil {
		q.saveRedrive(t, nil)
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// noteProgress saves how much was moved, unless the task was cancelled meanwhile.
func (q *openQueue) noteProgress(t RedriveTask) {
	if q.redriveTask(t.ID).State == RedriveRunning {
		q.saveRedrive(t, nil)
	}
}

// redriveSome moves a few messages. A crash in between may leave one in both
// queues, and never in none.
func (q *openQueue) redriveSome(ctx context.Context, t *RedriveTask) (int, error) {
	limit := redriveBatch
	if t.PerSecond > 0 {
		limit = min(limit, int(t.PerSecond))
	}
	list, err := q.Receive(ctx, ReceiveRequest{Max: limit, Lease: time.Minute})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var moved []queue.Tag
	var back []Delivery
	for i, why := range q.forwardAll(t, list) {
		if why == nil {
			moved = append(moved, list[i].Tag)
			continue
		}
		back, err = append(back, list[i]), why
	}
	giveBack(q, back)
	acked := make(chan error, 1)
	q.Ack(moved, func(errs []error) { acked <- errors.Join(errs...) })
	return len(moved), cmp.Or(<-acked, err)
}

// forwardAll sends messages to where they go, up to the first that goes nowhere, and returns what became of each.
func (q *openQueue) forwardAll(t *RedriveTask, list []Delivery) []error {
	errs := make([]error, len(list))
	var way sync.WaitGroup
	for i := range list {
		target, err := q.redriveTarget(t, &list[i].Record)
		if err != nil {
			copy(errs[i:], slices.Repeat([]error{err}, len(list)-i))
			break
		}
		rec := redriven(&list[i])
		rec.Timestamp = q.b.nowMS()
		way.Add(1)
		target.forward(&rec, laneOf(t, &list[i].Record), func(s Sent) {
			errs[i] = s.Err
			way.Done()
		})
	}
	way.Wait()
	return errs
}

// redriveTarget is where a message goes. Another broker may just have made it.
func (q *openQueue) redriveTarget(t *RedriveTask, rec *record.Record) (*Queue, error) {
	if t.To != "" {
		return q.b.Queue(t.To)
	}
	source, ok := headerValue(rec.Headers, HeaderDeadQueue)
	if !ok {
		return nil, fmt.Errorf("%w: a message does not say which queue it came from", ErrUnknownRedrive)
	}
	return q.b.Queue(string(source))
}

// laneOf is the lane that a message goes back to.
func laneOf(t *RedriveTask, rec *record.Record) int32 {
	b, ok := headerValue(rec.Headers, HeaderDeadPartition)
	if n, err := strconv.ParseInt(string(b), 10, 32); ok && err == nil && t.To == "" {
		return int32(n)
	}
	return 0
}

// redriven is the record without its history, but with its id.
func redriven(d *Delivery) record.Record {
	rec := d.Record
	rec.Headers = slices.DeleteFunc(slices.Clone(rec.Headers), func(h record.HeaderField) bool {
		return strings.HasPrefix(h.Key, deadHeaderPrefix) || h.Key == HeaderID || h.Key == HeaderDue
	})
	rec.Headers = append(rec.Headers, record.HeaderField{Key: HeaderID, Value: []byte(d.ID.String())})
	return rec
}
