package broker

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// queuesMachine holds the ledgers of all queues: a statelog.Machine. A command's
// key is the queue's id, 8 bytes big-endian; no value forgets the queue. The log
// guards it.
type queuesMachine struct {
	now     func() int64
	ledgers map[uint64]*queue.Ledger
}

func queueKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

// ledger returns the ledger of a queue, made if it is new.
func (m *queuesMachine) ledger(id uint64) *queue.Ledger {
	l := m.ledgers[id]
	if l == nil {
		l = queue.NewLedger()
		m.ledgers[id] = l
	}
	return l
}

// Apply implements statelog.Machine.
func (m *queuesMachine) Apply(rec record.Record) error {
	if len(rec.Key) != 8 {
		return fmt.Errorf("%w: key of %d bytes", queue.ErrMalformed, len(rec.Key))
	}
	id := binary.BigEndian.Uint64(rec.Key)
	if rec.Value == nil {
		delete(m.ledgers, id)
		return nil
	}
	if err := m.ledger(id).Apply(rec.Value, rec.Timestamp); err != nil {
		return fmt.Errorf("queue %d: %w", id, err)
	}
	return nil
}

// Snapshot implements statelog.Machine.
func (m *queuesMachine) Snapshot(emit func(key, value []byte)) {
	now := m.now()
	for id, l := range m.ledgers {
		key := queueKey(id)
		l.Snapshot(now, func(cmd []byte) { emit(key, cmd) })
	}
}
