package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
)

const (
	importReadBytes  = 1 << 20
	importBatchBytes = 512 << 10 // of commands
)

// slot fills one slot.
func (im *Import) slot(ctx context.Context, id journal.SlotID) (err error) {
	known, err := im.known(id)
	if err != nil {
		return err
	}
	j, err := im.Open(id, journal.Options{
		Live:   func(s journal.StreamID) (record.Offset, bool) { start, ok := known[s]; return start, ok },
		Logger: im.Source.log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	w := &importWriter{ctx: ctx, journal: j}
	starts := map[uint64]record.Offset{}
	for _, stream := range slices.Sorted(maps.Keys(known)) {
		if from := im.streams[stream]; from != nil {
			if err := im.records(w, stream, from); err != nil {
				return fmt.Errorf("%s, partition %d: %w", from.Topic().Name, from.Index(), err)
			}
			starts[uint64(stream)] = from.LogStart()
		}
		if cmds := im.commands[stream]; len(cmds) > 0 {
			if err := w.state(stream, cmds, im.Now()); err != nil {
				return err
			}
		}
	}
	if err := w.wait(); err != nil {
		return err
	}
	for stream, from := range im.streams {
		if _, here := known[stream]; !here {
			continue
		}
		if _, next := j.Bounds(stream); next != from.HighWatermark() {
			return fmt.Errorf("%s, partition %d: ends at %d, should at %d", from.Topic().Name, from.Index(), next, from.HighWatermark())
		}
	}
	return im.Catalog.SetLogStarts(starts)
}

// known are the streams of a slot, and where they begin.
func (im *Import) known(id journal.SlotID) (map[journal.StreamID]record.Offset, error) {
	stored, err := im.Catalog.LogStarts(int(id))
	if err != nil {
		return nil, err
	}
	known := map[journal.StreamID]record.Offset{}
	for _, t := range im.Catalog.Topics() {
		for _, p := range t.Partitions {
			if im.Catalog.SlotOf(p.Stream) == int(id) {
				known[journal.StreamID(p.Stream)] = stored[p.Stream]
			}
		}
	}
	for stream := range known {
		if im.streams[stream] != nil {
			known[stream] = im.starts[stream]
		}
	}
	return known, nil
}

// records copies a partition.
func (im *Import) records(w *importWriter, stream journal.StreamID, from *Partition) error {
	log, err := from.local()
	if err != nil {
		return err
	}
	next := im.starts[stream]
	for at := log.LogStart(); at < log.HighWatermark(); {
		s, err := log.Read(at, importReadBytes, true)
		if err != nil {
			return err
		}
		for _, batch := range s.Payloads {
			h, err := record.ParseHeader(batch)
			if err == nil && h.BaseOffset != next {
				err = fmt.Errorf("%w: a batch at %d, where %d was due", ErrImport, h.BaseOffset, next)
			}
			if err == nil {
				err = w.append(stream, next, h, slices.Clone(batch))
			}
			if err != nil {
				s.Release()
				return err
			}
			next += record.Offset(h.Count)
			im.sum.Batches++
			im.sum.Bytes += int64(len(batch))
		}
		at = s.Next
		s.Release()
	}
	return nil
}

// importWriter appends to a journal, as fast as it takes it.
type importWriter struct {
	ctx     context.Context
	journal Medium
	open    sync.WaitGroup

	mu  sync.Mutex
	err error // the first one; guarded by mu
}

func (w *importWriter) append(stream journal.StreamID, base record.Offset, h record.Header, batch []byte) error {
	if err := w.failed(); err != nil {
		return err
	}
	if err := w.journal.Admit(w.ctx, len(batch)); err != nil {
		return err
	}
	w.open.Add(1)
	err := w.journal.Enqueue(&journal.Entry{
		Stream: stream, Base: base, Count: uint32(h.Count), MaxTimestamp: h.MaxTimestamp, Payload: batch,
		Summed: len(batch) - record.SummedFrom, SummedCRC: h.CRC,
		Done: func(e *journal.Entry, err error) {
			w.journal.Release(len(e.Payload))
			w.note(err)
			w.open.Done()
		},
	})
	if err != nil {
		w.journal.Release(len(batch))
		w.open.Done()
	}
	return err
}

// state appends commands to a state machine's partition.
func (w *importWriter) state(stream journal.StreamID, cmds []statecommand, now int64) error {
	_, next := w.journal.Bounds(stream)
	b := record.NewBuilder(record.None)
	flush := func() error {
		batch, err := b.Build()
		if err != nil {
			return err
		}
		batch = slices.Clone(batch)
		record.SetBaseOffset(batch, next)
		h, err := record.ParseHeader(batch)
		if err == nil {
			err = w.append(stream, next, h, batch)
		}
		next += record.Offset(h.Count)
		b.Reset()
		return err
	}
	for _, c := range cmds {
		b.Append(now, c.key, c.value, nil)
		if b.Bytes() >= importBatchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return flush()
}

func (w *importWriter) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *importWriter) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// wait returns when all is durable, or failed.
func (w *importWriter) wait() error {
	w.open.Wait()
	return w.failed()
}
