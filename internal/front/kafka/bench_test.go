package kafka

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

// skip reads an answer and forgets it.
func (c *client) skip() {
	var size [4]byte
	if _, err := io.ReadFull(c.r, size[:]); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.r.Discard(int(binary.BigEndian.Uint32(size[:]))); err != nil {
		c.t.Fatal(err)
	}
}

// BenchmarkProduce has 32 requests of one batch in flight on one connection,
// with fdatasync before each answer.
func BenchmarkProduce(b *testing.B) {
	for _, kib := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dKiB", kib), func(b *testing.B) {
			rig := newRig(b)
			rig.createTopic("t", 1)
			c := rig.dial()
			c.nc.SetDeadline(time.Time{})
			frame := c.frame(9, produceRequest(-1, "t", batch(b, 1, kib<<10)))
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			b.ResetTimer()
			const window = 32
			for i := range b.N {
				c.write(frame)
				if i >= window {
					c.skip()
				}
			}
			for range min(window, b.N) {
				c.skip()
			}
		})
	}
}

// BenchmarkFetch reads 1 MiB of batches from the cache with each request.
func BenchmarkFetch(b *testing.B) {
	for _, kib := range []int{1, 100} {
		b.Run(fmt.Sprintf("%dKiB", kib), func(b *testing.B) {
			rig := newRig(b)
			rig.createTopic("t", 1)
			for range 1024 / kib {
				rig.put("t", 0, 1, kib<<10)
			}
			c := rig.dial()
			c.nc.SetDeadline(time.Time{})
			q := fetchRequest("t", 0)
			frame := c.frame(12, q)
			b.SetBytes(1 << 20)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				c.write(frame)
				c.skip()
			}
		})
	}
}

// BenchmarkFetchSession has a thousand partitions in a session of which one
// gets a record before each fetch.
func BenchmarkFetchSession(b *testing.B) {
	rig := newRig(b)
	const n = 1000
	rig.createTopic("t", n)
	c := rig.dial()
	c.nc.SetDeadline(time.Time{})
	q := fetchRequest("t", make([]int64, n)...)
	q.SessionEpoch = epochFull
	r := ask[*wire.FetchResponse](c, 12, q)
	high := make([]int64, n)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		// Take the last one's record as read, then ask.
		next(q, r)
		p := i % n
		b.StopTimer()
		rig.put("t", int32(p), 1, 100)
		high[p]++
		b.StartTimer()
		c.send(12, q)
		c.asked = c.asked[:0]
		c.skip()
		next(q, r)
		t := fetchRequest("t", 0).Topics
		t[0].Partitions[0].Partition, t[0].Partitions[0].FetchOffset = int32(p), high[p]
		q.Topics = t
		c.send(12, q)
		c.asked = c.asked[:0]
		c.skip()
	}
}
