package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
)

const producersTopic = "__naru_producers"

// producersMachine saves what partitions remember of idempotent producers. Its
// commands are the data itself: a batch's header says all. So only snapshots
// are written, one whenever a segment is sealed, and at start what was appended
// after the last of them is read again.
//
// On disk: never change without a new version byte.
//
//	key "sealed"        value: version 1, segment u64: the state holds all of it
//	key stream u64      value: version 1, then per batch: producer i64, epoch i16,
//	                    first i32, last i32, base offset i64, timestamp i64
type producersMachine struct {
	s      *slot
	log    *statelog.Log
	newest atomic.Uint64 // the newest sealed segment
	wake   chan struct{}

	// During replay only: the logs of partitions, and what the last snapshot held.
	parts     map[journal.StreamID]*commitlog.Partition
	recovered journal.SegmentID
}

const (
	producersVersion  = 1
	sentBatchBytes    = 34
	sentBatchesPerKey = 8192
)

var (
	sealedKey            = []byte("sealed")
	errMalformedProducer = fault.New(fault.DataLoss, "malformed producer state")
)

func newProducersMachine(s *slot) *producersMachine {
	return &producersMachine{s: s, wake: make(chan struct{}, 1)}
}

func (s *slot) openProducers() error {
	m := s.producers
	m.parts = make(map[journal.StreamID]*commitlog.Partition)
	for _, p := range s.b.topics.all() {
		if p.Slot() == s.id {
			log := s.log(p)
			m.parts[log.ID()] = log
		}
	}
	var err error
	if m.log, err = s.openState(producersTopic, m); err != nil {
		return err
	}
	err = s.journal.Replay(m.recovered, func(r journal.Replayed) {
		if p := m.parts[r.Stream]; p != nil {
			if h, err := record.ParseHeader(r.Payload); err == nil {
				p.RememberBatch(h)
			}
		}
	})
	m.parts = nil
	return err
}

// sealed is told by the journal; it must not block.
func (m *producersMachine) sealed(id journal.SegmentID) {
	m.newest.Store(max(m.newest.Load(), uint64(id)))
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// saveLoop writes a snapshot after each sealed segment.
func (m *producersMachine) saveLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		}
		if err := m.log.Snapshot(); err != nil && ctx.Err() == nil {
			m.s.b.log.Warn("saving producers' state put off to the next segment", "err", err)
		}
	}
}

func (m *producersMachine) close() { m.log.Close() }

// Snapshot implements statelog.Machine.
func (m *producersMachine) Snapshot(emit func(key, value []byte)) {
	value := make([]byte, 9)
	value[0] = producersVersion
	binary.BigEndian.PutUint64(value[1:], m.newest.Load())
	emit(sealedKey, value)
	for _, log := range m.s.allLogs() {
		sent := log.SentBatches()
		for len(sent) > 0 {
			n := min(len(sent), sentBatchesPerKey)
			emit(binary.BigEndian.AppendUint64(nil, uint64(log.ID())), encodeSent(sent[:n]))
			sent = sent[n:]
		}
	}
}

func encodeSent(sent []commitlog.SentBatch) []byte {
	b := make([]byte, 0, 1+len(sent)*sentBatchBytes)
	b = append(b, producersVersion)
	for _, s := range sent {
		b = binary.BigEndian.AppendUint64(b, uint64(s.ProducerID))
		b = binary.BigEndian.AppendUint16(b, uint16(s.ProducerEpoch))
		b = binary.BigEndian.AppendUint32(b, uint32(s.FirstSequence))
		b = binary.BigEndian.AppendUint32(b, uint32(s.LastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(s.Base))
		b = binary.BigEndian.AppendUint64(b, uint64(s.Timestamp))
	}
	return b
}

func decodeSent(b []byte) ([]commitlog.SentBatch, error) {
	if len(b) < 1 || b[0] != producersVersion || (len(b)-1)%sentBatchBytes != 0 {
		return nil, fmt.Errorf("%w: %d bytes", errMalformedProducer, len(b))
	}
	sent := make([]commitlog.SentBatch, 0, (len(b)-1)/sentBatchBytes)
	for b = b[1:]; len(b) > 0; b = b[sentBatchBytes:] {
		sent = append(sent, commitlog.SentBatch{
			ProducerID:    int64(binary.BigEndian.Uint64(b)),
			ProducerEpoch: int16(binary.BigEndian.Uint16(b[8:])),
			FirstSequence: int32(binary.BigEndian.Uint32(b[10:])),
			LastSequence:  int32(binary.BigEndian.Uint32(b[14:])),
			Base:          record.Offset(binary.BigEndian.Uint64(b[18:])),
			Timestamp:     int64(binary.BigEndian.Uint64(b[26:])),
		})
	}
	return sent, nil
}

// Apply implements statelog.Machine. After the replay it sees its own
// snapshots, which tell it nothing new.
func (m *producersMachine) Apply(rec record.Record) error {
	if m.parts == nil {
		return nil
	}
	if string(rec.Key) == string(sealedKey) {
		if len(rec.Value) != 9 || rec.Value[0] != producersVersion {
			return fmt.Errorf("%w: sealed segment of %d bytes", errMalformedProducer, len(rec.Value))
		}
		m.recovered = journal.SegmentID(binary.BigEndian.Uint64(rec.Value[1:]))
		return nil
	}
	if len(rec.Key) != 8 {
		return fmt.Errorf("%w: key of %d bytes", errMalformedProducer, len(rec.Key))
	}
	sent, err := decodeSent(rec.Value)
	if err != nil {
		return err
	}
	p := m.parts[journal.StreamID(binary.BigEndian.Uint64(rec.Key))]
	for _, s := range sent {
		if p != nil {
			p.Remember(s)
		}
	}
	return nil
}

// producerIDs gives out ids from blocks that the catalog reserves.
type producerIDs struct {
	mu   sync.Mutex
	next int64
	left int
}

// NewProducerID returns an id that nobody else has or had. Its epoch is 0.
func (b *Broker) NewProducerID() (int64, error) {
	ids := &b.producerIDs
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.left == 0 {
		first, n, err := b.catalog.NextProducerIDBlock()
		if err != nil {
			return 0, err
		}
		ids.next, ids.left = first, n
	}
	id := ids.next
	ids.next++
	ids.left--
	return id, nil
}
