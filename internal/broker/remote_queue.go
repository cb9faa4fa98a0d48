package broker

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// remoteQueue stands in for a queue whose home is not open here: it asks the owner.
type remoteQueue struct {
	of    *Queue
	sends *asker // the queue's
}

func newRemoteQueue(q *Queue) *remoteQueue {
	return &remoteQueue{of: q, sends: &q.away}
}

func (r *remoteQueue) body(more func(*encoder)) [][]byte {
	e := &encoder{}
	e.queue(r.of)
	if more != nil {
		more(e)
	}
	return e.payload()
}

// ask is a question about the queue that may take askMax.
func (r *remoteQueue) ask(m peer.Method, more func(*encoder)) (*decoder, error) {
	ctx, cancel := r.of.b.bounded(askMax)
	defer cancel()
	answer, err := r.of.b.askOwner(ctx, r.sends.slot, m, r.body(more)...)
	return &decoder{b: answer}, r.why(err)
}

// here is what to ask instead, once the queue is here.
func (r *remoteQueue) here(err error) queueBackend {
	if now := r.of.backend(); errors.Is(err, errHere) && now != queueBackend(r) {
		return now
	}
	return nil
}

// why is the error of a queue that may be no more.
func (r *remoteQueue) why(err error) error {
	if ended := r.of.ended(); err != nil && ended != nil {
		return ended
	}
	return err
}

// SendOnce implements queueBackend.
func (r *remoteQueue) SendOnce(ctx context.Context, once *Once, msgs []Message, done func([]Sent)) {
	r.sends.ask(&question{ctx: ctx, method: askSend, body: r.body(func(e *encoder) {
		e.once(once)
		e.messages(msgs)
	}), here: r.atHome(func(q *openQueue) { q.SendOnce(ctx, once, msgs, done) }), done: func(answer []byte, err error) {
		done(r.sent(answer, err, len(msgs)))
	}})
}

// atHome does something with the queue once it is here.
func (r *remoteQueue) atHome(f func(*openQueue)) func() bool {
	return func() bool {
		here := r.of.local()
		if here != nil {
			f(here)
		}
		return here != nil
	}
}

// sent is what became of n messages.
func (r *remoteQueue) sent(answer []byte, err error, n int) []Sent {
	if err == nil {
		d := decoder{b: answer}
		list := d.sent()
		if err = d.fail(); err == nil && len(list) == n {
			return list
		}
		err = errors.Join(err, peer.ErrMalformed)
	}
	return slices.Repeat([]Sent{{Err: r.why(err)}}, n)
}

// Forward implements queueBackend.
func (r *remoteQueue) Forward(rec *record.Record, lane int32, done func(Sent)) {
	ctx, cancel := r.of.b.bounded(askMax)
	r.sends.ask(&question{ctx: ctx, method: askForward, body: r.body(func(e *encoder) {
		e.record(rec)
		e.number(int64(lane))
	}), here: r.atHome(func(q *openQueue) {
		cancel()
		q.Forward(rec, lane, done)
	}), done: func(answer []byte, err error) {
		cancel()
		done(r.sent(answer, err, 1)[0])
	}})
}

// Receive implements queueBackend. What was leased for a call whose answer did not come
// is given back by the owner, so that it may ask again.
func (r *remoteQueue) Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error) {
	wait := req.Wait
	if wait < 0 {
		wait = r.of.Meta().Settings.Wait
	}
	until := time.Now().Add(wait)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, err := r.receive(ctx, req)
		if now := r.here(err); now != nil {
			return now.Receive(ctx, req)
		}
		left := time.Until(until)
		if !passing(err) || left <= 0 || r.of.ended() != nil {
			return list, r.why(err)
		}
		req.Wait = left
	}
}

// passing tells whether an error is of a queue that somebody else will have soon.
func passing(err error) bool {
	return errors.Is(err, ErrNotOwner) || errors.Is(err, peer.ErrUnknownOutcome) || errors.Is(err, peer.ErrNotSent)
}

// receive asks once. What comes too late is given back.
func (r *remoteQueue) receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error) {
	type outcome struct {
		list []Delivery
		err  error
	}
	met := make(chan outcome, 1)
	a := asker{b: r.of.b, slot: r.sends.slot}
	a.ask(&question{ctx: ctx, method: askReceive, body: r.body(func(e *encoder) { e.request(&req) }), done: func(answer []byte, err error) {
		d := decoder{b: answer}
		var list []Delivery
		if err == nil {
			list = d.deliveries()
			err = d.fail()
		}
		met <- outcome{list, err}
	}})
	select {
	case o := <-met:
		return o.list, o.err
	case <-ctx.Done():
	}
	go func() { // the owner was asked to end
		if o := <-met; len(o.list) > 0 {
			r.of.GiveBack(o.list)
		}
	}()
	return nil, ctx.Err()
}

