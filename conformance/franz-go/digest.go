package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// digest reads a topic from its start to its present end and prints, for each
// partition, `digest <partition> <records> <sha256>`. The hash runs over
// timestamp, key, value and headers of each record; lengths are 4 bytes big
// endian, -1 for null.
func digest(o options) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap), kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, o.topic)
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	sums := map[int32]hash.Hash{}
	counts := map[int32]int{}
	ends.Each(func(l kadm.ListedOffset) {
		sums[l.Partition] = sha256.New()
		if l.Offset > 0 {
			left[l.Partition] = l.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			addRecord(sums[r.Partition], r)
			counts[r.Partition]++
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	var order []int
	for p := range sums {
		order = append(order, int(p))
	}
	sort.Ints(order)
	for _, p := range order {
		fmt.Printf("digest\t%d\t%d\t%x\n", p, counts[int32(p)], sums[int32(p)].Sum(nil))
	}
	return nil
}

func addRecord(h hash.Hash, r *kgo.Record) {
	binary.Write(h, binary.BigEndian, r.Timestamp.UnixMilli())
	addBytes(h, r.Key)
	addBytes(h, r.Value)
	binary.Write(h, binary.BigEndian, int32(len(r.Headers)))
	for _, header := range r.Headers {
		addBytes(h, []byte(header.Key))
		addBytes(h, header.Value)
	}
}

func addBytes(h hash.Hash, b []byte) {
	n := int32(len(b))
	if b == nil {
		n = -1
	}
	binary.Write(h, binary.BigEndian, n)
	h.Write(b)
}
