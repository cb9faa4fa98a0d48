package api

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/record"
)

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
	parts := slices.Sorted(maps.Keys(at))
	out := make([]string, len(list))
	for i := len(list) - 1; i >= 0; i-- {
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
