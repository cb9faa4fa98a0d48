package amqp

import (
	"cmp"
	"slices"
	"sort"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/queue"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// delivery waits to be settled.
type delivery struct {
	tag      uint64
	queue    *broker.Queue // nil: a stream's, of which nothing is settled
	of       queue.Tag
	consumer *consumer // nil: it was got
	settled  bool
}

// unsettled are the deliveries of a channel, by tag.
type unsettled struct {
	list []delivery
	dead int // of list, settled
}

func (u *unsettled) len() int { return len(u.list) - u.dead }

func (u *unsettled) add(d delivery) { u.list = append(u.list, d) }

// find is the place of a tag, or where it would be.
func (u *unsettled) find(tag uint64) (int, bool) {
	i := sort.Search(len(u.list), func(i int) bool { return u.list[i].tag >= tag })
	return i, i < len(u.list) && u.list[i].tag == tag && !u.list[i].settled
}

// take takes a delivery, or all up to it, in their order. Tag 0 with multiple is all.
func (u *unsettled) take(tag uint64, multiple bool) (list []delivery, ok bool) {
	from, to := 0, len(u.list)
	if !multiple || tag != 0 {
		at, ok := u.find(tag)
		if !ok {
			return nil, false
		}
		if to = at + 1; !multiple {
			from = at
		}
	}
	list = make([]delivery, 0, to-from)
	for i := from; i < to; i++ {
		if d := &u.list[i]; !d.settled {
			list = append(list, *d)
			d.settled = true
		}
	}
	u.dead += len(list)
	u.tidy()
	return list, true
}

// tidy forgets what is settled, when that is most of it.
func (u *unsettled) tidy() {
	if u.dead < 64 && u.dead < len(u.list) || 2*u.dead < len(u.list) {
		return
	}
	u.list = slices.DeleteFunc(u.list, func(d delivery) bool { return d.settled })
	u.dead = 0
}

// put makes deliveries unsettled again. It sorts them in together: a transaction may have very many.
func (u *unsettled) put(list []delivery) {
	var forgotten []delivery
	for _, d := range list {
		if i, _ := u.find(d.tag); i < len(u.list) && u.list[i].tag == d.tag {
			u.list[i].settled = false
			u.dead--
		} else {
			forgotten = append(forgotten, d)
		}
	}
	if len(forgotten) > 0 {
		u.list = append(u.list, forgotten...)
		slices.SortFunc(u.list, func(a, b delivery) int { return cmp.Compare(a.tag, b.tag) })
	}
}

func (u *unsettled) takeAll() []delivery {
	list, _ := u.take(0, true)
	return list
}

// settling is how a delivery ends.
type settling uint8

const (
	ack settling = iota
	requeue
	reject
)

// settlement are deliveries of one queue that end alike.
type settlement struct {
	queue *broker.Queue
	tags  []queue.Tag
}

// byQueue parts deliveries by their queues, in order.
func byQueue(to []settlement, list []delivery) []settlement {
	for i := range list {
		d := &list[i]
		if d.queue == nil {
			continue
		}
		at := len(to) - 1
		if at < 0 || to[at].queue != d.queue {
			at = slices.IndexFunc(to, func(s settlement) bool { return s.queue == d.queue })
		}
		if at < 0 {
			at = len(to)
			to = append(to, settlement{queue: d.queue})
		}
		to[at].tags = append(to[at].tags, d.of)
	}
	return to
}

// takeUnsettled takes what an ack names, and gives credit back.
func (ch *channel) takeUnsettled(tag uint64, multiple bool) ([]delivery, error) {
	ch.mu.Lock()
	list, ok := ch.unsettled.take(tag, multiple)
	for i := range list {
		if x := list[i].consumer; x != nil {
			x.unsettled--
			ch.held--
		}
	}
	ch.mu.Unlock()
	if !ok {
		return nil, failedPrecondition("unknown delivery tag %d", tag)
	}
	return list, nil
}

// unsettle undoes takeUnsettled.
func (ch *channel) unsettle(list []delivery) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.unsettled.put(list)
	for i := range list {
		if x := list[i].consumer; x != nil {
			x.unsettled++
			ch.held++
		}
	}
}

