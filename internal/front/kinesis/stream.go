package kinesis

import (
	"errors"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// streamRef names a stream: by its name, its ARN, or both. StreamId is not looked
// at.
type streamRef struct {
	StreamName *string `is:"StreamName"`
	StreamARN  *string `is:"StreamARN"`
	StreamId   *string `is:"StreamId"`
}

// streamARN is streamRef for the actions that know no names.
type streamARN struct {
	StreamARN *string `is:"StreamARN,required"`
	StreamId  *string `is:"StreamId"`
}

func (r *streamARN) ref() *streamRef { return &streamRef{StreamARN: r.StreamARN} }

func arnOf(c *aws.Call, name string) string {
	return "arn:aws:kinesis:" + c.Region + ":" + Account + ":stream/" + name
}

// resourceOf takes the stream's name out of an ARN, and the consumer's, with when it
// was made: the part that tells it from others of its name. Region and account do
// not count.
func resourceOf(arn string) (stream, consumer string) {
	_, rest, _ := strings.Cut(arn, ":stream/")
	stream, rest, _ = strings.Cut(rest, "/")
	_, consumer, _ = strings.Cut(rest, "consumer/")
	return stream, consumer
}

// name is the stream's.
func (r *streamRef) name() (string, error) {
	switch {
	case r.StreamName == nil && r.StreamARN == nil:
		return "", invalidArgument("Either StreamName or StreamARN should be provided.")
	case r.StreamARN == nil:
		return *r.StreamName, nil
	}
	name, _ := resourceOf(*r.StreamARN)
	if r.StreamName != nil && *r.StreamName != name {
		return "", invalidArgument("StreamName %s does not match the StreamARN %s.", *r.StreamName, clip(*r.StreamARN))
	}
	return name, nil
}

// stream finds the topic that is the stream.
func (s *Server) stream(r *streamRef) (*catalog.Topic, error) {
	name, err := r.name()
	if err != nil {
		return nil, err
	}
	return s.topic(name)
}

func (s *Server) topic(name string) (*catalog.Topic, error) {
	t, err := s.b.Topic(name)
	if errors.Is(err, catalog.ErrUnknownTopic) || err == nil && t.Internal {
		return nil, noStream(name)
	}
	return t, err
}

// shard is the partition of a stream that a shard's id names. Kinesis takes the
// number alone, too.
func shard(t *catalog.Topic, id string) (int32, error) {
	n, ok := parseShardID(id)
	if !ok {
		return 0, notFound("Could not find shard %s in stream %s under account %s.", clip(id), t.Name, Account)
	}
	if int(n) >= len(t.Partitions) {
		return 0, notFound("Could not find shard %s in stream %s under account %s.", shardID(n), t.Name, Account)
	}
	return n, nil
}
