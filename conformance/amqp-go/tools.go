package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/narumq/naru/conformance/check"
	amqp "github.com/rabbitmq/amqp091-go"
)

type (
	table = amqp.Table
	pub   = amqp.Publishing
)

// patience is how long a check waits for what has to come.
const patience = 30 * time.Second

type suite struct {
	check.Suite
	url string
}

// test is one check: what it opened and declared goes when it ends.
type test struct {
	ctx         context.Context
	url         string
	prefix      string
	names       int
	connections []*amqp.Connection
	queues      []string
	exchanges   []string
}

// failure is what a check panics with; other panics are bugs of the suite.
type failure struct{ error }

var number int

func (s *suite) run(title string, f func(*test)) {
	number++
	prefix := fmt.Sprintf("amqp-go-%d-%d-%d-", os.Getpid(), time.Now().Unix(), number)
	s.Run(title, func(ctx context.Context) (err error) {
		t := &test{ctx: ctx, url: s.url, prefix: prefix}
		defer func() {
			t.end()
			if r := recover(); r != nil {
				var ok bool
				if err, ok = r.(failure); !ok {
					panic(r)
				}
			}
		}()
		f(t)
		return nil
	})
}

func (t *test) end() {
	for _, c := range t.connections {
		_ = c.Close() // some are closed already, as their check meant it
	}
	if len(t.queues)+len(t.exchanges) == 0 {
		return
	}
	c, err := amqp.Dial(t.url)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	ch, err := c.Channel()
	if err != nil {
		return
	}
	for _, q := range t.queues {
		_, _ = ch.QueueDelete(q, false, false, false)
	}
	for _, x := range t.exchanges {
		_ = ch.ExchangeDelete(x, false, false)
	}
}

func (t *test) fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func (t *test) ok(err error) {
	if err != nil {
		t.fail("%w", err)
	}
}

func (t *test) holds(condition bool, format string, args ...any) {
	if !condition {
		t.fail(format, args...)
	}
}

func (t *test) equal(got, want any, what string) {
	if !reflect.DeepEqual(got, want) {
		t.fail("%s: got %.300v, want %.300v", what, got, want)
	}
}

// refused expects an error of the protocol with a code and a text.
func (t *test) refused(err error, code int, pattern string) {
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != code || !e.Server || !regexp.MustCompile(pattern).MatchString(e.Reason) {
		t.fail("got %v, want %d %q", err, code, pattern)
	}
}

func (t *test) connect() *amqp.Connection {
	c, err := amqp.Dial(t.url)
	t.ok(err)
	t.connections = append(t.connections, c)
	return c
}

func (t *test) channelOf(c *amqp.Connection) *amqp.Channel {
	ch, err := c.Channel()
	t.ok(err)
	return ch
}

func (t *test) channel() *amqp.Channel { return t.channelOf(t.connect()) }

func (t *test) name(what string) string {
	t.names++
	return t.prefix + what + strconv.Itoa(t.names)
}

// queue declares an exclusive queue.
func (t *test) queue(ch *amqp.Channel, args table) string {
	q, err := ch.QueueDeclare(t.name("q"), false, false, true, false, args)
	t.ok(err)
	return q.Name
}

// shared declares a durable queue that other connections see.
func (t *test) shared(ch *amqp.Channel, args table) string {
	q, err := ch.QueueDeclare(t.name("q"), true, false, false, false, args)
	t.ok(err)
	t.queues = append(t.queues, q.Name)
	return q.Name
}

func (t *test) exchange(ch *amqp.Channel, kind string, args table) string {
	x := t.name("x")
	t.exchanges = append(t.exchanges, x)
	t.ok(ch.ExchangeDeclare(x, kind, false, false, false, false, args))
	return x
}

func (t *test) bind(ch *amqp.Channel, queue, exchange, key string, args table) {
	t.ok(ch.QueueBind(queue, key, exchange, false, args))
}

func (t *test) send(ch *amqp.Channel, exchange, key string, p pub) {
	t.ok(ch.PublishWithContext(t.ctx, exchange, key, false, false, p))
}

func (t *test) publish(ch *amqp.Channel, queue string, bodies ...string) {
	for _, b := range bodies {
		t.send(ch, "", queue, pub{Body: []byte(b)})
	}
}

// until polls; a broker has no call that waits for what it does in the background.
func (t *test) until(what string, holds func() bool) {
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.fail("not within %v: %s", patience, what)
		}
	}
}

func (t *test) get(ch *amqp.Channel, queue string, autoAck bool) (d amqp.Delivery) {
	t.until("a message in "+queue, func() bool {
		var ok bool
		var err error
		d, ok, err = ch.Get(queue, autoAck)
		t.ok(err)
		return ok
	})
	return d
}

// bodies takes the messages that are wanted, and sees that no other follows.
func (t *test) bodies(ch *amqp.Channel, queue string, want ...string) {
	for _, w := range want {
		t.equal(string(t.get(ch, queue, true).Body), w, queue)
	}
	d, ok, err := ch.Get(queue, true)
	t.ok(err)
	if ok {
		t.fail("%s: after %.200q also %.200q", queue, want, d.Body)
	}
}

func (t *test) inspect(ch *amqp.Channel, queue string) amqp.Queue {
	q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	t.ok(err)
	return q
}

func (t *test) ready(ch *amqp.Channel, queue string, messages int) {
	t.until(fmt.Sprintf("%d messages ready in %s", messages, queue), func() bool { return t.inspect(ch, queue).Messages == messages })
}

func (t *test) consume(ch *amqp.Channel, queue string, autoAck bool, args table) <-chan amqp.Delivery {
	d, err := ch.Consume(queue, t.name("tag"), autoAck, false, false, false, args)
	t.ok(err)
	return d
}

func (t *test) next(from <-chan amqp.Delivery) amqp.Delivery {
	select {
	case d, ok := <-from:
		t.holds(ok, "the consumer ended")
		return d
	case <-time.After(patience):
		t.fail("no delivery for %v", patience)
	}
	return amqp.Delivery{}
}

// quiet expects no delivery for a while.
func (t *test) quiet(from <-chan amqp.Delivery) {
	select {
	case d := <-from:
		t.fail("also delivered: %.200q", d.Body)
	case <-time.After(300 * time.Millisecond):
	}
}

// closed is the error with which the broker closes a channel.
func (t *test) closed(from <-chan *amqp.Error) error {
	select {
	case err := <-from:
		return err
	case <-time.After(patience):
		return errors.New("still open")
	}
}