// wakeConsumers tells those whose credit has grown. A limit of the channel's is everybody's.
func (ch *channel) wakeConsumers(list []delivery) {
	ch.mu.Lock()
	limited := ch.limit > 0
	var all []*consumer
	if limited {
		all = consumersIn(ch.consumers)
	}
	ch.mu.Unlock()
	var last *consumer
	for i := range list {
		if x := list[i].consumer; x != nil && x != last {
			x.wake()
			last = x
		}
	}
	for _, x := range all {
		x.wake()
	}
}

func (ch *channel) basicAck(m *wire.BasicAck) error {
	list, err := ch.takeUnsettled(m.DeliveryTag, m.Multiple)
	if err != nil {
		return err
	}
	ch.c.s.counters.settled.Add(int64(len(list)))
	if ch.tx != nil {
		return ch.tx.settle(ack, list)
	}
	if len(ch.acks) == 0 {
		ch.c.settling = append(ch.c.settling, ch)
	}
	ch.acks = byQueue(ch.acks, list)
	ch.wakeConsumers(list)
	return nil
}

// handOn hands on what was acked.
func (ch *channel) handOn() {
	for i := range ch.acks {
		s := &ch.acks[i]
		s.queue.Ack(s.tags, nil)
	}
	clear(ch.acks)
	ch.acks = ch.acks[:0]
}

func (ch *channel) basicNack(tag uint64, multiple, again bool) error {
	list, err := ch.takeUnsettled(tag, multiple)
	if err != nil {
		return err
	}
	if err := ch.onlyAcked(list, "basic.nack and basic.reject"); err != nil {
		ch.unsettle(list) // they go back with the channel
		return err
	}
	ch.c.s.counters.settled.Add(int64(len(list)))
	how := reject
	if again {
		how = requeue
	}
	if ch.tx != nil {
		return ch.tx.settle(how, list)
	}
	ch.settle(how, list, nil)
	return nil
}

// settle ends deliveries. done, if there is one, is called when that holds: once, with the first error. A delivery that is
// not in force any more, because its queue was deleted or purged, is no error.
//
// What looks into a queue next finds what was given back, and dead letters that are on their way: the queue may be another broker's.
func (ch *channel) settle(how settling, list []delivery, done func(error)) {
	groups := byQueue(nil, list)
	outcome := &settleOutcome{left: len(groups) + 1, done: done}
	for i := range groups {
		s := &groups[i]
		switch how {
		case ack:
			s.queue.Ack(s.tags, outcome.add)
		case requeue:
			ch.c.window.enter(0)
			s.queue.Nack(s.tags, 0, func(errs []error) {
				outcome.add(errs)
				ch.c.window.exit(0)
			})
		default:
			ch.c.window.enter(0)
			s.queue.Reject(s.tags, func(errs []error) {
				outcome.add(errs)
				s.queue.AfterBurials(func() { ch.c.window.exit(0) })
			})
		}
	}
	outcome.add(nil)
	ch.wakeConsumers(list)
}

// afterBurials lets what looks into a queue next find the dead letters that are on their way from q.
func (c *conn) afterBurials(q *broker.Queue) {
	c.window.enter(0)
	q.AfterBurials(func() { c.window.exit(0) })
}

// giveBack returns what a channel that ends has unsettled.
func (ch *channel) giveBack(list []delivery) {
	for _, s := range byQueue(nil, list) {
		s.queue.Nack(s.tags, 0, func([]error) {})
	}
}

func (ch *channel) basicRecover(again, answer bool) error {
	if !again {
		return refuse(wire.NotImplemented, "requeue=false")
	}
	list, err := ch.takeUnsettled(0, true)
	if err != nil {
		return err
	}
	if err := ch.onlyAcked(list, "basic.recover"); err != nil {
		ch.unsettle(list)
		return err
	}
	ch.settle(requeue, list, nil)
	return ch.answer(!answer, &wire.BasicRecoverOk{})
}
