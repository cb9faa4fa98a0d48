package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
)

const (
	readWaitMax    = time.Minute
	readRecords    = 100      // of a Read that does not say
	readBytesMax   = 3 << 20  // of one answer: clients of gRPC take 4 MiB if they are not told otherwise
	readLookMax    = 64 << 20 // what is looked at in one go, if the filter takes little
	readStepBytes  = 512 << 10
	recordCost     = 64 // of a record besides its bytes
	streamRecords  = 500
	streamBytesMax = 512 << 10 // of one answer: a stream that is not read holds it
	heartbeatEvery = 15 * time.Second
	cursorBytesMax = 32 * partitionsAsked
	filterTermsMax = 100
)

// reader reads a topic from a position on.
type reader struct {
	topic  *catalog.Topic
	all    bool // partitions that the topic gets are read too
	parts  []*broker.Partition
	next   []record.Offset // by parts
	filter broker.Filter
	waiter *broker.Waiter // nil: nobody waits
	turn   int            // the partition to begin with
}

// openReader returns a reader, which the caller closes.
func (s *Server) openReader(topic string, partitions []int32, from, cursor, filter string) (*reader, error) {
	t, err := s.topic(topic)
	if err != nil {
		return nil, err
	}
	if len(partitions) > partitionsAsked {
		return nil, invalid("%d partitions, at most %d are allowed", len(partitions), partitionsAsked)
	}
	r := &reader{topic: t, all: len(partitions) == 0}
	if n := strings.Count(filter, ","); n >= filterTermsMax {
		return nil, invalid("filter of %d terms, at most %d are allowed", n+1, filterTermsMax)
	}
	if r.filter, err = broker.ParseFilter(filter); err != nil {
		return nil, err
	}
	if r.all {
		for i := range t.Partitions {
			partitions = append(partitions, int32(i))
		}
	}
	slices.Sort(partitions)
	at, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, i := range slices.Compact(partitions) {
		p, err := s.broker.PartitionByID(t.ID, i)
		if err != nil {
			return nil, err
		}
		next, ok := at[i]
		if !ok {
			if next, err = positionOf(p, from, now); err != nil {
				return nil, err
			}
		}
		r.parts, r.next = append(r.parts, p), append(r.next, next)
	}
	return r, nil
}

// watch lets the reader's waiter know of what comes.
func (r *reader) watch() {
	r.waiter = broker.NewWaiter()
	for i, p := range r.parts {
		p.Watch(r.waiter, i)
	}
}

func (r *reader) close() {
	if r.waiter == nil {
		return
	}
	for i, p := range r.parts {
		p.Unwatch(r.waiter, i)
	}
}

// look fails if the topic was deleted, and takes up partitions that it got.
func (s *Server) look(r *reader) error {
	t, err := s.broker.TopicByID(r.topic.ID)
	if err != nil {
		return fmt.Errorf("%w: %s", catalog.ErrUnknownTopic, r.topic.Name)
	}
	if !r.all {
		return nil
	}
	for i := len(r.parts); i < len(t.Partitions); i++ {
		p, err := s.broker.PartitionByID(t.ID, int32(i))
		if err != nil {
			return nil // it comes, or the topic goes
		}
		if r.waiter != nil {
			p.Watch(r.waiter, i)
		}
		r.parts, r.next = append(r.parts, p), append(r.next, p.LogStart())
	}
	return nil
}

// positionOf is where `from` is in a partition.
func positionOf(p *broker.Partition, from string, now time.Time) (record.Offset, error) {
	start, high, err := p.Bounds()
	if err != nil {
		return 0, err
	}
	switch from {
	case "", "earliest":
		return start, nil
	case "latest":
		return high, nil
	}
	if n, err := strconv.ParseInt(from, 10, 64); err == nil {
		if n < 0 { // so many before the end
			return max(start, high+record.Offset(n)), nil
		}
		return record.Offset(n), nil
	}
	at, err := time.Parse(time.RFC3339Nano, from)
	if err != nil {
		ago, err := time.ParseDuration(strings.TrimPrefix(from, "-"))
		if err != nil || !strings.HasPrefix(from, "-") {
			return 0, invalid("from is %.100q, want earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or a duration ago such as -10m", from)
		}
		at = now.Add(-ago)
	}
	o, _, err := p.OffsetForTime(at.UnixMilli())
	if err == nil && o < 0 {
		o = high
	}
	return o, err
}

// parseCursor reads PARTITION:OFFSET,….
func parseCursor(text string) (map[int32]record.Offset, error) {
	out := make(map[int32]record.Offset)
	switch {
	case text == "":
		return out, nil
	case len(text) > cursorBytesMax:
		return nil, invalid("cursor of %d bytes, at most %d are allowed", len(text), cursorBytesMax)
	}
	for part := range strings.SplitSeq(text, ",") {
		p, o, ok := strings.Cut(part, ":")
		partition, err1 := strconv.ParseInt(p, 10, 32)
		offset, err2 := strconv.ParseInt(o, 10, 64)
		if !ok || err1 != nil || err2 != nil || partition < 0 || offset < 0 {
			return nil, invalid("malformed cursor %.100q", text)
		}
		out[int32(partition)] = record.Offset(offset)
	}
	return out, nil
}

func (r *reader) cursor() string {
	var b strings.Builder
	for i, p := range r.parts {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", p.Index(), r.next[i])
	}
	return b.String()
}

// atEnd tells whether there is nothing more to read now.
func (r *reader) atEnd() bool {
	for i, p := range r.parts {
		if r.next[i] < p.LastStable() {
			return false
		}
	}
	return true
}

