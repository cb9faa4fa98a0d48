package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/narumq/naru/internal/objectstore"
)

// health tells whether the bucket answers.
type health struct {
	mu    sync.Mutex
	since time.Time // of the first failure after the last success; guarded by mu
	err   error     // guarded by mu
}

// unhealthyAfter is how long requests fail before it is spoken of.
const unhealthyAfter = 2 * time.Second

func (h *health) bucket(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil || errors.Is(err, objectstore.ErrExists) || errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, context.Canceled) {
		h.err = nil
		return
	}
	if h.err == nil {
		h.since = time.Now()
	}
	h.err = err
}

// why is the error of a bucket that has been away for a while.
func (h *health) why() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || time.Since(h.since) < unhealthyAfter {
		return nil
	}
	return h.err
}
