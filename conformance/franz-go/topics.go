package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) topicChecks() {
	s.Run("admin, create, list, describe and delete a topic", s.topicLife)
	s.Run("admin, a topic that was deleted and created again is a new one", s.topicAgain)
	s.Run("admin, bad topics are refused with their own errors", s.topicRefused)
	s.Run("admin, validate only creates nothing", s.topicValidate)
	s.Run("admin, add partitions", s.addPartitions)
	s.Run("admin, incremental config changes", s.incrementalConfigs)
	s.Run("admin, legacy config change replaces everything", s.legacyConfigs)
	s.Run("admin, an unknown or malformed setting is refused", s.badConfigs)
	s.Run("admin, max.message.bytes is honoured", s.maxMessageBytes)
	s.Run("admin, broker configs are described", s.brokerConfigs)
}

// withAdmin runs f with an admin client.
func (s *suite) withAdmin(f func(*kadm.Client) error) error {
	a, err := s.admin()
	if err != nil {
		return err
	}
	defer a.Close()
	return f(a)
}

func (s *suite) topicLife(ctx context.Context) error {
	topic, err := s.topic(ctx, 3, map[string]string{"retention.ms": "3600000"})
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		listed, err := a.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		d := listed[topic]
		if d.Err != nil || len(d.Partitions) != 3 || d.ID == (kadm.TopicID{}) || d.IsInternal {
			return fmt.Errorf("described as %+v", d)
		}
		for _, p := range d.Partitions {
			if p.Err != nil || p.Leader < 0 || len(p.Replicas) != 1 || len(p.ISR) != 1 {
				return fmt.Errorf("partition %d: %+v", p.Partition, p)
			}
		}
		all, err := a.ListTopics(ctx)
		if err != nil || !all.Has(topic) {
			return fmt.Errorf("not among all topics: %w", err)
		}
		deleted, err := a.DeleteTopics(ctx, topic)
		if err == nil {
			err = deleted.Error()
		}
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		if err := until(ctx, "the topic is gone", func() bool {
			l, err := a.ListTopics(ctx, topic)
			return err == nil && errors.Is(l[topic].Err, kerr.UnknownTopicOrPartition)
		}); err != nil {
			return err
		}
		deleted, err = a.DeleteTopics(ctx, topic)
		if err == nil {
			err = deleted.Error()
		}
		return wantErr(err, kerr.UnknownTopicOrPartition)
	})
}

func (s *suite) topicAgain(ctx context.Context) error {
	topic, err := s.filled(ctx, 10, time.Now())
	if err != nil {
		return err
	}
	var before kadm.TopicDetails
	if err := s.withAdmin(func(a *kadm.Client) (err error) {
		if before, err = a.ListTopics(ctx, topic); err != nil {
			return err
		}
		if _, err := a.DeleteTopics(ctx, topic); err != nil {
			return err
		}
		return until(ctx, "the topic can be created again", func() bool {
			r, err := a.CreateTopic(ctx, 1, 1, nil, topic)
			return err == nil && r.Err == nil
		})
	}); err != nil {
		return err
	}
	// A new client: the first one may answer from what it remembers.
	return s.withAdmin(func(a *kadm.Client) error {
		after, err := a.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		if before[topic].ID == after[topic].ID {
			return errors.New("it kept its topic id")
		}
		ends, err := a.ListEndOffsets(ctx, topic)
		if err != nil {
			return err
		}
		if o, _ := ends.Lookup(topic, 0); o.Offset != 0 || o.Err != nil {
			return fmt.Errorf("the new topic ends at %d: %w", o.Offset, o.Err)
		}
		return s.fill(ctx, topic, 3, time.Now())
	})
}

func (s *suite) topicRefused(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		for _, bad := range []struct {
			name       string
			partitions int32
			replicas   int16
			want       error
		}{
			{topic, 1, 1, kerr.TopicAlreadyExists},
			{"a topic", 1, 1, kerr.InvalidTopicException},
			{"..", 1, 1, kerr.InvalidTopicException},
			{strings.Repeat("x", 250), 1, 1, kerr.InvalidTopicException},
			{s.name("zero"), 0, 1, kerr.InvalidPartitions},
			{s.name("three"), 1, 3, kerr.InvalidReplicationFactor},
		} {
			r, err := a.CreateTopic(ctx, bad.partitions, bad.replicas, nil, bad.name)
			if err == nil {
				err = r.Err
			}
			if !errors.Is(err, bad.want) {
				return fmt.Errorf("topic %.20q, %d partitions, %d replicas: got %v, want %v", bad.name, bad.partitions, bad.replicas, err, bad.want)
			}
		}
		return nil
	})
}

func (s *suite) topicValidate(ctx context.Context) error {
	return s.withAdmin(func(a *kadm.Client) error {
		name := s.name("validate")
		r, err := a.ValidateCreateTopics(ctx, 2, 1, nil, name)
		if err == nil {
			err = r[name].Err
		}
		if err != nil {
			return err
		}
		l, err := a.ListTopics(ctx, name)
		if err != nil {
			return err
		}
		return wantErr(l[name].Err, kerr.UnknownTopicOrPartition)
	})
}

