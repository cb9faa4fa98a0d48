package sqs

import (
	"context"
	"encoding/base64"
	"sort"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// DeleteQueue: at once, with all messages.
//
// GetQueueUrl: QueueOwnerAWSAccountId is not looked at, there is one account.
//
// ListQueues: by prefix, in pages.
//
// GetQueueAttributes, SetQueueAttributes: all attributes; see attributes_queue.go.
//
// PurgeQueue: at once, and as often as one likes (SQS: every 60 seconds).
//
// ListDeadLetterSourceQueues: in pages.

type queueIn struct{ QueueUrl string }

func init() {
	simple("DeleteQueue", deleteQueue)
	simple("GetQueueUrl", getQueueURL)
	simple("ListQueues", listQueues)
	simple("GetQueueAttributes", getQueueAttributes)
	simple("SetQueueAttributes", setQueueAttributes)
	simple("PurgeQueue", purgeQueue)
	simple("ListDeadLetterSourceQueues", listDeadLetterSources)
}

func deleteQueue(_ context.Context, s *Server, c *aws.Call, in *queueIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.b.DeleteQueue(name)
}

type getQueueURLIn struct {
	QueueName              string
	QueueOwnerAWSAccountId string
}

func getQueueURL(_ context.Context, s *Server, c *aws.Call, in *getQueueURLIn) (*queueURLOut, error) {
	if in.QueueName == "" {
		return nil, missingParameter("QueueName")
	}
	if _, err := s.b.Queue(in.QueueName); err != nil {
		return nil, err
	}
	return &queueURLOut{urlOf(c, in.QueueName)}, nil
}

type listQueuesIn struct {
	QueueNamePrefix string
	MaxResults      *int64
	NextToken       string
}

type listQueuesOut struct {
	QueueUrls []string `json:",omitempty" element:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

const pageMax = 1_000

func listQueues(_ context.Context, s *Server, c *aws.Call, in *listQueuesIn) (*listQueuesOut, error) {
	var names []string
	for _, q := range s.b.Queues() {
		if strings.HasPrefix(q.Name, in.QueueNamePrefix) {
			names = append(names, q.Name)
		}
	}
	names, next, err := page(names, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &listQueuesOut{urlsOf(c, names), next}, nil
}

func urlsOf(c *aws.Call, names []string) (urls []string) {
	for _, n := range names {
		urls = append(urls, urlOf(c, n))
	}
	return urls
}

// page cuts a page out of sorted names. A token is the last name of the page
// before.
func page(names []string, maxResults *int64, token string) (_ []string, next string, err error) {
	limit := int64(pageMax)
	if maxResults != nil {
		if limit = *maxResults; limit < 1 || limit > pageMax {
			return nil, "", invalidParameter("MaxResults", limit, "Must be between 1 and 1000, if provided.")
		}
	}
	if token != "" {
		last, err := base64.URLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", invalidParameter("NextToken", clip(token), "Invalid or expired next token.")
		}
		names = names[sort.Search(len(names), func(i int) bool { return names[i] > string(last) }):]
	}
	if int64(len(names)) > limit {
		names = names[:limit]
		if maxResults != nil { // without it there are no more pages, as in SQS
			next = base64.URLEncoding.EncodeToString([]byte(names[limit-1]))
		}
	}
	return names, next, nil
}

type getAttributesIn struct {
	QueueUrl       string
	AttributeNames []string `query:"AttributeName"`
}

type attributesOut struct {
	Attributes map[string]string `json:",omitempty" element:"Attribute,Name,Value"`
}

func getQueueAttributes(_ context.Context, s *Server, c *aws.Call, in *getAttributesIn) (*attributesOut, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	x := attributeView{c: c, q: q, meta: q.Meta()}
	values, err := x.shown(in.AttributeNames)
	if err != nil {
		return nil, err
	}
	return &attributesOut{values}, nil
}

type setAttributesIn struct {
	QueueUrl   string
	Attributes map[string]string `query:"Attribute,Name,Value"`
}

func setQueueAttributes(_ context.Context, s *Server, c *aws.Call, in *setAttributesIn) (*nothing, error) {
	name, err := queueName(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	_, err = s.b.AlterQueue(name, func(spec *catalog.QueueSpec) error {
		x := attributeEdit{find: s.b.FindQueue, c: c, spec: spec}
		return x.setAttributes(in.Attributes)
	})
	return nil, err
}

func purgeQueue(_ context.Context, s *Server, c *aws.Call, in *queueIn) (*nothing, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, q.Purge()
}

type deadLetterSourcesIn struct {
	QueueUrl   string
	MaxResults *int64
	NextToken  string
}

type deadLetterSourcesOut struct {
	QueueUrls []string `json:"queueUrls" element:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

func listDeadLetterSources(_ context.Context, s *Server, c *aws.Call, in *deadLetterSourcesIn) (*deadLetterSourcesOut, error) {
	q, err := s.queue(c, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	names, next, err := page(s.b.DeadLetterSources(q.Meta().Name), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &deadLetterSourcesOut{urlsOf(c, names), next}
	if out.QueueUrls == nil {
		out.QueueUrls = []string{}
	}
	return out, nil
}
