package queue

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/record"
)

// A command changes the ledger. Numbers are uvarints, signed ones zigzag.
//
//	finish  1 source ranges                   these are done
//	touch   2 source until attempts ranges    delivered so often; leased until then (0 = not, negative = held back)
//	floor   3 source floor                    all below is done
//	state   4 source n {gap attempts first until}   snapshot of touched records
//	sent    5 source n {hash128 gap time}     ids of what was sent
//	note    6 0 key 0|1 value                 a caller's own small state; 0 = forget it
//	park    7 source run blocks ranges        these are in a run of blocks on the delay log; see run.go
//	unpark  8 source run                      all of the run is done
//	parked  9 source ranges                   snapshot of what is in runs
//
//	ranges = n {gap length}: gap from the end of the one before
type commandKind uint8

// On disk: never renumber.
const (
	cmdFinish commandKind = 1
	cmdTouch  commandKind = 2
	cmdFloor  commandKind = 3
	cmdState  commandKind = 4
	cmdSent   commandKind = 5
	cmdNote   commandKind = 6
	cmdPark   commandKind = 7
	cmdUnpark commandKind = 8
	cmdParked commandKind = 9
)

// sourcesMax bounds what a command may make the ledger allocate.
const sourcesMax = 10_000

// span is a run of offsets [from, to).
type span struct{ from, to record.Offset }

// writer builds a command.
type writer []byte

func newCommand(k commandKind, s Source) writer {
	return binary.AppendUvarint(append(make(writer, 0, 24), byte(k)), uint64(s))
}

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }
func (w *writer) int(v int64)   { *w = binary.AppendVarint(*w, v) }

func (w *writer) bytes(b []byte) {
	w.uint(uint64(len(b)))
	*w = append(*w, b...)
}

func (w *writer) spans(list []span) {
	w.uint(uint64(len(list)))
	var at record.Offset
	for _, s := range list {
		w.uint(uint64(s.from - at))
		w.uint(uint64(s.to - s.from))
		at = s.to
	}
}

// reader takes a command apart; the first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	r.b = nil
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("number cut short")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items of at least size bytes each.
func (r *reader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.b)/size) {
		r.fail("more items than bytes")
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail("bytes cut short")
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) bytes() []byte { return r.take(r.count(1)) }

func (r *reader) offset() record.Offset { return r.after(0) }

// after reads the distance to the offset `at`.
func (r *reader) after(at record.Offset) record.Offset {
	d := r.uint()
	if d > uint64(offsetMax-at) {
		r.fail("offset out of range")
		return at
	}
	return at + record.Offset(d)
}

const (
	offsetMax = record.Offset(1) << 62

	touchesMax = 1 << 17 // records that one command may touch one by one
	coveredMax = 1 << 36 // offsets that one command may add to a bitmap, which has some 130 bytes for 65,536 of them
)

// someSpans is spans of no more than max offsets.
func (r *reader) someSpans(max int64) []span {
	list, n := r.spans(), int64(0)
	for _, s := range list {
		if n += int64(s.to - s.from); n > max {
			r.fail("too many offsets")
			return nil
		}
	}
	return list
}

func (r *reader) spans() []span {
	n := r.count(2)
	list := make([]span, 0, n)
	var at record.Offset
	for range n {
		s := span{from: r.after(at)}
		s.to = r.after(s.from)
		if r.err != nil {
			return nil
		}
		at = s.to
		list = append(list, s)
	}
	return list
}
