package group

import (
	"encoding/binary"
	"fmt"
)

// TypeConsumer is the protocol type whose metadata begins with the topics that
// a member subscribes to. Other types (workers, registries) mean nothing here.
const TypeConsumer = "consumer"

// SubscribedTopics reads the topics from the metadata of a member of a group of
// TypeConsumer: int16 version, int32 count, then for each an int16 length and
// the name (ConsumerProtocolSubscription, all versions). What follows is left
// alone. Errors wrap ErrCorrupt. Memory is bounded by the length of b.
func SubscribedTopics(b []byte) ([]string, error) {
	if len(b) < 6 {
		return nil, fmt.Errorf("%w: subscription of %d bytes", ErrCorrupt, len(b))
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if n < 0 || int(n) > len(b)/2 {
		return nil, fmt.Errorf("%w: %d topics in %d bytes", ErrCorrupt, n, len(b))
	}
	topics := make([]string, n)
	for i := range topics {
		if len(b) < 2 {
			return nil, fmt.Errorf("%w: subscription ends at topic %d of %d", ErrCorrupt, i, n)
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if b = b[2:]; size < 0 || size > len(b) {
			return nil, fmt.Errorf("%w: topic %d has %d bytes of %d", ErrCorrupt, i, size, len(b))
		}
		topics[i], b = string(b[:size]), b[size:]
	}
	return topics, nil
}

// learnSubscriptions notes the topics that the new generation reads.
func (c *Coordinator) learnSubscriptions(g *membership) {
	g.subscribed, g.subscribedKnown = nil, false
	if g.protocolType != TypeConsumer {
		return
	}
	topics := map[string]struct{}{}
	for _, m := range g.order {
		names, err := SubscribedTopics(m.metadata(g.protocol))
		if err != nil {
			return // a dialect of its own: then nothing is known
		}
		for _, t := range names {
			topics[t] = struct{}{}
		}
	}
	g.subscribed, g.subscribedKnown = topics, true
}

// CheckOffsetDelete returns a function that says whether the offsets of a topic
// may be deleted while the group is as it is (nil or ErrGroupSubscribed), or
// ErrNonEmptyGroup if the group's subscriptions cannot be known. For a group
// that is not known here everything may be deleted.
func (c *Coordinator) CheckOffsetDelete(id string) (func(topic string) error, error) {
	g := c.groups[id]
	if g == nil || g.state == Empty {
		return func(string) error { return nil }, nil
	}
	if g.protocolType != TypeConsumer {
		return nil, fmt.Errorf("%w: %q is %v", ErrNonEmptyGroup, id, g.state)
	}
	return func(topic string) error {
		if _, ok := g.subscribed[topic]; ok || !g.subscribedKnown {
			return fmt.Errorf("%w: %q by group %q", ErrGroupSubscribed, topic, id)
		}
		return nil
	}, nil
}