// read returns up to n records, from each partition in order. It may return none
// though there are some: those that were looked at did not pass the filter.
func (s *Server) read(ctx context.Context, r *reader, n, bytesMax int) (out []*naruv1.Record, err error) {
	if err := s.look(r); err != nil {
		return nil, err
	}
	want := reading{n: n, bytes: bytesMax, look: readLookMax}
	for range r.parts {
		i := r.turn % len(r.parts)
		for !want.done(len(out)) && ctx.Err() == nil {
			had := r.next[i]
			if out, err = s.readPartition(r, i, out, &want); err != nil {
				return out, err
			}
			if r.next[i] == had {
				break // its end
			}
		}
		r.turn++
		if want.done(len(out)) {
			break
		}
	}
	return out, nil
}

// reading is how much may be read still.
type reading struct{ n, bytes, look int }

func (w *reading) done(records int) bool { return records >= w.n || w.bytes <= 0 || w.look <= 0 }

// readPartition reads once, and moves the position on.
func (s *Server) readPartition(r *reader, i int, out []*naruv1.Record, want *reading) ([]*naruv1.Record, error) {
	p := r.parts[i]
	r.next[i] = max(r.next[i], p.LogStart())
	slice, err := p.Read(r.next[i], readStepBytes, true)
	switch {
	case errors.Is(err, commitlog.ErrOffsetOutOfRange) && r.next[i] < p.LogStart():
		return out, nil // retention was faster; the next turn begins behind it
	case err != nil:
		return out, err
	}
	defer slice.Release()
	for _, b := range slice.Payloads {
		list, err := record.NewReader(b, s.broker.Limits())
		if err != nil {
			return out, err
		}
		for rec, ok := list.Next(); ok; rec, ok = list.Next() {
			if rec.Offset < r.next[i] {
				continue
			}
			cost := costOf(&rec)
			if r.filter.Match(&rec) {
				if len(out) > 0 && cost > want.bytes {
					want.bytes = 0
				}
				if want.done(len(out)) {
					return out, nil
				}
				out = append(out, showRecord(r.topic.Name, p.Index(), &rec))
				want.bytes -= cost
			}
			r.next[i] = rec.Offset + 1
			want.look -= cost
		}
		if err := list.Err(); err != nil {
			return out, err
		}
	}
	r.next[i] = max(r.next[i], slice.Next)
	return out, nil
}

// costOf is about what a record takes in memory.
func costOf(r *record.Record) int {
	n := recordCost + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += recordCost + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// atOnce is for what need not be waited for.
var atOnce = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// news receives when there is something to read. What was read last may have been
// records that do not pass the filter.
func (r *reader) news() <-chan struct{} {
	if !r.atEnd() {
		return atOnce
	}
	return r.waiter.C()
}

// Read implements naruv1connect.TopicServiceHandler.
func (s *Server) Read(ctx context.Context, in *naruv1.ReadRequest) (*naruv1.ReadResponse, error) {
	n := int(cmp.Or(in.GetMaxRecords(), readRecords))
	if n < 0 || n > itemsMax {
		return nil, invalid("max records is %d, want 0 to %d", n, itemsMax)
	}
	wait, err := span("wait", in.GetWait(), 0, readWaitMax)
	if err != nil {
		return nil, err
	}
	r, err := s.openReader(in.GetTopic(), in.GetPartitions(), in.GetFrom(), in.GetCursor(), in.GetFilter())
	if err != nil {
		return nil, err
	}
	defer r.close()
	if in.GetCursor() != "" { // else each of many Reads would begin with the same partition
		r.turn = rand.IntN(len(r.parts))
	}
	if wait > 0 {
		r.watch()
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		list, err := s.read(ctx, r, n, readBytesMax)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 || wait == 0 {
			return &naruv1.ReadResponse{Records: list, Cursor: r.cursor(), End: r.atEnd()}, nil
		}
		select {
		case <-r.news():
		case <-end.C:
			wait = 0
		case <-ctx.Done():
			return nil, s.ended(ctx)
		}
	}
}

// ended says why a call was cut short.
func (s *Server) ended(ctx context.Context) error {
	if s.ctx.Err() != nil {
		return errStopping
	}
	return ctx.Err()
}

// Subscribe implements naruv1connect.TopicServiceHandler.
func (s *Server) Subscribe(ctx context.Context, in *naruv1.SubscribeRequest, stream *connect.ServerStream[naruv1.SubscribeResponse]) error {
	return s.subscribe(ctx, in, func(list []*naruv1.Record, cursor string) error {
		return stream.Send(&naruv1.SubscribeResponse{Records: list, Cursor: cursor})
	})
}

// subscribe gives records to send as they come; none is a sign of life.
func (s *Server) subscribe(ctx context.Context, in *naruv1.SubscribeRequest, send func([]*naruv1.Record, string) error) error {
	from := cmp.Or(in.GetFrom(), "latest")
	if in.GetCursor() != "" {
		from = "earliest" // of partitions that the topic got since
	}
	r, err := s.openReader(in.GetTopic(), in.GetPartitions(), from, in.GetCursor(), in.GetFilter())
	if err != nil {
		return err
	}
	defer r.close()
	r.watch()
	if err := send(nil, r.cursor()); err != nil { // it is subscribed from here
		return err
	}
	alive := time.NewTicker(heartbeatEvery)
	defer alive.Stop()
	for {
		list, err := s.read(ctx, r, streamRecords, streamBytesMax)
		if len(list) > 0 {
			if err := send(list, r.cursor()); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		select {
		case <-r.news():
		case <-alive.C:
			if err := send(nil, r.cursor()); err != nil {
				return err
			}
		case <-ctx.Done():
			return s.ended(ctx)
		}
	}
}
