package kafka

import (
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// CreateTopics (19), versions 2-7.
//
// Behaviour: creates each topic, or only says whether it could. Partitions -1
// and replication factor -1 mean the server's default (KIP-464). From version 5
// on the answer has the topic's settings (KIP-525), from 7 on its id.
//
// Deviations: the replication factor is 1, and replicas can only be assigned to
// this node. The timeout is not used: a topic exists when it is answered. A name
// that differs from a topic's only in '.' and '_' is TOPIC_ALREADY_EXISTS.
var _ = answer(wire.KeyCreateTopics, createTopics)

var (
	errRepeated       = fault.New(fault.InvalidArgument, "named more than once in one request")
	errAssignment     = fault.New(fault.InvalidArgument, "invalid replica assignment")
	errReplication    = fault.New(fault.InvalidArgument, "invalid replication factor")
	errNullConfig     = fault.New(fault.InvalidArgument, "a setting needs a value")
	errTooManyEntries = fault.New(fault.ResourceExhausted, "too many topics or resources in one request, at most 10,000 are allowed")
	errContradicts    = fault.New(fault.InvalidArgument, "a manual assignment goes with partitions -1 and replication factor -1")
)

// adminCodes are the codes of errors that only topic administration makes here.
var adminCodes = map[error]int16{
	errRepeated:       codeInvalidRequest,
	errAssignment:     codeInvalidAssignment,
	errReplication:    codeInvalidReplication,
	errNullConfig:     codeInvalidConfig,
	errContradicts:    codeInvalidRequest,
	errTooManyEntries: codePolicyViolation,
}

func createTopics(c *call, q *wire.CreateTopicsRequest) wire.Response {
	resp := new(wire.CreateTopicsResponse)
	count := map[string]int{}
	for i := range q.Topics {
		count[q.Topics[i].Name]++
	}
	for i := range q.Topics {
		t := &q.Topics[i]
		if count[t.Name] == 0 {
			continue // told already
		}
		topic, err := (*catalog.Topic)(nil), errRepeated
		if len(q.Topics) > entriesMax {
			err = errTooManyEntries
		} else if count[t.Name] == 1 {
			topic, err = c.createTopic(t, q.ValidateOnly)
		}
		count[t.Name] = 0
		if err != nil {
			resp.Topics = append(resp.Topics, wire.CreateTopicsResponseCreatableTopicResult{
				Name: t.Name, ErrorCode: c.adminCode(err), ErrorMessage: textOf(err), NumPartitions: -1, ReplicationFactor: -1,
			})
			continue
		}
		resp.Topics = append(resp.Topics, wire.CreateTopicsResponseCreatableTopicResult{
			Name: t.Name, TopicId: wire.UUID(topic.ID), NumPartitions: int32(len(topic.Partitions)), ReplicationFactor: 1,
			Configs: createdConfigs(topic),
		})
	}
	return resp
}

func (c *call) createTopic(t *wire.CreateTopicsRequestCreatableTopic, validateOnly bool) (*catalog.Topic, error) {
	spec := catalog.TopicSpec{Name: t.Name, Partitions: t.NumPartitions, Settings: map[string]string{}}
	switch {
	case len(t.Assignments) > 0:
		if err := c.checkAssignments(t); err != nil {
			return nil, err
		}
		spec.Partitions = int32(len(t.Assignments))
	case t.ReplicationFactor != 1 && t.ReplicationFactor != -1:
		return nil, fmt.Errorf("%w: %d, there is one broker", errReplication, t.ReplicationFactor)
	}
	for _, s := range t.Configs {
		if s.Value == nil {
			return nil, fmt.Errorf("%w: %s", errNullConfig, s.Name)
		}
		spec.Settings[s.Name] = *s.Value
	}
	return c.conn.s.broker.CreateTopic(spec, validateOnly)
}

// checkAssignments accepts this node as the replica of each partition from 0 on.
func (c *call) checkAssignments(t *wire.CreateTopicsRequestCreatableTopic) error {
	if t.NumPartitions != -1 || t.ReplicationFactor != -1 {
		return errContradicts
	}
	seen := make([]bool, len(t.Assignments))
	for _, a := range t.Assignments {
		if a.PartitionIndex < 0 || int(a.PartitionIndex) >= len(seen) || seen[a.PartitionIndex] {
			return fmt.Errorf("%w: partitions are numbered from 0, each once, not %d", errAssignment, a.PartitionIndex)
		}
		seen[a.PartitionIndex] = true
		if err := c.checkReplicas(a.BrokerIds); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) checkReplicas(ids []int32) error {
	if node := c.conn.s.broker.NodeID(); len(ids) != 1 || ids[0] != node {
		return fmt.Errorf("%w: replicas %v, the only broker is %d", errAssignment, ids, node)
	}
	return nil
}

// adminCode is codeOf, with the errors of adminCodes.
func (c *call) adminCode(err error) int16 {
	for own, code := range adminCodes {
		if errors.Is(err, own) {
			return c.note(code)
		}
	}
	return c.codeOf(err)
}

func createdConfigs(t *catalog.Topic) []wire.CreateTopicsResponseCreatableTopicConfigs {
	all := t.Settings.Describe()
	out := make([]wire.CreateTopicsResponseCreatableTopicConfigs, len(all))
	for i := range all {
		d := &all[i]
		out[i] = wire.CreateTopicsResponseCreatableTopicConfigs{
			Name: d.Name, Value: &d.Value, ReadOnly: d.ReadOnly, ConfigSource: configSource(d.Source),
		}
	}
	return out
}
