package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on standard error that appears when work takes long
// enough for somebody to wonder. A nil progress shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

const progressAfter = time.Second

// newProgress makes one if standard error is a terminal and nobody is typing.
func (a *app) newProgress(in *input, quiet bool) *progress {
	if quiet || !a.errTerminal || (a.inTerminal && in.interactive) {
		return nil
	}
	return &progress{progressbar.NewOptions64(in.total,
		progressbar.OptionSetWriter(&later{a.err, time.Now().Add(progressAfter)}),
		progressbar.OptionSetDescription("sending"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// later drops what is written before its time.
type later struct {
	io.Writer
	due time.Time
}

func (w *later) Write(b []byte) (int, error) {
	if time.Now().Before(w.due) {
		return len(b), nil
	}
	return w.Writer.Write(b)
}

// add counts bytes; a terminal that is gone is no reason to stop sending.
func (p *progress) add(bytes int64) {
	if p != nil {
		_ = p.bar.Add64(bytes)
	}
}

func (p *progress) end() {
	if p != nil {
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	}
}
