package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// declare makes queues new.
func declare(addr string, args amqp.Table, queues []string) error {
	return withChannel(addr, func(ch *amqp.Channel) error {
		for _, q := range queues {
			if _, err := ch.QueueDeclare(q, true, false, false, false, args); err != nil {
				return fmt.Errorf("declare %s: %w", q, err)
			}
		}
		return nil
	})
}

// remove deletes queues when as many messages are in them as should be. Acks may still be on their way.
func remove(ctx context.Context, addr string, queues []string, want int64) error {
	return withChannel(addr, func(ch *amqp.Channel) error {
		held := int64(-1)
		for began := time.Now(); held != want && time.Since(began) < settlePatience; {
			if held >= 0 {
				select {
				case <-time.After(settlePoll):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			held = 0
			for _, q := range queues {
				state, err := ch.QueueDeclarePassive(q, true, false, false, false, nil)
				if err != nil {
					return fmt.Errorf("look at %s: %w", q, err)
				}
				held += int64(state.Messages)
			}
		}
		for _, q := range queues {
			if _, err := ch.QueueDelete(q, false, false, false); err != nil {
				return fmt.Errorf("delete %s: %w", q, err)
			}
		}
		if held != want {
			return fmt.Errorf("the queues hold %d messages, want %d", held, want)
		}
		return nil
	})
}

// settlePatience is how long acks may take to be seen in the counts of queues, which are looked at every settlePoll.
const (
	settlePatience = 10 * time.Second
	settlePoll     = 50 * time.Millisecond
)

func withChannel(addr string, do func(*amqp.Channel) error) error {
	conn, err := dial(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	return do(ch)
}

// names are n queues' names.
func names(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s-%d", prefix, i))
	}
	return list
}

// body writes a number and a time into a message of size bytes.
func body(size int, number int64, at time.Duration) []byte {
	b := make([]byte, size)
	binary.LittleEndian.PutUint64(b, uint64(at))
	binary.LittleEndian.PutUint64(b[8:], uint64(number))
	return b
}

// publishAll publishes up to limit messages, a connection for each queue, until patience is over.
func publishAll(ctx context.Context, addr string, queues []string, limit int64, size, window int, patience time.Duration) (*tally, time.Duration, error) {
	var t tally
	var given atomic.Int64
	errs := make([]error, len(queues))
	var pubs []*publisher
	for range queues {
		p, err := newPublisher(addr, window, nil)
		if err != nil {
			return nil, 0, err
		}
		defer p.close()
		pubs = append(pubs, p)
	}
	began := time.Now()
	var wg sync.WaitGroup
	for i, p := range pubs {
		wg.Go(func() {
			for time.Since(began) < patience {
				n := given.Add(1)
				if n > limit {
					break
				}
				b := body(size, n, 0)
				if errs[i] = p.publish(ctx, queues[i], b); errs[i] != nil {
					return
				}
				t.add(b)
			}
			errs[i] = p.drain(ctx)
		})
	}
	wg.Wait()
	return &t, time.Since(began), errors.Join(errs...)
}

// through publishes as publishAll does, and consumers take and ack all of it meanwhile, a connection for each queue.
func through(ctx context.Context, addr string, queues []string, limit int64, size, window, prefetch int, patience time.Duration) (int64, time.Duration, error) {
	var out tally
	for _, q := range queues {
		c, err := consume(addr, []string{q}, prefetch, out.add)
		if err != nil {
			return 0, 0, err
		}
		defer c.close()
	}
	began := time.Now()
	in, _, err := publishAll(ctx, addr, queues, limit, size, window, patience)
	if err != nil {
		return 0, 0, err
	}
	if err := await(ctx, &out, in.messages.Load()); err != nil {
		return 0, 0, err
	}
	return in.messages.Load(), time.Since(began), out.same(in)
}

// quietPatience is how long nothing may come out of a broker that has messages.
const quietPatience = 30 * time.Second

// await waits until as many messages came out.
func await(ctx context.Context, out *tally, want int64) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for last, since := int64(-1), time.Now(); ; {
		n := out.messages.Load()
		switch {
		case n >= want:
			return nil
		case n != last:
			last, since = n, time.Now()
		case time.Since(since) > quietPatience:
			return fmt.Errorf("nothing comes, %d messages of %d did", n, want)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// paced publishes at a fixed rate whatever the broker does, and measures from the instant when each message was due, not
// published, until a consumer has it: a stall counts against every message that fell due in it.
func paced(ctx context.Context, addr, queue string, perSecond, size, prefetch int, warm, patience time.Duration) (sorted []time.Duration, n int64, err error) {
	var in, out tally
	total := int64(float64(perSecond) * (warm + patience).Seconds())
	took := make([]time.Duration, 0, total)
	epoch := time.Now()
	c, err := consume(addr, []string{queue}, prefetch, func(b []byte) { // one channel, so one at a time
		due := time.Duration(binary.LittleEndian.Uint64(b))
		if due >= warm {
			took = append(took, time.Since(epoch)-due)
		}
		out.add(b)
	})
	if err != nil {
		return nil, 0, err
	}
	p, err := newPublisher(addr, 65_536, nil)
	if err != nil {
		c.close()
		return nil, 0, err
	}
	defer p.close()
	epoch = time.Now()
	for i := range total {
		due := time.Duration(i) * time.Second / time.Duration(perSecond)
		if early := due - time.Since(epoch); early > 0 {
			time.Sleep(early)
		}
		b := body(size, i, due)
		if err := p.publish(ctx, queue, b); err != nil {
			c.close()
			return nil, 0, err
		}
		in.add(b)
	}
	err = errors.Join(p.drain(ctx), await(ctx, &out, total))
	c.close()
	slices.Sort(took)
	return took, total, errors.Join(err, out.same(&in))
}

// trickle keeps one message on its way in each queue: published, confirmed, delivered and acked, then the next. Connections
// publish and consume for as many queues each.
func trickle(ctx context.Context, addr string, queues []string, connections, size int, patience time.Duration) (sorted []time.Duration, n int64, took time.Duration, err error) {
	var in, out tally
	var mu sync.Mutex
	errs := make([]error, connections)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		part := queues[i*len(queues)/connections : (i+1)*len(queues)/connections]
		wg.Go(func() {
			t := &trickler{queues: part, size: size, next: make(chan int, len(part)), in: &in, out: &out}
			errs[i] = t.run(ctx, addr, began, patience)
			mu.Lock()
			defer mu.Unlock()
			sorted = append(sorted, t.took...)
		})
	}
	wg.Wait()
	took = time.Since(began)
	slices.Sort(sorted)
	return sorted, out.messages.Load(), took, errors.Join(append(errs, out.same(&in))...)
}
