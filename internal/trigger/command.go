package trigger

import (
	"encoding/binary"
	"fmt"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

// A command's key is the trigger's id, 8 bytes big-endian; no value forgets the
// trigger. Numbers are uvarints. Times are milliseconds since 1970.
//
//	define     1 queue created spec
//	condition  2 index flags fired ends begun         flags: 1 armed, 2 armed for max_wait
//	run        3 number condition state fired ended not-before attempts depth partition offset message failure
//	totals     4 next fired succeeded failed          snapshot: numbers that runs alone do not give
//
//	ends, begun = n {offset}, by partition; spec, message, failure = length bytes
type commandKind uint8

// On disk: never renumber.
const (
	cmdDefine    commandKind = 1
	cmdCondition commandKind = 2
	cmdRun       commandKind = 3
	cmdTotals    commandKind = 4
)

const (
	flagArmed     = 1
	flagWaitArmed = 2
)

// ErrMalformed: bytes that are no command.
var ErrMalformed = fault.New(fault.DataLoss, "malformed trigger command")

// Command changes a table; see Table.Apply.
type Command = record.Command

// Key is the key of a trigger's commands.
func Key(id ID) []byte { return binary.BigEndian.AppendUint64(nil, uint64(id)) }

// Remove is the command that forgets a trigger.
func Remove(id ID) Command { return Command{Key: Key(id)} }

// Define is the command that makes a trigger, or changes it. What the conditions
// have fired for is kept if they and the queue stay as they are.
func Define(id ID, queueID uint64, created int64, spec *Spec) (Command, error) {
	b, err := spec.encode()
	if err != nil {
		return Command{}, err
	}
	return defineCommand(id, queueID, created, b), nil
}

func defineCommand(id ID, queueID uint64, created int64, spec []byte) Command {
	w := writer{byte(cmdDefine)}
	w.uint(queueID)
	w.uint(uint64(created))
	w.bytes(spec)
	return Command{Key: Key(id), Value: w}
}

// Begin is the command that lets a trigger's condition on every begin: with the
// messages from floors on, of which those below ends were there before it.
func Begin(id ID, index int, floors, ends []record.Offset) Command {
	return conditionCommand(id, index, &condition{armed: true, waitArmed: true, ends: floors, begun: ends})
}

func conditionCommand(id ID, index int, c *condition) Command {
	w := writer{byte(cmdCondition)}
	w.uint(uint64(index))
	flags := uint64(0)
	if c.armed {
		flags |= flagArmed
	}
	if c.waitArmed {
		flags |= flagWaitArmed
	}
	w.uint(flags)
	w.uint(uint64(c.firedAt))
	w.offsets(c.ends)
	w.offsets(c.begun)
	return Command{Key: Key(id), Value: w}
}

func runCommand(id ID, r *Run) Command {
	w := writer{byte(cmdRun)}
	w.uint(r.Number)
	w.uint(uint64(r.Condition))
	w.uint(uint64(r.State))
	w.uint(uint64(r.FiredAt))
	w.uint(uint64(r.EndedAt))
	w.uint(uint64(r.NotBefore))
	w.uint(uint64(r.Attempts))
	w.uint(uint64(r.Depth))
	w.uint(uint64(r.Partition))
	w.uint(uint64(r.Offset))
	w.bytes(r.Message)
	w.bytes([]byte(r.Failure))
	return Command{Key: Key(id), Value: w}
}

func totalsCommand(t *Trigger) Command {
	w := writer{byte(cmdTotals)}
	w.uint(t.next)
	w.uint(uint64(t.totals.Fired))
	w.uint(uint64(t.totals.Succeeded))
	w.uint(uint64(t.totals.Failed))
	return Command{Key: Key(t.ID), Value: w}
}

type writer []byte

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }

func (w *writer) bytes(b []byte) {
	w.uint(uint64(len(b)))
	*w = append(*w, b...)
}

func (w *writer) offsets(list []record.Offset) {
	w.uint(uint64(len(list)))
	for _, o := range list {
		w.uint(uint64(o))
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

// uint reads a number of at most most.
func (r *reader) uint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.fail("number cut short, or out of range")
		return 0
	}
	r.b = r.b[n:]
	return v
}

const numberMax = 1 << 62

func (r *reader) int64() int64 { return int64(r.uint(numberMax)) }
func (r *reader) int32() int32 { return int32(r.uint(1<<31 - 1)) }

// bytes reads a run of bytes; none is nil.
func (r *reader) bytes() []byte {
	n := r.uint(uint64(len(r.b)))
	if n > uint64(len(r.b)) {
		r.fail("bytes cut short")
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	if n == 0 {
		return nil
	}
	return b
}

func (r *reader) offsets() []record.Offset {
	n := r.uint(uint64(len(r.b)))
	if n > uint64(len(r.b)) {
		r.fail("more offsets than bytes")
		return nil
	}
	var list []record.Offset
	for range n {
		list = append(list, record.Offset(r.int64()))
	}
	return list
}

func (r *reader) condition() *condition {
	flags := r.uint(flagArmed | flagWaitArmed)
	return &condition{
		armed: flags&flagArmed != 0, waitArmed: flags&flagWaitArmed != 0,
		firedAt: r.int64(), ends: r.offsets(), begun: r.offsets(),
	}
}

func (r *reader) run() *Run {
	return &Run{
		Number: uint64(r.int64()), Condition: r.int32(), State: State(r.uint(uint64(Failed))),
		FiredAt: r.int64(), EndedAt: r.int64(), NotBefore: r.int64(), Attempts: r.int32(), Depth: r.int64(),
		Partition: r.int32(), Offset: record.Offset(r.int64()), Message: r.bytes(), Failure: string(r.bytes()),
	}
}
