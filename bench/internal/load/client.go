package load

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
)

// producePatience bounds how long one record may wait for its acknowledgement.
const producePatience = 60 * time.Second

// primeBytes is the size of a topic's first records, all zeroes: what the
// latency scenario reads as due long ago.
const primeBytes = 8

// Options are the client settings that a run may vary; the rest are
// franz-go's defaults, which include idempotence, acks=all, batches of up to
// 1,000,012 bytes, a linger of 10 ms and 50,000 buffered records.
type Options struct {
	Addr  string // several with commas between
	Codec string // none, lz4, snappy, zstd, gzip
	Plain bool   // not idempotent, and as of Kafka 3.8: for brokers that know no producers' sequences, nor ApiVersions 5
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

func (o Options) brokers() kgo.Opt { return kgo.SeedBrokers(strings.Split(o.Addr, ",")...) }

func (o Options) versions() kgo.Opt {
	if o.Plain {
		return kgo.MaxVersions(kversion.V3_8_0())
	}
	return kgo.MaxVersions(kversion.Stable())
}

// producer connects a producer: acks=all and idempotent, stated although they
// are the defaults, because the comparison rests on them.
func (o Options) producer(extra ...kgo.Opt) (*kgo.Client, error) {
	codec, err := o.compression()
	if err != nil {
		return nil, err
	}
	if o.Plain {
		extra = append(extra, kgo.DisableIdempotentWrite())
	}
	return kgo.NewClient(append([]kgo.Opt{
		o.brokers(), o.versions(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(codec),
		kgo.RecordDeliveryTimeout(producePatience),
	}, extra...)...)
}

// consumer reads every partition of topic from its start, without a group.
func (o Options) consumer(topic string) (*kgo.Client, error) {
	return kgo.NewClient(
		o.brokers(), o.versions(),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
}

// Topic is one that has been created and primed.
type Topic struct {
	Name  string
	Prime Tally // the records that it began with
}

// CreateTopic makes a topic, waits until its partitions have a leader, and has
// one record acknowledged in each. A broker may name a leader before it has
// made the log; a client that finds out only then backs off for seconds, and
// that would be measured as the scenario's.
func CreateTopic(ctx context.Context, o Options, name string, partitions int32) (Topic, error) {
	client, err := o.producer(kgo.DefaultProduceTopic(name), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return Topic{}, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, nil, name); err != nil {
		return Topic{}, fmt.Errorf("create topic %s: %w", name, err)
	}
	if err := awaitLeaders(ctx, admin, name, int(partitions)); err != nil {
		return Topic{}, err
	}
	first := make([]*kgo.Record, partitions)
	for p := range first {
		first[p] = &kgo.Record{Partition: int32(p), Value: make([]byte, primeBytes)}
	}
	topic := Topic{Name: name}
	for _, r := range client.ProduceSync(ctx, first...) {
		if r.Err != nil {
			return topic, fmt.Errorf("first record of %s/%d: %w", name, r.Record.Partition, r.Err)
		}
		topic.Prime.Add(r.Record)
	}
	return topic, nil
}

func awaitLeaders(ctx context.Context, admin *kadm.Client, name string, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, producePatience)
	defer cancel()
	for {
		details, err := admin.ListTopics(ctx, name)
		if err == nil && led(details[name]) == partitions {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s has %d of %d partitions led: %w", name, led(details[name]), partitions, ctx.Err())
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
	_, err := CreateTopic(ctx, o, topic, 1)
	return err
}
