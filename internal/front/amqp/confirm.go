package amqp

import (
	"sync"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// What is known of a published message.
const (
	unconfirmed uint8 = iota
	acked
	nacked
	reported // and the client was told
)

// confirms are those of a channel. The committer settles messages; the connection's writer tells the client of all that
// are settled since it last did.
type confirms struct {
	out     *output
	channel uint16
	count   uint64 // published; of the reader alone

	mu     sync.Mutex // guards what follows
	base   uint64     // the first message that the client was not told of
	states []uint8    // from base on
	late   []uint64   // settled while one before them was not
	noted  bool       // the writer will look
	ended  bool
}

func newConfirms(out *output, channel uint16) *confirms {
	return &confirms{out: out, channel: channel, base: 1}
}

// next is the number of the next message.
func (c *confirms) next() uint64 {
	c.count++
	return c.count
}

// settle takes up what became of a message.
func (c *confirms) settle(seq uint64, ok bool) {
	c.mu.Lock()
	for seq-c.base >= uint64(len(c.states)) {
		c.states = append(c.states, unconfirmed)
	}
	c.states[seq-c.base] = nacked
	if ok {
		c.states[seq-c.base] = acked
	}
	if seq != c.base && c.states[0] == unconfirmed {
		c.late = append(c.late, seq)
	}
	tell := !c.noted && !c.ended
	c.noted = true
	c.mu.Unlock()
	if tell {
		c.out.confirm(c)
	}
}

// end: the channel is closed, and the client wants to know no more.
func (c *confirms) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
}

// report adds what the client was not told. A run of messages that are all confirmed is one ack.
func (c *confirms) report(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noted = false
	if c.ended {
		return b
	}
	n := 0
	for n < len(c.states) && c.states[n] != unconfirmed {
		state, from := c.states[n], n
		for n++; n < len(c.states) && c.states[n] == state; n++ {
		}
		b = c.tell(b, state, c.base+uint64(n-1), n-from > 1)
	}
	c.base += uint64(n)
	c.states = c.states[:copy(c.states, c.states[n:])]
	for _, seq := range c.late {
		if seq < c.base {
			continue
		}
		at := seq - c.base
		b = c.tell(b, c.states[at], seq, false)
		c.states[at] = reported
	}
	c.late = c.late[:0]
	return b
}

func (c *confirms) tell(b []byte, state uint8, seq uint64, multiple bool) []byte {
	switch state {
	case acked:
		return wire.AppendMethodFrame(b, c.channel, &wire.BasicAck{DeliveryTag: seq, Multiple: multiple})
	case nacked:
		return wire.AppendMethodFrame(b, c.channel, &wire.BasicNack{DeliveryTag: seq, Multiple: multiple})
	}
	return b
}

func (ch *channel) confirmSelect(m *wire.ConfirmSelect) error {
	if ch.tx != nil {
		return failedPrecondition("cannot switch from tx to confirm mode")
	}
	if ch.confirms == nil {
		ch.mu.Lock()
		ch.confirms = newConfirms(ch.c.out, ch.id)
		ch.mu.Unlock()
	}
	return ch.answer(m.NoWait, &wire.ConfirmSelectOk{})
}
