package kafka

import (
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// recordEpoch is the leader epoch of every record, whoever was the partition's leader when it came. That of a
// record tells followers and clients where to cut off what a former leader had and the next one has not (KIP-101,
// KIP-320); what was acknowledged here, or shown to a client, never goes away, so there is nothing to cut off.
const recordEpoch int32 = 0

// notAsked is what stands where authorized operations could (KIP-430): there is
// no authorizer.
const notAsked int32 = -1 << 31

// visible hides internal topics: their records are the broker's own.
func visible(t *catalog.Topic, err error) (*catalog.Topic, error) {
	if err == nil && t.Internal {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, t.Name)
	}
	return t, err
}

func (s *Server) topic(name string) (*catalog.Topic, error) {
	return visible(s.broker.Topic(name))
}

func (s *Server) topicByID(id wire.UUID) (*catalog.Topic, error) {
	return visible(s.broker.TopicByID(catalog.UUID(id)))
}

// partition finds a partition by its topic's name or, if id is not zero, by
// the topic's id. Where broker.ErrNotOwner is the error it is there too.
func (s *Server) partition(name string, id wire.UUID, index int32) (*broker.Partition, error) {
	var p *broker.Partition
	var err error
	if id == (wire.UUID{}) {
		p, err = s.broker.Partition(name, index)
	} else {
		p, err = s.broker.PartitionByID(catalog.UUID(id), index)
	}
	if err == nil && p.Topic().Internal {
		return nil, fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, name)
	}
	if err == nil {
		err = p.Local()
	}
	return p, err
}

// partitionCode is codeOf where topics are named by id: an unknown one has a
// code of its own (KIP-516).
func partitionCode(err error, byID bool) int16 {
	if byID && errors.Is(err, catalog.ErrUnknownTopic) {
		return codeUnknownTopicID
	}
	return codeOf(err)
}

// epochCode checks the leader epoch that a client believes a partition to be in (KIP-320); -1 is none.
func epochCode(p *broker.Partition, current int32) int16 {
	epoch, err := p.LeaderEpoch()
	switch {
	case err != nil:
		return codeOf(err) // lost since
	case current == -1 || current == epoch:
		return codeNone
	case current < epoch:
		return codeFencedLeaderEpoch
	}
	return codeUnknownLeaderEpoch
}

// listed are the topics that clients see, sorted by name.
func (s *Server) listed() []*catalog.Topic {
	all := s.broker.Topics()
	out := make([]*catalog.Topic, 0, len(all))
	for _, t := range all {
		if !t.Internal {
			out = append(out, t)
		}
	}
	return out
}

// nullable makes "" null.
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// value makes null "".
func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
