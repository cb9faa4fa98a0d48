package broker

import (
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/statelog"
)

// write sends what is pending to the log, unless something is on its way, in which
// case it follows when that has come back. Caller holds mu.
func (q *openQueue) write() {
	if q.pending() {
		q.urgent = true
		q.push()
	}
}

// writeLater is write for what nobody waits for: it may share a sync with what comes. Caller holds mu.
func (q *openQueue) writeLater() {
	if q.pending() {
		q.push()
	}
}

func (q *openQueue) pending() bool { return q.core.Pending() || len(q.own) > 0 || len(q.after) > 0 }

// hurry lets what is on its way not wait for others any more. Caller holds mu.
func (q *openQueue) hurry() {
	if q.writing && q.lazy {
		q.lazy = false
		q.t.log.Hurry()
	}
}

// push is write, of what is pending for certain. Caller holds mu.
func (q *openQueue) push() {
	if q.writing {
		if q.urgent {
			q.hurry()
		}
		return
	}
	if q.sealed {
		after, why := q.after, q.closed
		q.own, q.after = nil, nil
		go func() {
			for _, f := range after {
				f(why)
			}
		}()
		return
	}
	batch := q.core.Drain()
	n := len(q.own)
	if batch != nil {
		n += len(batch.Commands)
	}
	cmds := make([]statelog.Command, 0, n)
	if batch != nil {
		for _, c := range batch.Commands {
			cmds = append(cmds, statelog.Command{Key: q.key, Value: c})
		}
	}
	for _, c := range q.own {
		cmds = append(cmds, statelog.Command{Key: q.key, Value: c})
	}
	after := q.after
	how := q.t.log.Append
	if q.lazy = !q.urgent; q.lazy {
		how = q.t.log.AppendLater
	}
	q.own, q.after, q.writing, q.urgent = nil, nil, true, false
	settled := func(err error) { q.written(batch, after, err) }
	if len(cmds) == 0 { // nothing to wait for but what came before
		go settled(nil)
		return
	}
	how(cmds, settled)
}

// written takes up that commands are durable and applied, or that they failed.
func (q *openQueue) written(batch *queue.Batch, after []func(error), err error) {
	q.mu.Lock()
	if batch != nil {
		q.core.Settled(batch, err)
	}
	q.writing = false
	if err != nil {
		q.failures.Add(1)
	}
	var done calls
	if len(q.receives) > 0 {
		q.serve(&done)
	}
	q.writeLater() // at once, if some of it is urgent
	if !q.writing {
		q.idle.Broadcast()
	}
	q.mu.Unlock()
	for _, f := range after {
		f(err)
	}
	done.run()
}
