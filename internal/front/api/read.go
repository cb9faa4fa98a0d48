package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/record"
)

const (
	readWaitMax    = time.Minute
	readRecords    = 100 // of a Read that does not say
	readBytesMax   = 4 << 20
	readStepBytes  = 512 << 10
	streamRecords  = 500
	heartbeatEvery = 15 * time.Second
)

// reader reads a topic from a position on.
type reader struct {
	topic  string
	parts  []*broker.Partition
	next   []record.Offset // by parts
	filter broker.Filter
	waiter *broker.Waiter
	turn   int // the partition to begin with
}

// openReader returns a reader, which the caller closes.
func (s *Server) openReader(topic string, partitions []int32, from, cursor, filter string) (*reader, error) {
	t, err := s.topic(topic)
	if err != nil {
		return nil, err
	}
	r := &reader{topic: topic}
	if r.filter, err = broker.ParseFilter(filter); err != nil {
		return nil, err
	}
	if len(partitions) == 0 {
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
		p, err := s.broker.Partition(topic, i)
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
	r.waiter = broker.NewWaiter()
	for i, p := range r.parts {
		p.Watch(r.waiter, i)
	}
	return r, nil
}

func (r *reader) close() {
	for i, p := range r.parts {
		p.Unwatch(r.waiter, i)
	}
}

// positionOf is where `from` is in a partition.
func positionOf(p *broker.Partition, from string, now time.Time) (record.Offset, error) {
	switch from {
	case "", "earliest":
		return p.LogStart(), nil
	case "latest":
		return p.HighWatermark(), nil
	}
	if n, err := strconv.ParseInt(from, 10, 64); err == nil {
		if n < 0 { // so many before the end
			return max(p.LogStart(), p.HighWatermark()+record.Offset(n)), nil
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
		o = p.HighWatermark()
	}
	return o, err
}

// parseCursor reads PARTITION:OFFSET,….
func parseCursor(text string) (map[int32]record.Offset, error) {
	out := make(map[int32]record.Offset)
	if text == "" {
		return out, nil
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

// read returns up to n records, from each partition in order.
func (s *Server) read(r *reader, n int) (out []*naruv1.Record, err error) {
	size := 0
	for range r.parts {
		i := r.turn % len(r.parts)
		for len(out) < n && size < readBytesMax {
			had := r.next[i]
			got, err := s.readPartition(r, i, n-len(out), &size)
			out = append(out, got...)
			if err != nil {
				return out, err
			}
			if r.next[i] == had {
				break // its end
			}
		}
		r.turn++
		if len(out) >= n || size >= readBytesMax {
			break
		}
	}
	return out, nil
}

// readPartition reads once, and moves the position on.
func (s *Server) readPartition(r *reader, i, n int, size *int) (out []*naruv1.Record, err error) {
	p := r.parts[i]
	r.next[i] = max(r.next[i], p.LogStart())
	slice, err := p.Read(r.next[i], readStepBytes, true)
	switch {
	case errors.Is(err, commitlog.ErrOffsetOutOfRange) && r.next[i] < p.LogStart():
		return nil, nil // retention was faster; the next turn begins behind it
	case err != nil:
		return nil, err
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
			if len(out) == n || *size >= readBytesMax {
				return out, nil
			}
			r.next[i] = rec.Offset + 1
			if r.filter.Match(&rec) {
				out = append(out, showRecord(r.topic, p.Index(), &rec))
				*size += len(rec.Key) + len(rec.Value)
			}
		}
		if err := list.Err(); err != nil {
			return out, err
		}
	}
	r.next[i] = max(r.next[i], slice.Next)
	return out, nil
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
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		list, err := s.read(r, n)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 || wait == 0 {
			return &naruv1.ReadResponse{Records: list, Cursor: r.cursor(), End: r.atEnd()}, nil
		}
		if !r.atEnd() {
			continue // what was read did not pass the filter
		}
		select {
		case <-r.waiter.C():
			r.waiter.Dirty(nil)
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
	r, err := s.openReader(in.GetTopic(), in.GetPartitions(), cmp.Or(in.GetFrom(), "latest"), in.GetCursor(), in.GetFilter())
	if err != nil {
		return err
	}
	defer r.close()
	if err := send(nil, r.cursor()); err != nil { // it is subscribed from here
		return err
	}
	alive := time.NewTicker(heartbeatEvery)
	defer alive.Stop()
	for {
		list, err := s.read(r, streamRecords)
		if len(list) > 0 {
			if err := send(list, r.cursor()); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if len(list) > 0 || !r.atEnd() {
			if ctx.Err() != nil {
				return s.ended(ctx)
			}
			continue
		}
		select {
		case <-r.waiter.C():
			r.waiter.Dirty(nil)
		case <-alive.C:
			if err := send(nil, r.cursor()); err != nil {
				return err
			}
		case <-ctx.Done():
			return s.ended(ctx)
		}
	}
}

// serveEvents is subscribe as Server-Sent Events (HTML standard, section 9.2).
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request, topic string) error {
	in := &naruv1.SubscribeRequest{}
	if err := setQuery(in.ProtoReflect(), r.URL.Query()); err != nil {
		return err
	}
	in.Topic = topic
	in.Cursor = cmp.Or(r.Header.Get("Last-Event-ID"), in.GetCursor())
	out := http.NewResponseController(w)
	begun := false
	err := s.subscribe(r.Context(), in, func(list []*naruv1.Record, cursor string) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusOK)
		}
		var b []byte
		if len(list) == 0 {
			b = append(b, ": "+cursor+"\n\n"...)
		}
		at := eventCursors(list, cursor)
		for i, rec := range list {
			text, err := asJSON.Marshal(rec)
			if err != nil {
				return err
			}
			b = fmt.Appendf(b, "id: %s\ndata: %s\n\n", at[i], text)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return out.Flush()
	})
	if begun {
		return nil // what went wrong cannot be said any more; the client comes again
	}
	return err
}

// eventCursors are the positions after each of the records, of which the last is
// known.
func eventCursors(list []*naruv1.Record, last string) []string {
	at, err := parseCursor(last)
	if err != nil {
		return make([]string, len(list))
	}
	out := make([]string, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		var parts []int32
		for p := range at {
			parts = append(parts, p)
		}
		slices.Sort(parts)
		var b strings.Builder
		for j, p := range parts {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%d:%d", p, at[p])
		}
		out[i] = b.String()
		at[list[i].GetPartition()] = record.Offset(list[i].GetOffset())
	}
	return out
}
