package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeTopicPartitions (75), version 0.
//
// Behaviour: topics, sorted by name, with their partitions and leaders as in Metadata, in pages: an answer
// has a limited number of partitions and says where the next one begins
// (KIP-966).
//
// Deviations: a cursor that makes no sense closes the connection: there is no
// field for an error. Internal topics are not shown.
var _ = serve(wire.KeyDescribeTopicPartitions, describeTopicPartitions)

var errCursor = errors.New("DescribeTopicPartitions: invalid cursor")

func describeTopicPartitions(c *call, q *wire.DescribeTopicPartitionsRequest) {
	from, index := "", int32(0)
	if q.Cursor != nil {
		from, index = q.Cursor.TopicName, q.Cursor.PartitionIndex
	}
	names := namesFrom(c.conn.s, q, from)
	if index < 0 || q.Cursor != nil && len(q.Topics) > 0 && !slices.Contains(names, from) {
		c.fail(fmt.Errorf("%w: topic %.250q partition %d", errCursor, from, index))
		return
	}
	left := max(1, min(c.conn.s.limits.PartitionsPerAnswerMax, int(q.ResponsePartitionLimit)))
	resp := new(wire.DescribeTopicPartitionsResponse)
	places := c.conn.view().placing(c.conn)
	for _, name := range names {
		if left == 0 {
			resp.NextCursor = &wire.DescribeTopicPartitionsResponseCursor{TopicName: name}
			break
		}
		t, err := c.conn.s.topic(name)
		if err == nil {
			err = catalog.CheckTopicName(name)
		}
		if err != nil {
			if len(q.Topics) > 0 {
				resp.Topics = append(resp.Topics, wire.DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic{
					ErrorCode: c.codeOf(err), Name: &name, TopicAuthorizedOperations: notAsked,
				})
			}
			continue
		}
		first := int32(0)
		if name == from {
			first = min(index, int32(len(t.Partitions)))
		}
		n := min(len(t.Partitions)-int(first), left)
		left -= n
		resp.Topics = append(resp.Topics, topicPage(t, first, n, places))
		if next := first + int32(n); int(next) < len(t.Partitions) {
			resp.NextCursor = &wire.DescribeTopicPartitionsResponseCursor{TopicName: name, PartitionIndex: next}
			break
		}
	}
	c.finish(resp)
}

// namesFrom are the names asked for, or all, sorted, each once, from `from` on.
func namesFrom(s *Server, q *wire.DescribeTopicPartitionsRequest, from string) []string {
	var names []string
	for _, t := range q.Topics {
		names = append(names, t.Name)
	}
	if len(q.Topics) == 0 {
		for _, t := range s.listed() {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	i, _ := slices.BinarySearch(names, from)
	return slices.Compact(names[i:])
}

func topicPage(t *catalog.Topic, first int32, n int, places *placing) wire.DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic {
	out := wire.DescribeTopicPartitionsResponseDescribeTopicPartitionsResponseTopic{
		Name: &t.Name, TopicId: wire.UUID(t.ID), TopicAuthorizedOperations: notAsked,
		Partitions: make([]wire.DescribeTopicPartitionsResponseDescribeTopicPartitionsResponsePartition, n),
	}
	for i := range out.Partitions {
		at := places.of(t, first+int32(i))
		out.Partitions[i] = wire.DescribeTopicPartitionsResponseDescribeTopicPartitionsResponsePartition{
			ErrorCode: at.code, PartitionIndex: first + int32(i), LeaderId: at.leader, LeaderEpoch: at.epoch, ReplicaNodes: at.replicas, IsrNodes: at.replicas,
			// Nullable, but the Java client takes null for a list (KIP-966).
			EligibleLeaderReplicas: []int32{}, LastKnownElr: []int32{},
		}
	}
	return out
}
