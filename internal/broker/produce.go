package broker

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// NewRecord is what Produce takes.
type NewRecord struct {
	Partition  int32 // below 0: by the hash key, or by the key as Kafka's clients choose, or in turns
	Hashed     bool  // Hash says where it belongs
	Hash       catalog.HashKey
	Timestamp  int64 // milliseconds since 1970; below 0: now
	Key, Value []byte
	Headers    []record.HeaderField
}

// ErrOnceReused: what came under the key before was something else.
var ErrOnceReused = fault.New(fault.FailedPrecondition, "the idempotency key was used for another request")

// Once makes a call happen once, however often it is repeated. It is remembered as
// an idempotent producer is (KIP-98): by each partition that got something, for as
// long as that remembers producers, and among the latest of those.
type Once struct {
	Key    string            // the caller's
	Digest [sha256.Size]byte // of what the call asks for
}

// producer is the producer id and the sequence number that stand for its batch of
// that number. The ids that NewProducerID gives out are small, so that these are
// none of them; the digest is in the sequence, so that another request under the
// key does not fit.
func (o *Once) producer(number int) (id int64, sequence int32) {
	key := []byte(o.Key)
	if number > 0 {
		key = fmt.Appendf(key, "\x00%d", number)
	}
	sum := sha256.Sum256(key)
	id = int64(binary.BigEndian.Uint64(sum[:])&math.MaxInt64 | 1<<62)
	return id, int32(binary.BigEndian.Uint32(o.Digest[:]) & math.MaxInt32)
}

// Produce appends records to a topic, those of each partition in order. done is
// called once, when all of them are durable or refused, maybe before Produce
// returns, else from the committer: it must be quick and must not block. Produce
// may wait for room until ctx ends. What the records hold is copied. With once,
// which may be nil, what an earlier call has appended is not appended again.
//
// Errors: catalog.ErrUnknownTopic; of single records ErrUnknownPartition,
// ErrOnceReused and those of Partition.Append.
func (b *Broker) Produce(ctx context.Context, topic string, once *Once, list []NewRecord, done func([]Sent)) error {
	place, err := lookUp(b, func() (*placement, error) { return b.topics.placementOf(topic) })
	if err != nil {
		return err
	}
	keyless := place.inTurn(b.turn.Add(1))
	if once != nil {
		keyless = place.byKey([]byte(once.Key))
	}
	c := &sending{results: make([]Sent, len(list)), done: done}
	c.left.Store(int32(len(list)) + 1)
	now := b.nowMS()
	run := sendingRun{ctx: ctx, once: once}
	for i := range list {
		r := &list[i]
		var to *Partition
		switch {
		case int(r.Partition) >= len(place.parts):
			c.results[i].Err = ErrUnknownPartition
			c.finish(1)
			continue
		case r.Partition >= 0:
			to = place.parts[r.Partition]
		case r.Hashed:
			to = place.byHash(r.Hash)
		case r.Key != nil:
			to = place.byKey(r.Key)
		default:
			to = keyless
		}
		at := r.Timestamp
		if at < 0 {
			at = now
		}
		run.add(to.sender(), outgoing{gathered{call: c, index: i, timestamp: at}, r.Key, r.Value, r.Headers})
	}
	run.flush()
	c.finish(1)
	return nil
}

// Limits bound what is decoded of a batch.
func (b *Broker) Limits() record.Limits { return b.limits }

// sender gathers what Produce appends to the partition.
func (p *Partition) sender() *sender {
	if s := p.gather.Load(); s != nil {
		return s
	}
	p.gather.CompareAndSwap(nil, newSender(nil, p))
	return p.gather.Load()
}

// partitionOf is the partition of n that a key belongs to.
func partitionOf(key []byte, n int) int { return int(murmur2(key)&math.MaxInt32) % n }

// murmur2 is the hash by which Kafka's clients choose a key's partition
// (org.apache.kafka.common.utils.Utils.murmur2), so that what they write and what
// queues write is in one order.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		h = h*m ^ (k^k>>24)*m
	}
	if len(b) > 0 {
		for i, c := range b {
			h ^= uint32(c) << (8 * i)
		}
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