func (s *suite) addPartitions(ctx context.Context) error {
	topic, err := s.topic(ctx, 2, nil)
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		r, err := a.UpdatePartitions(ctx, 5, topic)
		if err == nil {
			err = r.Error()
		}
		if err != nil {
			return err
		}
		if err := until(ctx, "there are 5 partitions", func() bool {
			l, err := a.ListTopics(ctx, topic)
			return err == nil && len(l[topic].Partitions) == 5
		}); err != nil {
			return err
		}
		r, err = a.UpdatePartitions(ctx, 3, topic)
		if err == nil {
			err = r.Error()
		}
		return wantErr(err, kerr.InvalidPartitions)
	})
}

// config returns one setting of a topic.
func config(ctx context.Context, a *kadm.Client, topic, key string) (kadm.Config, error) {
	d, err := a.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return kadm.Config{}, err
	}
	rc, err := d.On(topic, nil)
	if err == nil {
		err = rc.Err
	}
	if err != nil {
		return kadm.Config{}, err
	}
	for _, c := range rc.Configs {
		if c.Key == key {
			return c, nil
		}
	}
	return kadm.Config{}, fmt.Errorf("%s is not described", key)
}

// expectConfig waits for a value: a change may take a moment to be seen.
func expectConfig(ctx context.Context, a *kadm.Client, topic, key, want string, explicit bool) error {
	var got kadm.Config
	err := until(ctx, fmt.Sprintf("%s is %q", key, want), func() bool {
		var err error
		got, err = config(ctx, a, topic, key)
		return err == nil && got.MaybeValue() == want
	})
	if err == nil && (got.Source.String() == "DYNAMIC_TOPIC_CONFIG") != explicit {
		err = fmt.Errorf("%s comes from %v", key, got.Source)
	}
	return err
}

func (s *suite) incrementalConfigs(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, map[string]string{"retention.bytes": "1000000"})
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		before, err := config(ctx, a, topic, "retention.ms")
		if err != nil {
			return err
		}
		value := "123456789"
		for _, step := range []struct {
			change   kadm.AlterConfig
			want     string
			explicit bool
		}{
			{kadm.AlterConfig{Op: kadm.SetConfig, Name: "retention.ms", Value: &value}, value, true},
			{kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "retention.ms"}, before.MaybeValue(), false},
		} {
			r, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{step.change}, topic)
			if err == nil {
				err = r[0].Err
			}
			if err != nil {
				return err
			}
			if err := expectConfig(ctx, a, topic, "retention.ms", step.want, step.explicit); err != nil {
				return err
			}
		}
		return expectConfig(ctx, a, topic, "retention.bytes", "1000000", true)
	})
}

func (s *suite) legacyConfigs(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, map[string]string{"retention.bytes": "1000000"})
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		value := "7200000"
		r, err := a.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, topic)
		if err == nil {
			err = r[0].Err
		}
		if err != nil {
			return err
		}
		if err := expectConfig(ctx, a, topic, "retention.ms", value, true); err != nil {
			return err
		}
		return expectConfig(ctx, a, topic, "retention.bytes", "-1", false)
	})
}

func (s *suite) badConfigs(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		for key, value := range map[string]string{"no.such.setting": "1", "retention.ms": "soon", "max.message.bytes": "-5", "compression.type": "rar"} {
			r, err := a.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
			if err == nil {
				err = r[0].Err
			}
			if !errors.Is(err, kerr.InvalidConfig) {
				return fmt.Errorf("%s=%s: got %v, want INVALID_CONFIG", key, value, err)
			}
			c, err := a.CreateTopic(ctx, 1, 1, map[string]*string{key: &value}, s.name("bad"))
			if err == nil {
				err = c.Err
			}
			if !errors.Is(err, kerr.InvalidConfig) {
				return fmt.Errorf("create with %s=%s: got %v, want INVALID_CONFIG", key, value, err)
			}
		}
		return nil
	})
}

func (s *suite) maxMessageBytes(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, map[string]string{"max.message.bytes": "2000"})
	if err != nil {
		return err
	}
	c, err := s.client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: make([]byte, 1500)}).FirstErr(); err != nil {
		return err
	}
	err = c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: make([]byte, 2500)}).FirstErr()
	return wantErr(err, kerr.MessageTooLarge)
}

func (s *suite) brokerConfigs(ctx context.Context) error {
	return s.withAdmin(func(a *kadm.Client) error {
		brokers, err := a.ListBrokers(ctx)
		if err != nil {
			return err
		}
		r, err := a.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
		if err != nil {
			return err
		}
		for _, rc := range r {
			if rc.Err != nil || len(rc.Configs) == 0 {
				return fmt.Errorf("broker %s has %d configs: %w", rc.Name, len(rc.Configs), rc.Err)
			}
		}
		return nil
	})
}
