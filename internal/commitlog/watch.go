package commitlog

import "sync"

// Waiter is woken when a partition that it watches gets records or is deleted.
// One waiter watches many partitions, each under a token of its owner's: a
// small number from 0 up.
type Waiter struct {
	c     chan struct{}
	mu    sync.Mutex
	dirty []int  // guarded by mu: tokens with news
	known []bool // guarded by mu: by token, whether it is in dirty
}

// NewWaiter returns a waiter that watches nothing.
func NewWaiter() *Waiter { return &Waiter{c: make(chan struct{}, 1)} }

// C receives when there is news. One signal may stand for many.
func (w *Waiter) C() <-chan struct{} { return w.c }

// Dirty appends the tokens with news to into, and forgets them.
func (w *Waiter) Dirty(into []int) []int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range w.dirty {
		w.known[t] = false
	}
	into = append(into, w.dirty...)
	w.dirty = w.dirty[:0]
	return into
}

// Mark says that there is news under a token.
func (w *Waiter) Mark(token int) {
	w.mu.Lock()
	for token >= len(w.known) {
		w.known = append(w.known, false)
	}
	if !w.known[token] {
		w.known[token] = true
		w.dirty = append(w.dirty, token)
	}
	w.mu.Unlock()
	select {
	case w.c <- struct{}{}:
	default:
	}
}

type watch struct {
	w     *Waiter
	token int
}

type watches []watch

func (ws watches) notify() {
	for _, x := range ws {
		x.w.Mark(x.token)
	}
}

// Watch tells w of news under token until Unwatch.
func (p *Partition) Watch(w *Waiter, token int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches = append(p.watches, watch{w, token})
}

// Unwatch ends what Watch began with the same arguments.
func (p *Partition) Unwatch(w *Waiter, token int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, x := range p.watches {
		if x.w == w && x.token == token {
			last := len(p.watches) - 1
			p.watches[i] = p.watches[last]
			p.watches[last] = watch{}
			p.watches = p.watches[:last]
			return
		}
	}
}
