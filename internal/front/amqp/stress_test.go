package amqp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// Publishers and consumers at once, whose channels and connections end again and again: each message that was confirmed is
// acked in the end, and none comes after its ack was taken by the server.
func TestStress(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := newWorld(t)
	setup := w.channel()
	ok(t, setup.ExchangeDeclare("x", "topic", true, false, false, false, nil))
	queues := []string{"a", "b"}
	for _, q := range queues {
		queueOf(t, setup, q, nil)
		ok(t, setup.QueueBind(q, "#", "x", false, nil))
	}
	const publishers, each = 3, 400
	var confirms sync.Map
	var work sync.WaitGroup
	for p := range publishers {
		ch := w.confirming()
		work.Go(func() {
			var waiting []*client.DeferredConfirmation
			for i := range each {
				name := fmt.Sprintf("%d-%d", p, i)
				d, err := ch.PublishWithDeferredConfirmWithContext(context.Background(), "x", "k."+name, false, false, client.Publishing{Body: []byte(name)})
				if err != nil {
					t.Error(err)
					return
				}
				confirms.Store(name, true)
				waiting = append(waiting, d)
			}
			for _, d := range waiting {
				if !d.Wait() {
					t.Error("nacked")
				}
			}
		})
	}
	var seen sync.Map // queue and message: acked and known to be
	left := make(chan struct{}, publishers*each*len(queues))
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	for i := range 4 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		work.Go(func() {
			for ctx.Err() == nil {
				restless(t, ctx, w, queues[i%2], r, &seen, left)
			}
		})
	}
	for n := range publishers * each * len(queues) {
		select {
		case <-left:
		case <-ctx.Done():
			t.Errorf("%d messages were acked, %d are missing", n, publishers*each*len(queues)-n)
			stop()
			work.Wait()
			return
		}
	}
	stop()
	work.Wait()
	for _, q := range queues {
		w.inFlight(q, 0)
		if d, there, err := setup.Get(q, true); there || err != nil {
			t.Errorf("%s has %q left, %v", q, d.Body, err)
		}
		confirms.Range(func(name, _ any) bool {
			if _, ok := seen.Load(q + name.(string)); !ok {
				t.Errorf("%s: %v was not delivered", q, name)
			}
			return true
		})
	}
}

// restless consumes for a while: it acks most, gives some back, and leaves without a word.
func restless(t *testing.T, ctx context.Context, w *world, queue string, r *rand.Rand, seen *sync.Map, left chan<- struct{}) {
	c, err := client.Dial("amqp://" + w.addr + "/")
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	ch, err := c.Channel()
	prefetch := 1 + r.IntN(30)
	if err == nil {
		err = ch.Qos(prefetch, 0, r.IntN(2) == 0)
	}
	if err != nil {
		t.Error(err)
		return
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Error(err)
		return
	}
	for range 50 + r.IntN(200) {
		var d client.Delivery
		select {
		case d = <-deliveries:
		case <-time.After(20 * time.Millisecond): // others may hold what is left, and so may this one
			return
		case <-ctx.Done():
			return
		}
		if _, again := seen.Load(queue + string(d.Body)); again {
			t.Errorf("%s: %s comes after its ack was taken", queue, d.Body)
		}
		switch r.IntN(10) {
		case 0:
			err = d.Nack(false, true)
		case 1:
			if prefetch--; prefetch == 0 { // goes back in the end
				return
			}
		default:
			err = d.Ack(false)
			// A method that is answered tells that the ack was read.
			if err == nil {
				_, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			}
			seen.Store(queue+string(d.Body), true)
			left <- struct{}{}
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}
