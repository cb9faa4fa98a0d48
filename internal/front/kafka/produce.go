package kafka

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// Produce (0), versions 3-13.
//
// Behaviour: each partition's one batch (magic 2, KIP-98) goes to its log as it
// came. acks 1 and all are answered when it is durable as --sync says; acks 0 is
// not answered, and an error closes the connection, as in Kafka. Each partition
// has its own outcome. Idempotent producers are checked by the log. A partition
// that another broker has is NOT_LEADER_OR_FOLLOWER, from version 10 on with its
// leader (KIP-951). From version 13 on topics are named by id.
//
// Deviations: acks 1 is as good as all: there is one replica. The timeout is
// not used: a commit waits for the disk and nothing else. A transactional id is
// refused with UNSUPPORTED_VERSION. An error has its message, but does not
// single out the records of its batch (RecordErrors, KIP-467, is empty).
var _ = register(wire.KeyProduce, true, decoding(produce))

var (
	errAcks           = fault.New(fault.InvalidArgument, "acks must be 0, 1 or -1 (all)")
	errNoTransactions = fault.New(fault.Unimplemented, "transactions are not supported")
	errOneBatch       = fault.New(fault.InvalidArgument, "a partition takes exactly one record batch for each request")
	errZstd           = fault.New(fault.InvalidArgument, "zstd needs version 7 of Produce or later (KIP-110)")
)

// produceCode is codeOf for errors that only this file makes.
func produceCode(err error, byID bool) int16 {
	switch {
	case errors.Is(err, errAcks):
		return codeInvalidRequiredAcks
	case errors.Is(err, errOneBatch):
		return codeInvalidRecord
	case errors.Is(err, errZstd):
		return codeUnsupportedCompression
	}
	return partitionCode(err, byID)
}

// producing is a produce request whose batches are on their way.
type producing struct {
	call  *call
	frame *frame
	resp  wire.ProduceResponse
	acks  int16
	byID  bool
	// left is the number of batches that are not settled, and one for start.
	left atomic.Int32
	code atomic.Int32 // the first error's
	lost atomic.Bool  // another broker has one of the partitions

	handOver
}

func produce(c *call, q *wire.ProduceRequest) {
	p := &producing{call: c, frame: c.frame, acks: q.Acks, byID: c.version >= 13, handOver: handOver{conn: c.conn}}
	n := 0
	for i := range q.TopicData {
		n += len(q.TopicData[i].PartitionData)
	}
	if n+len(q.TopicData) > producePartitionsMax {
		c.fail(fmt.Errorf("produce request names %d topics and %d partitions, at most %d are allowed", len(q.TopicData), n, producePartitionsMax))
		return
	}
	p.resp.Responses = make([]wire.ProduceResponseTopicProduceResponse, len(q.TopicData))
	parts := make([]wire.ProduceResponsePartitionProduceResponse, n)
	p.left.Store(int32(n) + 1)
	refused := checkProduce(q)
	for i := range q.TopicData {
		t, out := &q.TopicData[i], &p.resp.Responses[i]
		out.Name, out.TopicId = t.Name, t.TopicId
		out.PartitionResponses, parts = parts[:len(t.PartitionData)], parts[len(t.PartitionData):]
		for j := range t.PartitionData {
			d, r := &t.PartitionData[j], &out.PartitionResponses[j]
			r.Index = d.Index
			if refused != nil {
				p.settle(r, broker.Appended{}, refused)
				continue
			}
			p.append(t, d, r)
		}
	}
	p.done()
}

// checkProduce is what holds for the request as a whole.
func checkProduce(q *wire.ProduceRequest) error {
	if q.Acks < -1 || q.Acks > 1 {
		return fmt.Errorf("%w, not %d", errAcks, q.Acks)
	}
	if q.TransactionalId != nil {
		return errNoTransactions
	}
	return nil
}

