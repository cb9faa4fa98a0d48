package main

import (
	"context"
	"fmt"
	"time"

	"github.com/narumq/naru/conformance/copies"
	"github.com/narumq/naru/conformance/lives"
)

// end stops the publishers, waits until the consumers have worked off nearly all, and stops them.
func (s *scene) end(ctx context.Context, lossy bool) error {
	s.stopSends()
	s.sends.Wait()
	for deadline := time.Now().Add(45 * time.Second); !lossy && s.left() > 0 && time.Now().Before(deadline); {
		if !lives.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	s.stopReads()
	s.reads.Wait()
	return nil
}

// readRest gets and acks all that is left in any queue, until three times there was nothing, and nothing on its way back.
func (s *scene) readRest(ctx context.Context) error {
	ch, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer ch.close()
	for empty := 0; empty < 3; empty++ {
		if !lives.Sleep(ctx, 2*waitTime+100*time.Millisecond) {
			return ctx.Err()
		}
		for _, q := range queues {
			read := s.readAll
			if q.name == wait {
				read = waiting
			}
			n, err := read(ch, q.name)
			if err != nil {
				return fmt.Errorf("read the rest of %s: %w", q.name, err)
			}
			if n > 0 {
				empty = -1
			}
		}
	}
	return nil
}

// waiting counts what is in a queue that nobody reads.
func waiting(ch *channel, queue string) (int, error) {
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	return q.Messages, err
}

func (s *scene) readAll(ch *channel, queue string) (n int, err error) {
	for {
		d, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			return n, err
		}
		n++
		e := ch.event(copies.Deliver, valueOf(d.Body))
		e.Queue, e.Redelivered, e.Deaths = queue, d.Redelivered, deathsOf(d.Headers)
		s.note(e)
		end := ch.event(copies.Ack, e.Value)
		end.Queue, end.Delivery = queue, e.Delivery
		s.note(end)
		if err := d.Ack(false); err != nil {
			return n, err
		}
	}
}
