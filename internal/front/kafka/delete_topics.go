package kafka

import (
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DeleteTopics (20), versions 1-6.
//
// Behaviour: deletes topics by name, or from version 6 on by id (KIP-516), with
// their records and the offsets committed for them.
//
// Deviations: the timeout is not used: a topic is gone when it is answered.
var _ = answer(wire.KeyDeleteTopics, deleteTopics)

var errNameOrID = fault.New(fault.InvalidArgument, "a topic is named either by its name or by its id")

func deleteTopics(c *call, q *wire.DeleteTopicsRequest) wire.Response {
	topics := q.Topics
	if c.version < 6 {
		topics = make([]wire.DeleteTopicsRequestDeleteTopicState, len(q.TopicNames))
		for i := range topics {
			topics[i].Name = &q.TopicNames[i]
		}
	}
	resp := new(wire.DeleteTopicsResponse)
	count := map[string]int{}
	for i := range topics {
		count[deleteKey(&topics[i])]++
	}
	for i := range topics {
		t := &topics[i]
		r := wire.DeleteTopicsResponseDeletableTopicResult{Name: t.Name, TopicId: t.TopicId}
		err := error(errRepeated)
		if n := count[deleteKey(t)]; n == 0 {
			continue // told already
		} else if n == 1 {
			err = c.deleteTopic(t, &r)
		}
		count[deleteKey(t)] = 0
		if err != nil {
			byID := t.TopicId != wire.UUID{}
			r.ErrorCode, r.ErrorMessage = c.note(partitionCode(err, byID)), textOf(err)
		}
		resp.Responses = append(resp.Responses, r)
	}
	return resp
}

// deleteKey tells what is named twice; no name has a zero byte.
func deleteKey(t *wire.DeleteTopicsRequestDeleteTopicState) string {
	if t.Name != nil {
		return *t.Name
	}
	return "\x00" + string(t.TopicId[:])
}

func (c *call) deleteTopic(t *wire.DeleteTopicsRequestDeleteTopicState, r *wire.DeleteTopicsResponseDeletableTopicResult) error {
	s := c.conn.s
	byID := t.TopicId != wire.UUID{}
	if byID == (t.Name != nil) {
		return errNameOrID
	}
	var topic *catalog.Topic
	var err error
	if byID {
		topic, err = s.topicByID(t.TopicId)
	} else {
		topic, err = s.topic(*t.Name)
	}
	if err != nil {
		return err
	}
	r.Name, r.TopicId = &topic.Name, wire.UUID(topic.ID)
	if err := s.broker.DeleteTopic(topic.Name); err != nil {
		return fmt.Errorf("delete %s: %w", topic.Name, err)
	}
	return nil
}
