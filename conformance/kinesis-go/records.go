package main

import (
	"crypto/md5"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

func (s *suite) recordChecks() {
	s.run("record: put and get", putAndGet)
	s.run("record: hash keys", hashKeys)
	s.run("record: 500 in one request", batch)
	s.run("record: iterators", iterators)
	s.run("record: numbers grow with each put", ordering)
	s.run("record: many at once", atOnce)
}

func putAndGet(t *tester) {
	name := t.stream(1)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	put := t.put(name, "주문 🛶", string(every))
	r := t.records(t.from(name, first), 1)[0]
	equal("record", []string{string(r.Data), *r.PartitionKey, *r.SequenceNumber}, []string{string(every), "주문 🛶", *put.SequenceNumber})
	holds(time.Since(*r.ApproximateArrivalTimestamp).Abs() < time.Minute, "arrived at %v", r.ApproximateArrivalTimestamp)
}

func hashKeys(t *tester) {
	name := t.stream(4)
	shards := t.shards(name)
	for i := range 40 {
		key := fmt.Sprintf("열쇠 %d", i)
		sum := md5.Sum([]byte(key))
		hash, want := new(big.Int).SetBytes(sum[:]), ""
		for _, s := range shards {
			if start, ok := new(big.Int).SetString(*s.HashKeyRange.StartingHashKey, 10); ok && hash.Cmp(start) >= 0 {
				want = *s.ShardId
			}
		}
		equal("shard of "+key, *t.put(name, key, "x").ShardId, want)
	}
}

func batch(t *tester) {
	name := t.stream(1)
	in := &kinesis.PutRecordsInput{StreamName: &name}
	var want []string
	for i := range 500 {
		key, data := fmt.Sprint("k", i), fmt.Sprint(i)
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: &key, Data: []byte(data)})
		want = append(want, data)
	}
	answer := must(t.client.PutRecords(t.ctx, in))
	equal("failed records", *answer.FailedRecordCount, int32(0))
	got := t.records(t.from(name, first), 500)
	equal("records", texts(got), want)
	for i, r := range answer.Records {
		equal("sequence number", *r.SequenceNumber, *got[i].SequenceNumber)
	}
}

func iterators(t *tester) {
	name, shard := t.stream(1), first
	t.put(name, "k", "0")
	time.Sleep(1100 * time.Millisecond)
	middle := time.Now()
	latest := t.iterator(&kinesis.GetShardIteratorInput{StreamName: &name, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeLatest})
	one := t.put(name, "k", "1")
	t.put(name, "k", "2")
	equal("LATEST", texts(t.records(latest, 2)), []string{"1", "2"})
	for _, test := range []struct {
		kind types.ShardIteratorType
		at   *time.Time
		want []string
	}{
		{types.ShardIteratorTypeAtSequenceNumber, nil, []string{"1", "2"}},
		{types.ShardIteratorTypeAfterSequenceNumber, nil, []string{"2"}},
		{types.ShardIteratorTypeAtTimestamp, &middle, []string{"1", "2"}},
		{types.ShardIteratorTypeTrimHorizon, nil, []string{"0", "1", "2"}},
	} {
		in := &kinesis.GetShardIteratorInput{StreamName: &name, ShardId: &shard, ShardIteratorType: test.kind, Timestamp: test.at}
		if test.at == nil && test.kind != types.ShardIteratorTypeTrimHorizon {
			in.StartingSequenceNumber = one.SequenceNumber
		}
		equal(string(test.kind), texts(t.records(t.iterator(in), len(test.want))), test.want)
	}
}

func ordering(t *tester) {
	name, last := t.stream(1), new(big.Int)
	key := "k"
	var number *string
	for i := range 20 {
		out := must(t.client.PutRecord(t.ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: []byte{byte(i)}, SequenceNumberForOrdering: number}))
		number = out.SequenceNumber
		n, ok := new(big.Int).SetString(*number, 10)
		holds(ok && n.Cmp(last) > 0, "%s does not come after %s", *number, last)
		last = n
	}
}

func atOnce(t *tester) {
	name := t.stream(2)
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for w := range 20 {
		wg.Go(func() {
			for i := range 20 {
				key, data := fmt.Sprint(w), []byte(fmt.Sprint(i))
				if _, err := t.client.PutRecord(t.ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: data}); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	must(0, <-errs)
	next := map[string]int{}
	for _, s := range t.shards(name) {
		for iterator := t.from(name, *s.ShardId); ; {
			answer := must(t.client.GetRecords(t.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator}))
			for _, r := range answer.Records {
				equal("record of "+*r.PartitionKey, string(r.Data), fmt.Sprint(next[*r.PartitionKey]))
				next[*r.PartitionKey]++
			}
			if iterator = answer.NextShardIterator; len(answer.Records) == 0 && *answer.MillisBehindLatest == 0 {
				break
			}
		}
	}
	for w := range 20 {
		equal(fmt.Sprint("records of ", w), next[fmt.Sprint(w)], 20)
	}
}