// append hands one batch to its partition.
func (p *producing) append(t *wire.ProduceRequestTopicProduceData, d *wire.ProduceRequestPartitionProduceData, r *wire.ProduceResponsePartitionProduceResponse) {
	s := p.call.conn.s
	part, err := s.partition(t.Name, t.TopicId, d.Index)
	if part != nil && err != nil && s.broker.Owner(part.Slot()) == s.broker.NodeID() {
		p.await(part) // here, what comes next on this connection waits too, and stays behind
		err = part.Local()
	}
	if err == nil {
		err = checkBatch(d.Records, p.call.version)
	}
	if err != nil {
		p.settle(r, broker.Appended{}, err)
		return
	}
	p.frame.retain()
	part.Append(p.call.conn.ctx, d.Records, func(a broker.Appended, err error) {
		p.frame.release()
		p.settle(r, a, err)
	})
}

// checkBatch refuses what is not one batch; the broker checks the batch.
func checkBatch(b []byte, version int16) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: there is none", errOneBatch)
	}
	h, err := record.ParseHeader(b)
	if err != nil {
		return err
	}
	if h.Bytes() >= record.HeaderBytes && h.Bytes() < len(b) {
		return fmt.Errorf("%w: %d bytes follow the first", errOneBatch, len(b)-h.Bytes())
	}
	if h.Codec() == record.Zstd && version < 7 {
		return errZstd
	}
	return nil
}

// settle records one batch's outcome. The last one finishes the request.
func (p *producing) settle(r *wire.ProduceResponsePartitionProduceResponse, a broker.Appended, err error) {
	r.BaseOffset, r.LogAppendTimeMs, r.LogStartOffset = int64(a.Base), a.LogAppendTime, int64(a.LogStart)
	if err != nil {
		r.ErrorCode, r.ErrorMessage = produceCode(err, p.byID), textOf(err)
		r.BaseOffset, r.LogAppendTimeMs, r.LogStartOffset = -1, -1, -1
		p.code.CompareAndSwap(0, int32(r.ErrorCode))
		if r.ErrorCode == codeNotLeader {
			p.lost.Store(true)
		}
	}
	p.done()
}

func (p *producing) done() {
	if p.left.Add(-1) > 0 {
		return
	}
	if p.lost.Load() && p.call.version >= 10 {
		go p.finishLost() // it may wait
		return
	}
	p.finish()
}

// finishLost finishes a request about partitions that are not here.
func (p *producing) finishLost() {
	p.tellLeaders()
	p.finish()
}

func (p *producing) finish() {
	c := p.call
	c.note(int16(p.code.Load()))
	switch {
	case p.acks != 0:
		c.finish(&p.resp)
	case c.code != codeNone:
		c.fail(fmt.Errorf("produce with acks 0 failed: %s", p.firstError()))
	default:
		c.finish(nil)
	}
}

// tellLeaders says where the partitions are that are not here.
func (p *producing) tellLeaders() {
	var l leaders
	for i := range p.resp.Responses {
		t := &p.resp.Responses[i]
		for j := range t.PartitionResponses {
			r := &t.PartitionResponses[j]
			if r.ErrorCode != codeNotLeader {
				continue
			}
			part, _ := p.call.conn.s.partition(t.Name, t.TopicId, r.Index)
			if part == nil {
				continue
			}
			p.await(part)
			if id, epoch, ok := l.of(p.call.conn, part); ok {
				r.CurrentLeader = &wire.ProduceResponseLeaderIdAndEpoch{LeaderId: id, LeaderEpoch: epoch}
			}
		}
	}
	for _, n := range l.told {
		p.resp.NodeEndpoints = append(p.resp.NodeEndpoints, wire.ProduceResponseNodeEndpoint{NodeId: n.id, Host: n.host, Port: n.port})
	}
}

func (p *producing) firstError() string {
	for i := range p.resp.Responses {
		t := &p.resp.Responses[i]
		for j := range t.PartitionResponses {
			if r := &t.PartitionResponses[j]; r.ErrorCode != codeNone {
				return fmt.Sprintf("%s partition %d: %s", t.Name, r.Index, value(r.ErrorMessage))
			}
		}
	}
	return ""
}
