package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) produceChecks() {
	codecs := []struct {
		name  string
		codec kgo.CompressionCodec
	}{{"none", kgo.NoCompression()}, {"gzip", kgo.GzipCompression()}, {"snappy", kgo.SnappyCompression()},
		{"lz4", kgo.Lz4Compression()}, {"zstd", kgo.ZstdCompression()}}
	for _, c := range codecs {
		s.Run("produce, "+c.name+": every shape of record comes back as it went", func(ctx context.Context) error {
			return s.roundTrip(ctx, 350, nil, kgo.ProducerBatchCompression(c.codec))
		})
	}
	s.Run("produce, acks=1", func(ctx context.Context) error {
		return s.roundTrip(ctx, 50, nil, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	})
	s.Run("produce, acks=all without idempotence", func(ctx context.Context) error {
		return s.roundTrip(ctx, 50, nil, kgo.DisableIdempotentWrite())
	})
	s.Run("produce, acks=0: the records arrive", s.acksNone)
	s.Run("produce, compression.type=zstd on the topic", func(ctx context.Context) error {
		return s.roundTrip(ctx, 100, map[string]string{"compression.type": "zstd"}, kgo.ProducerBatchCompression(kgo.GzipCompression()))
	})
	s.Run("produce, message.timestamp.type=LogAppendTime", s.logAppendTime)
	s.Run("produce, a record just below max.message.bytes", func(ctx context.Context) error {
		return s.large(ctx, 1<<20-200, nil)
	})
	s.Run("produce, a record over max.message.bytes: MESSAGE_TOO_LARGE", func(ctx context.Context) error {
		return s.large(ctx, 1<<20+200, kerr.MessageTooLarge)
	})
	s.Run("produce, to a partition that does not exist", s.noSuchPartition)
	s.Run("produce, the topic is created on the way", s.autoCreate)
	s.Run("produce, to a topic that does not exist, creation not asked", s.unknownTopic)
}

// roundTrip produces samples to one partition and reads them back.
func (s *suite) roundTrip(ctx context.Context, n int, configs map[string]string, opts ...kgo.Opt) error {
	topic, err := s.topic(ctx, 1, configs)
	if err != nil {
		return err
	}
	c, err := s.client(append(opts, kgo.ProducerLinger(5*time.Millisecond))...)
	if err != nil {
		return err
	}
	defer c.Close()
	sent := samples(topic, n)
	if err := c.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return err
	}
	got, err := s.readN(ctx, topic, n)
	if err != nil {
		return err
	}
	return same(sent, got)
}

func (s *suite) acksNone(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	c, err := s.client(kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range 100 {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			return err
		}
	}
	got, err := s.readN(ctx, topic, 100)
	if err != nil {
		return err
	}
	for i, r := range got {
		if string(r.Value) != fmt.Sprint(i) || r.Offset != int64(i) {
			return fmt.Errorf("record %d is %q at %d", i, r.Value, r.Offset)
		}
	}
	return nil
}

func (s *suite) logAppendTime(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	if err != nil {
		return err
	}
	before := time.UnixMilli(time.Now().UnixMilli())
	if err := s.fill(ctx, topic, 10, before.Add(-time.Hour)); err != nil {
		return err
	}
	got, err := s.readN(ctx, topic, 10)
	if err != nil {
		return err
	}
	for _, r := range got {
		if r.Timestamp.Before(before) || r.Timestamp.After(time.Now()) {
			return fmt.Errorf("offset %d has timestamp %v, which is not the time of appending", r.Offset, r.Timestamp)
		}
		if r.Attrs.TimestampType() != 1 {
			return fmt.Errorf("offset %d: timestamp type is %d, want 1", r.Offset, r.Attrs.TimestampType())
		}
	}
	return nil
}

// large sends one incompressible record of size bytes to a topic with the
// default limit (1 MiB + 12) and expects the error.
func (s *suite) large(ctx context.Context, size int, want error) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	c, err := s.client(kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer c.Close()
	value := make([]byte, size)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(value)
	err = c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value}).FirstErr()
	if want != nil || err != nil {
		return wantErr(err, want)
	}
	got, err := s.readN(ctx, topic, 1)
	if err != nil {
		return err
	}
	if !bytes.Equal(got[0].Value, value) {
		return errors.New("the value changed on the way")
	}
	return nil
}

func (s *suite) noSuchPartition(ctx context.Context) error {
	topic, err := s.topic(ctx, 1, nil)
	if err != nil {
		return err
	}
	c, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: 7, Value: []byte("x")}).FirstErr()
	if err == nil {
		return errors.New("it was accepted")
	}
	return nil
}

func (s *suite) autoCreate(ctx context.Context) error {
	topic := s.name("auto")
	c, err := s.client(kgo.AllowAutoTopicCreation())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("첫 소식")}).FirstErr(); err != nil {
		return err
	}
	_, err = s.readN(ctx, topic, 1)
	return err
}

func (s *suite) unknownTopic(ctx context.Context) error {
	c, err := s.client(kgo.UnknownTopicRetries(1))
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.ProduceSync(ctx, &kgo.Record{Topic: s.name("absent"), Value: []byte("x")}).FirstErr()
	return wantErr(err, kerr.UnknownTopicOrPartition)
}
