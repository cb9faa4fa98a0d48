package load

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producePatience bounds how long one record may wait for its acknowledgement.
const producePatience = 60 * time.Second

// Options are the client settings that a run may vary; the rest are
// franz-go's defaults, which include idempotence, acks=all, batches of up to
// 1,000,012 bytes, a linger of 10 ms and 50,000 buffered records.
type Options struct {
	Addr  string
	Codec string // none, lz4, snappy, zstd, gzip
}

func (o Options) compression() (kgo.CompressionCodec, error) {
	switch o.Codec {
	case "", "none":
		return kgo.NoCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	}
	return kgo.NoCompression(), fmt.Errorf("codec %q is not one of none, lz4, snappy, zstd, gzip", o.Codec)
}

// producer connects a producer: acks=all and idempotent, stated although they
// are the defaults, because the comparison rests on them.
func (o Options) producer(extra ...kgo.Opt) (*kgo.Client, error) {
	codec, err := o.compression()
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(o.Addr),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(codec),
		kgo.RecordDeliveryTimeout(producePatience),
	}, extra...)...)
}

// consumer reads every partition of topic from its start, without a group.
func (o Options) consumer(topic string) (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(o.Addr),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
}

// CreateTopic makes a topic and waits until its partitions have a leader.
func CreateTopic(ctx context.Context, o Options, topic string, partitions int32) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Addr))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for {
		details, err := admin.ListTopics(ctx, topic)
		if err == nil && led(details[topic]) == int(partitions) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s has %d of %d partitions led: %w", topic, led(details[topic]), partitions, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func led(t kadm.TopicDetail) int {
	n := 0
	for _, p := range t.Partitions {
		if p.Err == nil && p.Leader >= 0 {
			n++
		}
	}
	return n
}

// FirstAck creates a topic of one partition and has one record acknowledged.
func FirstAck(ctx context.Context, o Options, topic string) error {
	if err := CreateTopic(ctx, o, topic, 1); err != nil {
		return err
	}
	client, err := o.producer(kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("first")}).FirstErr()
}
