package aws

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"

	wire "github.com/narumq/naru/internal/wire/aws"
)

// streamWriteTimeout is how long a client may take to make room for an event.
const streamWriteTimeout = 30 * time.Second

// Streamer is a Service some of whose answers are event streams.
type Streamer interface {
	Service
	// Streams tells whether an action's answer is one.
	Streams(action string) bool
	// ServeStream answers such a call. An error before w.Begin is an ordinary
	// answer; later it is the stream's last event.
	ServeStream(ctx context.Context, c *Call, w *EventWriter) error
}

// EventWriter writes an event stream (Amazon Event Stream Specification). One
// goroutine may use it.
type EventWriter struct {
	c       *Call
	w       http.ResponseWriter
	control *http.ResponseController
	began   bool
	buf     []byte
}

// Begin sends the headers and the first event. Its errors, and Event's, say that
// the client is gone, or too slow.
func (w *EventWriter) Begin() error {
	h := w.w.Header()
	w.c.encoding.describe(h)
	h.Set("Content-Type", wire.EventStream)
	h.Set("X-Amzn-Requestid", w.c.RequestID)
	w.began = true
	// The request has arrived, and a stream may live longer than that may take.
	_ = w.control.SetReadDeadline(time.Time{})
	return w.Event("initial-response", &struct{}{})
}

// Event sends an event of that type.
func (w *EventWriter) Event(name string, v any) error {
	doc, err := Marshal(w.c, v)
	if err != nil {
		return err
	}
	return w.send([]wire.Header{
		{Name: ":event-type", Value: name},
		{Name: ":content-type", Value: w.c.encoding.media},
		{Name: ":message-type", Value: "event"},
	}, doc)
}

func (w *EventWriter) send(headers []wire.Header, doc []byte) error {
	w.buf = wire.AppendMessage(w.buf[:0], headers, doc)
	_ = w.control.SetWriteDeadline(time.Now().Add(streamWriteTimeout)) // a test's recorder has none
	if _, err := w.w.Write(w.buf); err != nil {
		return err
	}
	return w.control.Flush()
}

// serveStream has a call answered by events. What ends a stream that began is its
// last event, unless the client is gone.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, service Streamer, c *Call) error {
	if c.free != nil {
		c.free() // the answer is what takes long
	}
	out := &EventWriter{c: c, w: w, control: http.NewResponseController(w)}
	defer func() {
		if p := recover(); p != nil && out.began {
			s.cfg.Log.Error("aws: internal error in a stream", "panic", p, "stack", string(debug.Stack()))
			panic(http.ErrAbortHandler) // nothing else can be said any more
		} else if p != nil {
			panic(p)
		}
	}()
	err := service.ServeStream(r.Context(), c, out)
	if err == nil || !out.began {
		return err
	}
	e := s.explain(c, err)
	_ = out.send([]wire.Header{
		{Name: ":exception-type", Value: e.Shape},
		{Name: ":content-type", Value: c.encoding.media},
		{Name: ":message-type", Value: "exception"},
	}, c.encoding.errorDoc(e.Shape, e.Message))
	return nil
}
