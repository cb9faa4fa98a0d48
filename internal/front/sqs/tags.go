package sqs

import (
	"context"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// TagQueue, UntagQueue, ListQueueTags: tags are kept and shown.

func init() {
	simple("TagQueue", tagQueue)
	simple("UntagQueue", untagQueue)
	simple("ListQueueTags", listQueueTags)
}

const (
	tagsMax     = 50
	tagKeyMax   = 128
	tagValueMax = 256
)

func checkTags(tags map[string]string) error {
	if len(tags) > tagsMax {
		return invalidValue("Too many tags added for queue. Maximum is %d.", tagsMax)
	}
	for k, v := range tags {
		if k == "" || len(k) > tagKeyMax || len(v) > tagValueMax {
			return invalidValue("Tag %s is invalid: a key has 1 to %d characters, a value at most %d.", clip(k), tagKeyMax, tagValueMax)
		}
	}
	return nil
}

type tagQueueIn struct {
	QueueUrl string
	Tags     map[string]string `query:"Tag,Key,Value"`
}

func tagQueue(_ context.Context, s *Server, c *aws.Call, in *tagQueueIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) == 0 {
		return nil, missingParameter("Tags")
	}
	_, err = s.b.AlterQueue(name, func(spec *catalog.QueueSpec) error {
		for k, v := range in.Tags {
			spec.Tags[k] = v
		}
		return checkTags(spec.Tags)
	})
	return nil, err
}

type untagQueueIn struct {
	QueueUrl string
	TagKeys  []string `query:"TagKey"`
}

func untagQueue(_ context.Context, s *Server, c *aws.Call, in *untagQueueIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	_, err = s.b.AlterQueue(name, func(spec *catalog.QueueSpec) error {
		for _, k := range in.TagKeys {
			delete(spec.Tags, k)
		}
		return nil
	})
	return nil, err
}

type tagsOut struct {
	Tags map[string]string `json:",omitempty" element:"Tag,Key,Value"`
}

func listQueueTags(_ context.Context, s *Server, c *aws.Call, in *queueIn) (*tagsOut, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &tagsOut{q.Meta().Tags}, nil
}
