package sqs

import (
	"context"
	"errors"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// CreateQueue
//
// Creating a queue again is no error if no attribute that is given differs.
// Deviation: a name that was deleted may be used again at once. A queue whose name
// is that of a topic reads that topic.

type createQueueIn struct {
	QueueName  string
	Attributes map[string]string `query:"Attribute,Name,Value"`
	Tags       map[string]string `json:"tags" query:"Tag,Key,Value"`
}

type queueURLOut struct{ QueueUrl string }

func init() { simple("CreateQueue", createQueue) }

func createQueue(_ context.Context, s *Server, c *aws.Call, in *createQueueIn) (*queueURLOut, error) {
	fifo := in.Attributes["FifoQueue"] == "true"
	if err := checkQueueName(in.QueueName, fifo); err != nil {
		return nil, err
	}
	if v, ok := in.Attributes["FifoQueue"]; ok && !isBool(v) {
		return nil, invalidAttribute("FifoQueue")
	} else if ok && !fifo {
		return nil, unknownAttribute("FifoQueue")
	}
	spec := catalog.QueueSpec{Name: in.QueueName, Settings: catalog.DefaultQueueSettings(), Tags: in.Tags, Labels: map[string]string{}}
	if fifo {
		spec.Settings.Ordered, spec.Settings.Dedup = true, catalog.DedupQueue
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if q, err := s.b.Queue(in.QueueName); err == nil {
		return s.sameQueue(c, q.Meta(), in, fifo)
	}
	x := attributeEdit{find: s.b.QueueMeta, c: c, spec: &spec}
	if err := x.setAttributes(in.Attributes); err != nil {
		return nil, err
	}
	old, err := s.b.CreateQueue(spec)
	if errors.Is(err, catalog.ErrQueueExists) {
		return s.sameQueue(c, old, in, fifo)
	}
	if err != nil {
		return nil, err
	}
	return &queueURLOut{urlOf(c, in.QueueName)}, nil
}

// sameQueue answers for a queue that exists.
func (s *Server) sameQueue(c *aws.Call, old *catalog.Queue, in *createQueueIn, fifo bool) (*queueURLOut, error) {
	spec := catalog.QueueSpec{Name: old.Name, Settings: old.Settings, Labels: map[string]string{}}
	x := attributeEdit{find: s.b.QueueMeta, c: c, spec: &spec}
	if fifo != old.Settings.Ordered {
		return nil, differs("FifoQueue")
	}
	if err := x.setAttributes(in.Attributes); err != nil {
		return nil, err
	}
	for name := range in.Attributes {
		a := queueAttributes[name]
		was := attributeView{c: c, meta: old}
		as := attributeView{c: c, meta: &catalog.Queue{Name: old.Name, Settings: spec.Settings, Labels: spec.Labels}}
		if a.get(&was) != a.get(&as) {
			return nil, differs(name)
		}
	}
	return &queueURLOut{urlOf(c, old.Name)}, nil
}

func differs(attribute string) error {
	return &problem{"QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute " + attribute}
}

const queueNameMax = 80

func checkQueueName(name string, fifo bool) error {
	if name == "" {
		return missingParameter("QueueName")
	}
	base, dotted := strings.CutSuffix(name, ".fifo")
	valid := len(name) <= queueNameMax && base != "" && dotted == fifo
	for i := range len(base) {
		valid = valid && (alphanumeric(base[i]) || base[i] == '-' || base[i] == '_')
	}
	switch {
	case valid:
		return nil
	case fifo:
		return invalidValue("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	return invalidValue("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}
