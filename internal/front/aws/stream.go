package aws

import (
	"context"
	"errors"
)

// Streamer is a Service some of whose answers are event streams.
type Streamer interface {
	Service
	// Streams tells whether an action's answer is one.
	Streams(action string) bool
	// ServeStream answers such a call. An error before w.Begin is an ordinary
	// answer; later it is the stream's last event.
	ServeStream(ctx context.Context, c *Call, w *EventWriter) error
}

// EventWriter writes an event stream. One goroutine may use it.
type EventWriter struct{}

// Begin sends the headers and the first event.
func (w *EventWriter) Begin() error { return errors.ErrUnsupported }

// Event sends an event of that type.
func (w *EventWriter) Event(name string, v any) error { return errors.ErrUnsupported }
