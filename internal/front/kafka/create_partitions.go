package kafka

import (
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// CreatePartitions (37), versions 0-3.
//
// Behaviour: gives topics more partitions, or only says whether it could
// (KIP-195).
//
// Deviations: replicas can only be assigned to this node. The timeout is not
// used.
var _ = answer(wire.KeyCreatePartitions, createPartitions)

func createPartitions(c *call, q *wire.CreatePartitionsRequest) wire.Response {
	resp := new(wire.CreatePartitionsResponse)
	count := map[string]int{}
	for i := range q.Topics {
		count[q.Topics[i].Name]++
	}
	for i := range q.Topics {
		t := &q.Topics[i]
		err := error(errRepeated)
		if n := count[t.Name]; n == 0 {
			continue // told already
		} else if n == 1 {
			err = c.createPartitions(t, q.ValidateOnly)
		}
		count[t.Name] = 0
		r := wire.CreatePartitionsResponseCreatePartitionsTopicResult{Name: t.Name}
		if err != nil {
			r.ErrorCode, r.ErrorMessage = c.adminCode(err), textOf(err)
		}
		resp.Results = append(resp.Results, r)
	}
	return resp
}

func (c *call) createPartitions(t *wire.CreatePartitionsRequestCreatePartitionsTopic, validateOnly bool) error {
	topic, err := c.conn.s.topic(t.Name)
	if err != nil {
		return err
	}
	more := int(t.Count) - len(topic.Partitions)
	if more <= 0 {
		return fmt.Errorf("%w: %s has %d, cannot have %d", catalog.ErrInvalidPartitions, t.Name, len(topic.Partitions), t.Count)
	}
	if t.Assignments != nil && len(t.Assignments) != more {
		return fmt.Errorf("%w: %d given for %d new partitions", errAssignment, len(t.Assignments), more)
	}
	for _, a := range t.Assignments {
		if err := c.checkReplicas(a.BrokerIds); err != nil {
			return err
		}
	}
	return c.conn.s.broker.AddPartitions(t.Name, t.Count, validateOnly)
}
