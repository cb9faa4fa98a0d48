package main

import (
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func (s *suite) streamChecks() {
	s.run("stream: create, describe, delete", streamLifecycle)
	s.run("stream: list in pages", streamPages)
	s.run("stream: split, drain and merge", reshard)
	s.run("stream: a new count of shards", shardCount)
	s.run("stream: refusals", streamRefusals)
}

func streamLifecycle(t *tester) {
	name := t.name("s")
	must(t.client.CreateStream(t.ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(2)}))
	quick := func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second }
	must(0, kinesis.NewStreamExistsWaiter(t.client).Wait(t.ctx, &kinesis.DescribeStreamInput{StreamName: &name}, 50*time.Second, quick))
	d := must(t.client.DescribeStream(t.ctx, &kinesis.DescribeStreamInput{StreamName: &name})).StreamDescription
	equal("status", d.StreamStatus, types.StreamStatusActive)
	equal("shards", []string{*d.Shards[0].ShardId, *d.Shards[1].ShardId}, []string{first, "shardId-000000000001"})
	holds(time.Since(*d.StreamCreationTimestamp).Abs() < time.Minute, "created at %v", d.StreamCreationTimestamp)
	must(t.client.DeleteStream(t.ctx, &kinesis.DeleteStreamInput{StreamARN: d.StreamARN}))
	slow := func(o *kinesis.StreamNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, time.Second
	}
	must(0, kinesis.NewStreamNotExistsWaiter(t.client).Wait(t.ctx, &kinesis.DescribeStreamInput{StreamName: &name}, 50*time.Second, slow))
}

func streamPages(t *tester) {
	want := []string{t.stream(1), t.stream(1), t.stream(1)}
	ours := map[string]bool{want[0]: true, want[1]: true, want[2]: true}
	var got []string
	for p := kinesis.NewListStreamsPaginator(t.client, &kinesis.ListStreamsInput{Limit: aws.Int32(2)}); p.HasMorePages(); {
		for _, name := range must(p.NextPage(t.ctx)).StreamNames {
			if ours[name] {
				got = append(got, name)
			}
		}
	}
	equal("streams", got, want)
}

func (t *tester) split(name, shard string) {
	for _, s := range t.shards(name) {
		if *s.ShardId == shard {
			start, _ := new(big.Int).SetString(*s.HashKeyRange.StartingHashKey, 10)
			end, _ := new(big.Int).SetString(*s.HashKeyRange.EndingHashKey, 10)
			middle := new(big.Int).Rsh(start.Add(start, end), 1).String()
			must(t.client.SplitShard(t.ctx, &kinesis.SplitShardInput{StreamName: &name, ShardToSplit: &shard, NewStartingHashKey: &middle}))
		}
	}
	t.active(name)
}

func reshard(t *tester) {
	name := t.stream(1)
	t.put(name, "k", "0")
	t.split(name, first)
	equal("children", []string{*t.shards(name)[1].ParentShardId, *t.shards(name)[2].ParentShardId}, []string{first, first})
	var got []types.Record
	var children []types.ChildShard
	for iterator := t.from(name, first); iterator != nil; {
		answer := must(t.client.GetRecords(t.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator}))
		got, children, iterator = append(got, answer.Records...), answer.ChildShards, answer.NextShardIterator
	}
	equal("records of the parent", texts(got), []string{"0"})
	equal("children at its end", len(children), 2)
	must(t.client.MergeShards(t.ctx, &kinesis.MergeShardsInput{StreamName: &name, ShardToMerge: children[0].ShardId, AdjacentShardToMerge: children[1].ShardId}))
	t.active(name)
	merged := t.shards(name)[3]
	equal("parents", []string{*merged.ParentShardId, *merged.AdjacentParentShardId}, []string{"shardId-000000000001", "shardId-000000000002"})
}

func shardCount(t *tester) {
	name := t.stream(1)
	for _, target := range []int32{2, 4, 3} {
		must(t.client.UpdateShardCount(t.ctx, &kinesis.UpdateShardCountInput{StreamName: &name, TargetShardCount: &target, ScalingType: types.ScalingTypeUniformScaling}))
		t.active(name)
		equal("open shards", *t.summary(name).OpenShardCount, target)
	}
}

func streamRefusals(t *tester) {
	name, none := t.stream(1), t.name("none")
	_, err := t.client.CreateStream(t.ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: aws.Int32(1)})
	refused[*types.ResourceInUseException](err, "Stream "+name+" under account ")
	_, err = t.client.DescribeStream(t.ctx, &kinesis.DescribeStreamInput{StreamName: &none})
	refused[*types.ResourceNotFoundException](err, "Stream "+none+" under account ", " not found.")
	_, err = t.client.GetRecords(t.ctx, &kinesis.GetRecordsInput{ShardIterator: aws.String("none")})
	refused[*types.InvalidArgumentException](err)
	_, err = t.client.PutRecord(t.ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: aws.String(""), Data: []byte("x")})
	refused[*types.ValidationException](err, "1 validation error detected: Value '' at 'partitionKey' failed to satisfy constraint: Member must have length greater than or equal to 1")
}
