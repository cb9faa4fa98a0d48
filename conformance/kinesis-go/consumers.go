package main

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

func (s *suite) consumerChecks() {
	s.run("consumer: records that are there, and those that come", subscription)
	s.run("consumer: a shard's end", shardEnd)
	s.run("consumer: refusals", consumerRefusals)
}

func (t *tester) register(name string) *string {
	consumer := t.name("c")
	arn := must(t.client.RegisterStreamConsumer(t.ctx, &kinesis.RegisterStreamConsumerInput{StreamARN: t.summary(name).StreamARN, ConsumerName: &consumer})).Consumer.ConsumerARN
	t.until("the consumer is active", func() bool {
		d := must(t.client.DescribeStreamConsumer(t.ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: arn})).ConsumerDescription
		return d.ConsumerStatus == types.ConsumerStatusActive
	})
	return arn
}

func (t *tester) subscribe(consumer *string, position types.StartingPosition) *kinesis.SubscribeToShardEventStream {
	in := &kinesis.SubscribeToShardInput{ConsumerARN: consumer, ShardId: aws.String(first), StartingPosition: &position}
	for {
		out, err := t.client.SubscribeToShard(t.ctx, in)
		if is[*types.ResourceInUseException](err) { // the one before has not ended yet
			time.Sleep(100 * time.Millisecond)
			continue
		}
		return must(out, err).GetStream()
	}
}

// read takes events until n records came, or, of a closed shard, all.
func read(stream *kinesis.SubscribeToShardEventStream, n int) (records []types.Record, last types.SubscribeToShardEvent) {
	defer stream.Close()
	for event := range stream.Events() {
		last = event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value
		if records = append(records, last.Records...); n > 0 && len(records) >= n {
			return records, last
		}
	}
	must(0, stream.Err())
	return records, last
}

func subscription(t *tester) {
	name := t.stream(1)
	consumer := t.register(name)
	t.put(name, "k", "0")
	stream := t.subscribe(consumer, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
	t.put(name, "k", "1")
	want := t.put(name, "k", "나루").SequenceNumber
	got, last := read(stream, 3)
	equal("records", texts(got), []string{"0", "1", "나루"})
	holds(*last.ContinuationSequenceNumber >= *want, "it goes on at %s, before its last record %s", *last.ContinuationSequenceNumber, *want)
	t.put(name, "k", "3")
	got, _ = read(t.subscribe(consumer, types.StartingPosition{Type: types.ShardIteratorTypeAfterSequenceNumber, SequenceNumber: last.ContinuationSequenceNumber}), 1)
	equal("records that came after", texts(got), []string{"3"})
}

func shardEnd(t *tester) {
	name := t.stream(1)
	consumer := t.register(name)
	t.put(name, "k", "0")
	t.split(name, first)
	got, last := read(t.subscribe(consumer, types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon}), 0)
	equal("records", texts(got), []string{"0"})
	equal("children", len(last.ChildShards), 2)
}

func consumerRefusals(t *tester) {
	consumer := t.register(t.stream(1))
	_, err := t.client.SubscribeToShard(t.ctx, &kinesis.SubscribeToShardInput{
		ConsumerARN: consumer, ShardId: aws.String("shardId-000000000009"), StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeLatest}})
	refused[*types.ResourceNotFoundException](err)
}

func (s *suite) keyChecks() {
	s.run("keys: wrong ones", func(t *tester) {
		client := must(connect(context.Background(), func(o *kinesis.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("NOBODY", "x", "")
		}))
		_, err := client.ListStreams(t.ctx, &kinesis.ListStreamsInput{})
		refused[*smithy.GenericAPIError](err, "security token")
	})
}
