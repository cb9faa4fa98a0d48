package statelog

import "sync"

// outcomes calls what was pushed, in order, on one goroutine: the committer
// that learns of an outcome must not be held up by those who wait for it.
type outcomes struct {
	mu     sync.Mutex
	more   *sync.Cond
	calls  []func() // as many as appends are in flight
	closed bool
}

func (o *outcomes) init() { o.more = sync.NewCond(&o.mu) }

func (o *outcomes) push(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, f)
	o.more.Signal()
}

func (o *outcomes) loop() {
	var batch []func()
	for {
		o.mu.Lock()
		for len(o.calls) == 0 && !o.closed {
			o.more.Wait()
		}
		if len(o.calls) == 0 {
			o.mu.Unlock()
			return
		}
		batch, o.calls = o.calls, batch[:0]
		o.mu.Unlock()
		for i, f := range batch {
			f()
			batch[i] = nil
		}
	}
}

func (o *outcomes) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.more.Broadcast()
}
