package kafka

import (
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// OffsetFetch (9), versions 1-10.
//
// Behaviour: positions of a group, or of several from version 8 on (KIP-709);
// of the partitions named, or of all, each once. -1 where there is none. From version 10 on
// topics are named by id.
//
// Deviations: RequireStable (KIP-447) makes no difference without transactions.
var _ = answer(wire.KeyOffsetFetch, offsetFetch)

func offsetFetch(c *call, q *wire.OffsetFetchRequest) wire.Response {
	resp := new(wire.OffsetFetchResponse)
	if c.version >= 8 {
		resp.Groups = make([]wire.OffsetFetchResponseOffsetFetchResponseGroup, 0, len(q.Groups))
		told := map[string]bool{}
		for i := range q.Groups {
			if g := &q.Groups[i]; !told[g.GroupId] {
				told[g.GroupId] = true
				resp.Groups = append(resp.Groups, fetchGroupOffsets(c, g))
			}
		}
		return resp
	}
	var wanted []broker.WantedTopic
	if q.Topics != nil {
		wanted = make([]broker.WantedTopic, len(q.Topics))
		told := map[partitionName]bool{}
		for i, t := range q.Topics {
			wanted[i] = broker.WantedTopic{Topic: t.Name, Partitions: distinct(told, t.Name, t.PartitionIndexes)}
		}
	}
	topics, err := c.conn.s.broker.FetchOffsets(q.GroupId, wanted)
	resp.ErrorCode = c.groupCode(err)
	if err != nil && c.version < 2 {
		topics = unknownOffsets(wanted)
	}
	for _, t := range topics {
		out := wire.OffsetFetchResponseOffsetFetchResponseTopic{
			Name: t.Topic, Partitions: make([]wire.OffsetFetchResponseOffsetFetchResponsePartition, len(t.Partitions)),
		}
		for j, p := range t.Partitions {
			out.Partitions[j] = wire.OffsetFetchResponseOffsetFetchResponsePartition{
				PartitionIndex: p.Partition, CommittedOffset: int64(p.Offset), CommittedLeaderEpoch: p.LeaderEpoch,
				Metadata: &p.Metadata, ErrorCode: resp.ErrorCode,
			}
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// distinct leaves out partitions that were told already: with the text that is
// stored beside it, a position can be a thousand times as long as its name.
func distinct(told map[partitionName]bool, topic string, indexes []int32) []int32 {
	out := indexes[:0]
	for _, n := range indexes {
		if name := (partitionName{topic, n}); !told[name] {
			told[name] = true
			out = append(out, n)
		}
	}
	return out
}

// unknownOffsets carries an error where version 1 has room for it.
func unknownOffsets(wanted []broker.WantedTopic) []broker.FetchedTopic {
	out := make([]broker.FetchedTopic, len(wanted))
	for i, w := range wanted {
		out[i].Topic = w.Topic
		for _, n := range w.Partitions {
			out[i].Partitions = append(out[i].Partitions, broker.FetchedPartition{Partition: n, Offset: -1, LeaderEpoch: -1})
		}
	}
	return out
}

func fetchGroupOffsets(c *call, q *wire.OffsetFetchRequestOffsetFetchRequestGroup) wire.OffsetFetchResponseOffsetFetchResponseGroup {
	resp := wire.OffsetFetchResponseOffsetFetchResponseGroup{GroupId: q.GroupId}
	byID := c.version >= 10
	var wanted []broker.WantedTopic
	var ids []wire.UUID // of wanted, when by id
	if q.Topics != nil {
		wanted = make([]broker.WantedTopic, 0, len(q.Topics))
	}
	told := map[partitionName]bool{}
	for i := range q.Topics {
		t := &q.Topics[i]
		name := t.Name
		if byID {
			found, err := c.conn.s.topicByID(t.TopicId)
			if err != nil {
				resp.Topics = append(resp.Topics, unknownID(c, t))
				continue
			}
			name = found.Name
			ids = append(ids, t.TopicId)
		}
		wanted = append(wanted, broker.WantedTopic{Topic: name, Partitions: distinct(told, name, t.PartitionIndexes)})
	}
	topics, err := c.conn.s.broker.FetchOffsets(q.GroupId, wanted)
	if err != nil {
		resp.ErrorCode, resp.Topics = c.groupCode(err), nil
		return resp
	}
	for i, t := range topics {
		out := wire.OffsetFetchResponseOffsetFetchResponseTopics{Name: t.Topic}
		switch {
		case byID && q.Topics != nil:
			out.TopicId = ids[i]
		case byID:
			found, err := c.conn.s.topic(t.Topic)
			if err != nil {
				continue // deleted: it has no id to be shown by
			}
			out.TopicId = wire.UUID(found.ID)
		}
		for _, p := range t.Partitions {
			out.Partitions = append(out.Partitions, wire.OffsetFetchResponseOffsetFetchResponsePartitions{
				PartitionIndex: p.Partition, CommittedOffset: int64(p.Offset), CommittedLeaderEpoch: p.LeaderEpoch, Metadata: &p.Metadata,
			})
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func unknownID(c *call, t *wire.OffsetFetchRequestOffsetFetchRequestTopics) wire.OffsetFetchResponseOffsetFetchResponseTopics {
	out := wire.OffsetFetchResponseOffsetFetchResponseTopics{TopicId: t.TopicId}
	code := c.note(partitionCode(catalog.ErrUnknownTopic, true))
	for _, n := range t.PartitionIndexes {
		out.Partitions = append(out.Partitions, wire.OffsetFetchResponseOffsetFetchResponsePartitions{
			PartitionIndex: n, CommittedOffset: -1, CommittedLeaderEpoch: -1, Metadata: new(string), ErrorCode: code,
		})
	}
	return out
}
