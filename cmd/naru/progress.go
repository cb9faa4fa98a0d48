package main

import (
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on standard error that appears when work takes long
// enough for somebody to wonder. A nil progress shows nothing.
type progress struct {
	mu      sync.Mutex
	bar     *progressbar.ProgressBar // nil until it is due; guarded by mu
	begin   func() *progressbar.ProgressBar
	due     time.Time
	waiting int64 // counted before the bar appeared; guarded by mu
}

const progressAfter = time.Second

// newProgress makes one if standard error is a terminal and nobody is typing.
func (a *app) newProgress(in *input, quiet bool) *progress {
	if quiet || !a.errTerminal || (a.inTerminal && in.interactive) {
		return nil
	}
	return &progress{due: time.Now().Add(progressAfter), begin: func() *progressbar.ProgressBar {
		return progressbar.NewOptions64(in.total,
			progressbar.OptionSetWriter(a.err),
			progressbar.OptionSetDescription("sending"),
			progressbar.OptionShowBytes(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}}
}

func (p *progress) add(bytes int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting += bytes
	if p.bar == nil {
		if time.Now().Before(p.due) {
			return
		}
		p.bar = p.begin()
	}
	_ = p.bar.Add64(p.waiting) // a terminal that is gone is no reason to stop
	p.waiting = 0
}

func (p *progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
}
