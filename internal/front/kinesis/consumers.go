package kinesis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// RegisterStreamConsumer, DeregisterStreamConsumer, DescribeStreamConsumer,
// ListStreamConsumers: at once, and kept.

func init() {
	register("RegisterStreamConsumer", registerConsumer)
	register("DeregisterStreamConsumer", deregisterConsumer)
	register("DescribeStreamConsumer", describeConsumer)
	register("ListStreamConsumers", listConsumers)
}

type consumerOut struct {
	ConsumerName              string
	ConsumerARN               string
	ConsumerStatus            string
	ConsumerCreationTimestamp aws.Time
}

// tail is what follows the stream in a consumer's ARN: its name, and when it was
// made.
func (x *consumer) tail(name string) string { return fmt.Sprintf("%s:%d", name, x.CreatedAt/1000) }

func (x *consumer) out(c *aws.Call, stream, name string) consumerOut {
	return consumerOut{name, arnOf(c, stream) + "/consumer/" + x.tail(name), active, aws.Time{Time: time.UnixMilli(x.CreatedAt)}}
}

// consumerOf finds a consumer by the tail of its ARN.
func (t *traits) consumerOf(tail string) (name string, x consumer, ok bool) {
	name, _, _ = strings.Cut(tail, ":")
	x, ok = t.Consumers[name]
	return name, x, ok && x.tail(name) == tail
}

func noConsumer(name string) error {
	return notFound("Consumer %s under account %s not found.", clip(name), Account)
}

type registerConsumerIn struct {
	ConsumerName *string           `is:"ConsumerName,required"`
	Tags         map[string]string `is:"TagMap"`
	streamARN
}

type registerConsumerOut struct{ Consumer consumerOut }

func registerConsumer(_ context.Context, s *Server, c *aws.Call, in *registerConsumerIn) (*registerConsumerOut, error) {
	name, x := *in.ConsumerName, consumer{CreatedAt: s.now().UnixMilli(), Tags: in.Tags}
	if err := checkTags(name, in.Tags); err != nil {
		return nil, err
	}
	t, err := s.setTraits(in.ref(), func(t *traits) error {
		if _, taken := t.Consumers[name]; taken {
			return inUse("Consumer %s under stream %s under account %s already exists.", name, *in.StreamARN, Account)
		}
		if len(t.Consumers) >= consumersMax {
			return limitExceeded("Stream %s has %d registered consumers, which is the limit.", *in.StreamARN, consumersMax)
		}
		if t.Consumers == nil {
			t.Consumers = make(map[string]consumer)
		}
		t.Consumers[name] = x
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &registerConsumerOut{x.out(c, t.Name, name)}, nil
}

// consumerRef names a consumer: by its ARN, or by its name and the stream's ARN.
type consumerRef struct {
	StreamARN    *string `is:"StreamARN"`
	ConsumerName *string `is:"ConsumerName"`
	ConsumerARN  *string `is:"ConsumerARN"`
	StreamId     *string `is:"StreamId"`
}

func (s *Server) consumer(r *consumerRef) (t *catalog.Topic, name string, x consumer, err error) {
	stream, tail := "", ""
	switch {
	case r.ConsumerARN != nil:
		stream, tail = resourceOf(*r.ConsumerARN)
	case r.StreamARN != nil && r.ConsumerName != nil:
		stream, _ = resourceOf(*r.StreamARN)
		tail = *r.ConsumerName
	default:
		return nil, "", x, invalidArgument("Either ConsumerARN, or both StreamARN and ConsumerName should be provided.")
	}
	if t, err = s.topic(stream); err != nil {
		return nil, "", x, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, "", x, err
	}
	ok := false
	if r.ConsumerARN != nil {
		name, x, ok = tr.consumerOf(tail)
	} else {
		name = tail
		x, ok = tr.Consumers[name]
	}
	if !ok {
		return nil, "", x, noConsumer(tail)
	}
	return t, name, x, nil
}

func deregisterConsumer(_ context.Context, s *Server, _ *aws.Call, in *consumerRef) (*nothing, error) {
	t, name, x, err := s.consumer(in)
	if err != nil {
		return nil, err
	}
	err = s.annotate(t.Name, func(tr *traits) error {
		if now, ok := tr.Consumers[name]; !ok || now.CreatedAt != x.CreatedAt {
			return noConsumer(name)
		}
		delete(tr.Consumers, name)
		delete(tr.Policies, x.tail(name))
		return nil
	})
	if err != nil {
		return nil, gone(err, t.Name)
	}
	s.endSubscriptions(t, x.tail(name))
	return nil, nil
}

type consumerDescription struct {
	ConsumerName              string
	ConsumerARN               string
	ConsumerStatus            string
	ConsumerCreationTimestamp aws.Time
	StreamARN                 string
}

type describeConsumerOut struct{ ConsumerDescription consumerDescription }

func describeConsumer(_ context.Context, s *Server, c *aws.Call, in *consumerRef) (*describeConsumerOut, error) {
	t, name, x, err := s.consumer(in)
	if err != nil {
		return nil, err
	}
	o := x.out(c, t.Name, name)
	return &describeConsumerOut{consumerDescription{o.ConsumerName, o.ConsumerARN, o.ConsumerStatus, o.ConsumerCreationTimestamp, arnOf(c, t.Name)}}, nil
}

type listConsumersIn struct {
	streamARN
	NextToken               *string `is:"NextToken"`
	MaxResults              *int64  `is:"Limit"`
	StreamCreationTimestamp *aws.Time
}

type listConsumersOut struct {
	Consumers []consumerOut
	NextToken string `json:",omitempty"`
}

func listConsumers(_ context.Context, s *Server, c *aws.Call, in *listConsumersIn) (*listConsumersOut, error) {
	t, err := s.stream(in.ref())
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	from, limit, now := "", 100, s.now()
	if in.NextToken != nil {
		about, err := s.page(kindConsumer, *in.NextToken, now)
		if err != nil {
			return nil, err
		}
		from = string(about)
	}
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &listConsumersOut{Consumers: []consumerOut{}}
	for _, name := range slices.Sorted(maps.Keys(tr.Consumers)) {
		if name <= from {
			continue
		}
		if len(out.Consumers) == limit {
			out.NextToken = s.tokens.seal(kindConsumer, now, []byte(out.Consumers[limit-1].ConsumerName))
			break
		}
		x := tr.Consumers[name]
		out.Consumers = append(out.Consumers, x.out(c, t.Name, name))
	}
	return out, nil
}