// settle asks about deliveries, and does not wait.
func (r *remoteQueue) settle(m peer.Method, tags []queue.Tag, more func(*encoder), done func([]error), here func(queueBackend)) {
	body := r.body(func(e *encoder) {
		e.tags(tags)
		more(e)
	})
	ctx, cancel := r.of.b.bounded(askMax)
	a := &asker{b: r.of.b, slot: r.sends.slot}
	go a.ask(&question{ctx: ctx, method: m, body: body, done: func(answer []byte, err error) {
		cancel()
		if now := r.here(err); now != nil {
			here(now)
			return
		}
		d := decoder{b: answer}
		var errs []error
		if err == nil {
			errs = d.errs()
			if err = d.fail(); err == nil && len(errs) != len(tags) {
				err = peer.ErrMalformed
			}
		}
		if err != nil {
			errs = slices.Repeat([]error{r.why(err)}, len(tags))
		}
		if done != nil {
			done(errs)
		}
	}})
}

// Ack implements queueBackend.
func (r *remoteQueue) Ack(tags []queue.Tag, done func([]error)) {
	r.settle(askAck, tags, func(e *encoder) { e.flag(done == nil) }, done, func(q queueBackend) { q.Ack(tags, done) })
}

// Nack implements queueBackend.
func (r *remoteQueue) Nack(tags []queue.Tag, delay time.Duration, done func([]error)) {
	r.settle(askNack, tags, func(e *encoder) { e.number(int64(delay)) }, done, func(q queueBackend) { q.Nack(tags, delay, done) })
}

// Reject implements queueBackend.
func (r *remoteQueue) Reject(tags []queue.Tag, done func([]error)) {
	r.settle(askReject, tags, func(*encoder) {}, done, func(q queueBackend) { q.Reject(tags, done) })
}

// Extend implements queueBackend.
func (r *remoteQueue) Extend(tags []queue.Tag, leases []time.Duration, done func([]error)) {
	r.settle(askExtend, tags, func(e *encoder) {
		for _, l := range leases {
			e.number(int64(l))
		}
	}, done, func(q queueBackend) { q.Extend(tags, leases, done) })
}

// Peek implements queueBackend.
func (r *remoteQueue) Peek(limit, bytesMax int) ([]Delivery, error) {
	d, err := r.ask(askPeek, func(e *encoder) {
		e.number(int64(limit))
		e.number(int64(min(bytesMax, answerBytesMax)))
	})
	if now := r.here(err); now != nil {
		return now.Peek(limit, bytesMax)
	}
	if err != nil {
		return nil, err
	}
	list := d.deliveries()
	return list, errors.Join(d.err(), d.fail())
}

// Purge implements queueBackend.
func (r *remoteQueue) Purge() error {
	_, err := r.ask(askPurge, nil)
	if now := r.here(err); now != nil {
		return now.Purge()
	}
	return err
}

// PurgeReady implements queueBackend.
func (r *remoteQueue) PurgeReady() error {
	_, err := r.ask(askPurgeReady, nil)
	if now := r.here(err); now != nil {
		return now.PurgeReady()
	}
	return err
}

// Stats implements queueBackend.
func (r *remoteQueue) Stats() (st QueueStats) {
	d, err := r.ask(askStats, nil)
	if now := r.here(err); now != nil {
		return now.Stats()
	}
	if err == nil {
		d.json(&st)
	}
	return st
}

// json is what a rare answer holds; false: it does not.
func (d *decoder) json(into any) bool { return json.Unmarshal(d.bytes(), into) == nil }

func (e *encoder) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	e.bytes(b)
}

// Counts implements queueBackend.
func (r *remoteQueue) Counts() (delivered, acked int64) {
	d, err := r.ask(askCounts, nil)
	if now := r.here(err); now != nil {
		return now.Counts()
	}
	return d.number(), d.number()
}

// AfterBurials implements queueBackend.
func (r *remoteQueue) AfterBurials(done func()) {
	go func() {
		_, err := r.ask(askBurials, nil)
		if now := r.here(err); now != nil {
			now.AfterBurials(done)
			return
		}
		done()
	}()
}

// Redrives implements queueBackend.
func (r *remoteQueue) Redrives() (list []RedriveTask) {
	d, err := r.ask(askRedrives, nil)
	if now := r.here(err); now != nil {
		return now.Redrives()
	}
	if err == nil {
		d.json(&list)
	}
	return list
}

// StartRedrive implements queueBackend.
func (r *remoteQueue) StartRedrive(spec RedriveSpec) (RedriveTask, error) {
	d, err := r.ask(askStartRedrive, func(e *encoder) { e.json(spec) })
	if now := r.here(err); now != nil {
		return now.StartRedrive(spec)
	}
	return d.task(err)
}

// CancelRedrive implements queueBackend.
func (r *remoteQueue) CancelRedrive(id string) (RedriveTask, error) {
	d, err := r.ask(askCancelRedrive, func(e *encoder) { e.text(id) })
	if now := r.here(err); now != nil {
		return now.CancelRedrive(id)
	}
	return d.task(err)
}

func (d *decoder) task(err error) (t RedriveTask, _ error) {
	if err == nil && !d.json(&t) {
		err = peer.ErrMalformed
	}
	return t, err
}
