package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

func (s *suite) describeChecks() {
	s.Run("admin, describe the cluster", s.describeCluster)
	s.Run("admin, describe topic partitions", s.describeTopicPartitions)
	s.Run("admin, describe log dirs", s.describeLogDirs)
	s.Run("admin, describe producers", s.describeProducers)
	s.Run("admin, offset for leader epoch", s.leaderEpoch)
	s.Run("admin, api versions", s.apiVersions)
	s.Run("idempotence, a repeated batch is stored once, a gap is refused", s.sequences)
}

func (s *suite) describeCluster(ctx context.Context) error {
	return s.withAdmin(func(a *kadm.Client) error {
		m, err := a.BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		if m.Cluster == "" || strconv.Itoa(len(m.Brokers)) != cmp.Or(os.Getenv("BROKERS"), "1") || !slices.Contains(m.Brokers.NodeIDs(), m.Controller) {
			return fmt.Errorf("metadata: cluster %q, controller %d, brokers %+v", m.Cluster, m.Controller, m.Brokers)
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		defer c.Close()
		r, err := kmsg.NewPtrDescribeClusterRequest().RequestWith(ctx, c)
		if err != nil {
			return err
		}
		if r.ErrorCode != 0 || r.ClusterID != m.Cluster || len(r.Brokers) != len(m.Brokers) || !slices.ContainsFunc(m.Brokers, func(b kadm.BrokerDetail) bool { return b.Port == r.Brokers[0].Port }) {
			return fmt.Errorf("describe cluster: %+v", r)
		}
		return nil
	})
}

func (s *suite) describeTopicPartitions(ctx context.Context) error {
	topic, err := s.topic(ctx, 5, nil)
	if err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	defer c.Close()
	ask := func(limit int32, from *kmsg.DescribeTopicPartitionsRequestCursor) (*kmsg.DescribeTopicPartitionsResponse, error) {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = topic
		r.Topics = append(r.Topics, t)
		r.ResponsePartitionLimit, r.Cursor = limit, from
		return r.RequestWith(ctx, c)
	}
	all, err := ask(2000, nil)
	if err != nil {
		return err
	}
	if len(all.Topics) != 1 || all.Topics[0].ErrorCode != 0 || len(all.Topics[0].Partitions) != 5 || all.NextCursor != nil {
		return fmt.Errorf("all at once: %+v", all)
	}
	first, err := ask(3, nil)
	if err != nil {
		return err
	}
	if len(first.Topics) != 1 || len(first.Topics[0].Partitions) != 3 || first.NextCursor == nil || first.NextCursor.Partition != 3 {
		return fmt.Errorf("first three: %+v, cursor %+v", first.Topics, first.NextCursor)
	}
	from := kmsg.NewDescribeTopicPartitionsRequestCursor()
	from.Topic, from.Partition = first.NextCursor.Topic, first.NextCursor.Partition
	rest, err := ask(3, &from)
	if err != nil {
		return err
	}
	if len(rest.Topics) != 1 || len(rest.Topics[0].Partitions) != 2 || rest.NextCursor != nil {
		return fmt.Errorf("the rest: %+v, cursor %+v", rest.Topics, rest.NextCursor)
	}
	return nil
}

func (s *suite) describeLogDirs(ctx context.Context) error {
	topic, err := s.filled(ctx, 100, time.Now())
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		dirs, err := a.DescribeAllLogDirs(ctx, nil)
		if err != nil {
			return err
		}
		dirs.Each(func(d kadm.DescribedLogDir) { err = errors.Join(err, d.Err) })
		if err != nil {
			return err
		}
		size, found := int64(0), false
		dirs.Each(func(d kadm.DescribedLogDir) {
			if p, ok := d.Topics.Lookup(topic, 0); ok {
				size, found = p.Size, true
			}
		})
		if !found || size <= 0 {
			return fmt.Errorf("the topic is found: %v, with %d bytes", found, size)
		}
		return nil
	})
}

func (s *suite) describeProducers(ctx context.Context) error {
	topic, err := s.filled(ctx, 10, time.Now())
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		var set kadm.TopicsSet
		set.Add(topic, 0)
		r, err := a.DescribeProducers(ctx, set)
		if err != nil {
			return err
		}
		producers := r[topic].Partitions[0].ActiveProducers.Sorted()
		if len(producers) != 1 || producers[0].ProducerID < 0 || producers[0].LastSequence != 9 {
			return fmt.Errorf("producers: %+v", producers)
		}
		return nil
	})
}

func (s *suite) leaderEpoch(ctx context.Context) error {
	topic, err := s.filled(ctx, 10, time.Now())
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		var r kadm.OffsetForLeaderEpochRequest
		r.Add(topic, 0, 0)
		got, err := a.OffsetForLeaderEpoch(ctx, r)
		if err != nil {
			return err
		}
		if o := got[topic][0]; o.Err != nil || o.EndOffset != 10 {
			return fmt.Errorf("%+v", o)
		}
		return nil
	})
}

func (s *suite) apiVersions(ctx context.Context) error {
	return s.withAdmin(func(a *kadm.Client) error {
		v, err := a.ApiVersions(ctx)
		if err != nil {
			return err
		}
		for _, b := range v {
			if b.Err != nil {
				return b.Err
			}
			for key, least := range map[int16]int16{0: 9, 1: 12, 2: 7, 3: 12, 8: 8, 9: 8, 11: 7, 19: 7, 32: 4} {
				if top, ok := b.KeyMaxVersion(key); !ok || top < least {
					return fmt.Errorf("api %d goes to version %d, want at least %d", key, top, least)
				}
			}
		}
		return nil
	})
}

// sequences sends the same idempotent batch twice, then one that skips a
// sequence number, by hand.
func (s *suite) sequences(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	c, err := s.client(kgo.MaxVersions(kversion.V3_0_0())) // later versions name topics by id
	if err != nil {
		return err
	}
	defer c.Close()
	init := kmsg.NewPtrInitProducerIDRequest()
	init.TransactionTimeoutMillis = 1000
	id, err := init.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(id.ErrorCode); err != nil {
		return err
	}
	for i, step := range []struct {
		sequence int32
		offset   int64
		err      error
	}{{0, 0, nil}, {0, 0, nil}, {3, 3, nil}, {3, 3, nil}, {9, -1, kerr.OutOfOrderSequenceNumber}, {6, 6, nil}} {
		offset, err := produceRaw(ctx, c, topic, batch(id.ProducerID, id.ProducerEpoch, step.sequence))
		if !errors.Is(err, step.err) || (err == nil && offset != step.offset) {
			return fmt.Errorf("step %d, sequence %d: offset %d, error %v; want %d, %v", i, step.sequence, offset, err, step.offset, step.err)
		}
	}
	_, err = s.readN(ctx, topic, 9)
	return err
}

func produceRaw(ctx context.Context, c *kgo.Client, topic string, records []byte) (int64, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	b, err := leader(ctx, c, topic)
	if err != nil {
		return -1, err
	}
	answer, err := b.Request(ctx, req)
	if err != nil {
		return -1, err
	}
	out := answer.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return out.BaseOffset, kerr.ErrorForCode(out.ErrorCode)
}

// leader returns the broker that has the topic's first partition.
func leader(ctx context.Context, c *kgo.Client, topic string) (*kgo.Broker, error) {
	m, err := kadm.NewClient(c).Metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	p, ok := m.Topics[topic].Partitions[0]
	if !ok || p.Leader < 0 {
		return nil, fmt.Errorf("topic %s: no leader", topic)
	}
	return c.Broker(int(p.Leader)), nil
}
