package amqp

import (
	"strings"
	"sync"

	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Names of direct replies. A consumer of replyQueue gets what is published to the default exchange with the key that
// replaces replyQueue in the reply-to of its channel's messages. Nothing of it is stored.
const (
	replyQueue  = "amq.rabbitmq.reply-to"
	replyPrefix = replyQueue + "."
)

// replies are the consumers of direct replies.
type replies struct {
	mu   sync.RWMutex
	keys map[string]*consumer // guarded by mu
}

func (r *replies) find(key string) *consumer {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.keys[key]
}

func (r *replies) add(x *consumer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil {
		r.keys = make(map[string]*consumer)
	}
	r.keys[x.replyKey] = x
}

func (r *replies) remove(x *consumer) {
	if x != nil {
		r.mu.Lock()
		delete(r.keys, x.replyKey)
		r.mu.Unlock()
	}
}

// declareReply says whether somebody waits for replies under a key.
func (ch *channel) declareReply(name string, m *wire.QueueDeclare) error {
	if name != replyQueue && ch.c.s.replies.find(name) == nil {
		return noQueue(name, ch.c.vhost)
	}
	return ch.answer(m.NoWait, &wire.QueueDeclareOk{Queue: name, ConsumerCount: 1})
}

// consumeReplies makes the channel's consumer of direct replies.
func (ch *channel) consumeReplies(m *wire.BasicConsume) error {
	switch {
	case !m.NoAck:
		return failedPrecondition("reply consumer cannot acknowledge")
	case ch.reply != nil:
		return failedPrecondition("reply consumer already set")
	}
	x, err := ch.newConsumer(m)
	if err != nil {
		return err
	}
	x.replyKey = randomName(replyPrefix)
	ch.reply = x
	ch.enlist(x)
	ch.c.s.replies.add(x)
	return ch.begin(m.NoWait, x)
}

// replaceReplyTo gives a request the key of its channel's consumer.
func (ch *channel) replaceReplyTo(p *publication) error {
	if p.props.ReplyTo != replyQueue {
		return nil
	}
	if ch.reply == nil {
		return failedPrecondition("fast reply consumer does not exist")
	}
	p.props.ReplyTo = ch.reply.replyKey
	return nil
}

// deliverReply hands a reply to the one who waits for it, and tells to how many it went.
func (s *Server) deliverReply(p *publication) int {
	x := s.replies.find(p.key)
	if x == nil || x.ch.c.vhost != p.ch.c.vhost || !strings.HasPrefix(p.key, replyPrefix) {
		return 0
	}
	if x.ch.c.out.crowded() {
		return 0 // who does not read is not waited for
	}
	rec := record.Record{Value: p.body, Headers: p.msg.Headers}
	if !x.deliver(&rec, 1, nil) {
		return 0
	}
	x.ch.c.out.flush()
	return 1
}
