package broker

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/peer"
)

// letter is a dead letter as it is published: its history is in its headers.
type letter struct {
	namespace, exchange string
	key                 string
	more                []string // keys
	Message
}

// publishLetter publishes a dead letter where the exchanges are. done is called once. It
// goes to no queue where it has been, and in a circle since; where nothing is bound, or
// is, to nowhere.
func (b *Broker) publishLetter(l letter, done func(error)) {
	if b.routing().here() != nil || b.letters.pending.Load() {
		b.askForLetter(l, done)
		return
	}
	b.publishLetterHere(l, done)
}

func (b *Broker) publishLetterHere(l letter, done func(error)) {
	m := &exchange.Message{Key: l.key, CC: l.more, FromBroker: true, Header: func(name string) (exchange.Value, bool) {
		return typedHeader(l.Headers, name)
	}}
	ctx, cancel := context.WithTimeout(context.Background(), forwardTimeout)
	b.publish(ctx, l.namespace, l.exchange, m, l.Message, DeathsOf(l.Headers).Cycle, func(p Published) {
		cancel()
		if errors.Is(p.Err, exchange.ErrNotFound) || errors.Is(p.Err, ErrUnknownNamespace) {
			p.Err = nil // as where nothing is bound: it is dropped
		}
		done(p.Err)
	})
}

// askForLetter lets the owner of the exchanges publish a letter, after those before it.
func (b *Broker) askForLetter(l letter, done func(error)) {
	if b.cfg.Cluster == nil {
		done(ErrNotOwner)
		return
	}
	e := &encoder{}
	e.text(l.namespace)
	e.text(l.exchange)
	e.text(l.key)
	e.unsigned(uint64(len(l.more)))
	for _, key := range l.more {
		e.text(key)
	}
	e.messages([]Message{l.Message})
	ctx, cancel := b.bounded(forwardTimeout)
	here := func() bool {
		if b.routing().here() != nil {
			return false
		}
		cancel()
		b.publishLetterHere(l, done)
		return true
	}
	b.letters.ask(&question{ctx: ctx, method: askPublishLetter, body: e.payload(), here: here, done: func(_ []byte, err error) {
		cancel()
		done(err)
	}})
}

// publishLetter answers askForLetter.
func (s *peerSession) publishLetter(c *peer.Call, d *decoder, first bool) {
	l := letter{namespace: d.text(), exchange: d.text(), key: d.text()}
	for range d.count(1) {
		l.more = append(l.more, d.text())
	}
	list := d.messages()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	if len(list) != 1 {
		d.wrong()
		c.Fail(d.fail())
		return
	}
	l.Message = list[0]
	s.lanes.do(HomeSlot, func() {
		if !s.inTurn(HomeSlot, first, s.b.routing().here() == nil) {
			refuse(c)
			return
		}
		s.b.publishLetterHere(l, func(err error) {
			if nobody(err) { // of one of its queues; others may have got it
				err = fmt.Errorf("%w: %v", ErrNotOwner, err)
			}
			reply(c, &encoder{}, err)
		})
	})
}
