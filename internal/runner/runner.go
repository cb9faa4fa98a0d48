package runner

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

// Runner does work. It may be used by many at a time.
type Runner struct {
	log    *slog.Logger
	client *http.Client
}

// New returns a runner; what programs print goes to log.
func New(log *slog.Logger) *Runner { return &Runner{log: log, client: newClient()} }

// Close gives idle connections back.
func (r *Runner) Close() { r.client.CloseIdleConnections() }

// Run does the work of one try. An error says why it failed.
func (r *Runner) Run(ctx context.Context, w trigger.Work) error {
	switch {
	case w.Trigger.Program != nil:
		return r.runProgram(ctx, w.Trigger.Program, &w)
	case w.Trigger.Webhook != nil:
		return r.post(ctx, w.Trigger.Webhook, &w)
	}
	return errors.New("the trigger has neither a program nor a webhook")
}

// facts are what the work is told.
type facts struct {
	Trigger   string    `json:"trigger"`
	Queue     string    `json:"queue"`
	Run       string    `json:"run"`
	Attempt   int32     `json:"attempt"`
	Condition int32     `json:"condition"`
	On        string    `json:"on"`
	FiredTime time.Time `json:"firedTime"`
	Depth     int64     `json:"depth,omitempty"`
	// Of every:
	MessageID string `json:"messageId,omitempty"`
	Partition *int32 `json:"partition,omitempty"`
	Offset    *int64 `json:"offset,omitempty"`
}

func factsOf(w *trigger.Work) facts {
	f := facts{
		Trigger: w.Trigger.Name, Queue: w.Trigger.Queue, Run: w.RunID(), Attempt: w.Attempt, Condition: w.Run.Condition,
		On: string(w.On()), FiredTime: time.UnixMilli(w.Run.FiredAt).UTC(), Depth: w.Run.Depth,
	}
	if len(w.Run.Message) > 0 {
		offset := int64(w.Run.Offset)
		f.MessageID, f.Partition, f.Offset = messageID(w.Run.Message), &w.Run.Partition, &offset
	}
	return f
}

// messageID is the text form of a message's id, which is that of a UUID.
func messageID(b []byte) string {
	s := hex.EncodeToString(b)
	if len(b) != 16 {
		return s
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
