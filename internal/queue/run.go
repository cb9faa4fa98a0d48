package queue

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/record"
)

// A run is a sorted list of delayed records on the delay log, in blocks: one
// block is one record of that log, and the blocks of a run follow one another.
//
//	block = n {due gap (zigzag) | offset (zigzag, to the one before) | sent | expires | group 8}
type Run struct {
	First  record.Offset // of its first block, on the delay log
	Blocks int32
	// low and high bound the offsets of its records.
	low, high record.Offset
}

const (
	blockEntries = 1_024
	runBlocksMax = 1 << 20
)

func parkCommand(s Source, r Run, list []span) []byte {
	w := newCommand(cmdPark, s)
	w.uint(uint64(r.First))
	w.uint(uint64(r.Blocks))
	w.spans(list)
	return w
}

func unparkCommand(s Source, r Run) []byte {
	w := newCommand(cmdUnpark, s)
	w.uint(uint64(r.First))
	return w
}

// encodeBlock writes records that are sorted by DueAt.
func encodeBlock(list []Meta) []byte {
	w := make(writer, 0, 16*len(list)+8)
	w.uint(uint64(len(list)))
	var due int64
	var at record.Offset
	for i := range list {
		m := &list[i]
		w.int(m.DueAt - due)
		w.int(int64(m.Offset - at))
		w.int(m.SentAt)
		w.int(m.ExpiresAt)
		w = binary.LittleEndian.AppendUint64(w, m.Group)
		due, at = m.DueAt, m.Offset
	}
	return w
}

func decodeBlock(b []byte) ([]Meta, error) {
	r := reader{b: b}
	list := make([]Meta, r.count(12))
	var due int64
	var at record.Offset
	for i := range list {
		due += r.int()
		at += record.Offset(r.int())
		list[i] = Meta{Offset: at, DueAt: due, SentAt: r.int(), ExpiresAt: r.int()}
		if g := r.take(8); g != nil {
			list[i].Group = binary.LittleEndian.Uint64(g)
		}
		if at < 0 {
			r.fail("offset out of range")
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("block of delayed records: %w", r.err)
	}
	return list, nil
}
