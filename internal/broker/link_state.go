package broker

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
)

// linkName says what a link is between. The queue's name is its user's, in the default namespace.
type linkName struct{ topic, queue string }

// key is that of the link's commands on the routing's log: keyLink, the topic's length and name, the queue's name. On disk:
// never change.
func (n linkName) key() []byte {
	key := binary.AppendUvarint([]byte{keyLink}, uint64(len(n.topic)))
	return append(append(key, n.topic...), n.queue...)
}

func parseLinkName(key []byte) (n linkName, err error) {
	size, at := binary.Uvarint(key[1:])
	if at <= 0 || size > uint64(len(key)-1-at) {
		return n, fmt.Errorf("%w: name of a topic cut short", exchange.ErrMalformed)
	}
	rest := key[1+at:]
	return linkName{string(rest[:size]), string(rest[size:])}, nil
}

// linkState is how far a link has come. On disk: linkMade or linkProgress, the topic's id, then uvarints: the queue's id, how many
// partitions, and for each the first offset that is not in the queue.
type linkState struct {
	topic catalog.UUID
	queue uint64
	next  []record.Offset
}

// What a command says of a link. On disk: never renumber.
const (
	linkMade     = 1 // it is there, whatever was before
	linkProgress = 2 // it has come further; nothing if it is not there any more
)

func (s *linkState) encode(kind byte) []byte {
	b := append([]byte{kind}, s.topic[:]...)
	b = binary.AppendUvarint(b, s.queue)
	b = binary.AppendUvarint(b, uint64(len(s.next)))
	for _, o := range s.next {
		b = binary.AppendUvarint(b, uint64(o))
	}
	return b
}

func parseLinkState(b []byte) (s linkState, err error) {
	bad := fmt.Errorf("%w: state of a link, %d bytes", exchange.ErrMalformed, len(b))
	if len(b) < 1+len(s.topic) {
		return s, bad
	}
	if b[0] != linkMade && b[0] != linkProgress {
		return s, fmt.Errorf("%w: state of a link of kind %d", exchange.ErrMalformed, b[0])
	}
	b = b[1+copy(s.topic[:], b[1:]):]
	number := func() (n uint64) {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			b, err = nil, bad
			return 0
		}
		b = b[size:]
		return n
	}
	s.queue = number()
	count := number()
	if count > uint64(len(b)) { // each takes a byte
		return s, bad
	}
	for range count {
		s.next = append(s.next, record.Offset(number()&(1<<63-1)))
	}
	if len(b) > 0 {
		err = bad
	}
	return s, err
}

// applyLink carries out a command of a link. Caller holds mu.
func (r *routing) applyLink(key, value []byte) error {
	name, err := parseLinkName(key)
	if err != nil {
		return err
	}
	if value == nil {
		delete(r.links, name)
		return nil
	}
	state, err := parseLinkState(value)
	if err != nil {
		return err
	}
	if value[0] == linkMade {
		r.links[name] = newLink(r.s, name, state)
	} else if l := r.links[name]; l != nil {
		l.replay(state)
	}
	return nil
}
