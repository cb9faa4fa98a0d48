package kafka

import (
	"errors"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// Metadata (3), versions 0-13.
//
// Behaviour: topics by name or id (KIP-516), all of them, or none; a topic that
// does not exist is made on the spot if both the server and the request allow
// it. A partition's leader is the broker that has it, and its only replica; while
// nobody has it, it is LEADER_NOT_AVAILABLE. All live brokers are listed, this one
// first; the controller is the one with the lowest number.
//
// Deviations: internal topics are not shown: they hold no records that a Kafka
// client could read. Authorized operations are never given (no authorizer). A
// topic that was just made is in the answer, where Kafka says
// LEADER_NOT_AVAILABLE first.
var _ = answer(wire.KeyMetadata, metadata)

func metadata(c *call, q *wire.MetadataRequest) wire.Response {
	s := c.conn.s
	v := c.conn.view()
	cluster := s.broker.ClusterID()
	resp := &wire.MetadataResponse{
		ClusterId:    &cluster,
		ControllerId: v.controller(), ClusterAuthorizedOperations: notAsked,
	}
	for _, n := range v.nodes {
		resp.Brokers = append(resp.Brokers, wire.MetadataResponseMetadataResponseBroker{NodeId: n.id, Host: n.host, Port: n.port})
	}
	places := v.placing(c.conn)
	if q.Topics == nil || c.version == 0 && len(q.Topics) == 0 {
		for _, t := range s.listed() {
			resp.Topics = append(resp.Topics, describeTopic(t, places))
		}
		return resp
	}
	seen := make(map[string]bool, len(q.Topics))
	for i := range q.Topics {
		t := &q.Topics[i]
		byID := t.TopicId != wire.UUID{}
		if !byID && t.Name != nil && c.version < 12 || byID && c.version >= 12 || t.Name != nil && c.version >= 12 {
			key := value(t.Name)
			if byID {
				key = "\x00" + string(t.TopicId[:]) // no name has that
			}
			if !seen[key] {
				seen[key] = true
				resp.Topics = append(resp.Topics, metadataTopic(c, q, t, places))
			}
			continue
		}
		// Ids before version 12 are in the schema and nowhere else; a topic
		// without name and id names nothing.
		resp.Topics = append(resp.Topics, noTopic(t.Name, t.TopicId, c.note(codeInvalidRequest)))
	}
	return resp
}

// metadataTopic describes one topic that was asked for, or makes it.
func metadataTopic(c *call, q *wire.MetadataRequest, t *wire.MetadataRequestMetadataRequestTopic, places *placing) wire.MetadataResponseMetadataResponseTopic {
	s := c.conn.s
	if t.TopicId != (wire.UUID{}) {
		found, err := s.topicByID(t.TopicId)
		if err != nil {
			return noTopic(nil, t.TopicId, c.note(topicCode(err, true)))
		}
		return describeTopic(found, places)
	}
	name := *t.Name
	found, err := s.topic(name)
	if errors.Is(err, catalog.ErrUnknownTopic) {
		if bad := catalog.CheckTopicName(name); bad != nil {
			err = bad
		} else if q.AllowAutoTopicCreation {
			found, err = visible(s.broker.EnsureTopic(name))
		}
	}
	if err != nil {
		return noTopic(&name, wire.UUID{}, c.note(topicCode(err, false)))
	}
	return describeTopic(found, places)
}

// topicCode is the code of a topic that cannot be described. Of what passes, as when the catalog does not answer, it is the one
// that clients wait upon: librdkafka gives up what it has to send to a topic when it meets another.
func topicCode(err error, byID bool) int16 {
	return storageAs(codeLeaderNotAvailable, partitionCode(err, byID))
}

func noTopic(name *string, id wire.UUID, code int16) wire.MetadataResponseMetadataResponseTopic {
	return wire.MetadataResponseMetadataResponseTopic{
		ErrorCode: code, Name: name, TopicId: id, TopicAuthorizedOperations: notAsked,
	}
}

func describeTopic(t *catalog.Topic, places *placing) wire.MetadataResponseMetadataResponseTopic {
	out := wire.MetadataResponseMetadataResponseTopic{
		Name: &t.Name, TopicId: wire.UUID(t.ID), TopicAuthorizedOperations: notAsked,
		Partitions: make([]wire.MetadataResponseMetadataResponsePartition, len(t.Partitions)),
	}
	for i := range out.Partitions {
		at := places.of(t, int32(i))
		out.Partitions[i] = wire.MetadataResponseMetadataResponsePartition{
			ErrorCode: at.code, PartitionIndex: int32(i), LeaderId: at.leader, LeaderEpoch: at.epoch, ReplicaNodes: at.replicas, IsrNodes: at.replicas,
		}
	}
	return out
}
