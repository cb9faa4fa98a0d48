package journal

import "time"

// cutOff watches whether objects can be stored.
type cutOff struct {
	since  time.Time // of the first object that waits, or of the last that was stored while others wait; zero: none waits
	stored int64     // objects, when since was set
	err    error     // of the last PUT
	timer  *time.Timer
}

// watchPuts begins, goes on or ends to count how long objects wait. Caller holds mu.
func (f *Flusher) watchPuts(now time.Time) {
	if f.opt.CutOff == nil {
		return
	}
	c, waiting := &f.cut, false
	for _, o := range f.core.line {
		waiting = waiting || !o.stored
	}
	switch {
	case f.closed || !waiting:
		c.since = time.Time{}
	case c.since.IsZero() || c.stored != f.core.stored:
		c.since, c.stored = now, f.core.stored
		if c.timer == nil {
			c.timer = time.AfterFunc(f.opt.CutOffAfter, f.tellCutOff)
		} else {
			c.timer.Reset(f.opt.CutOffAfter)
		}
		return
	default:
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (f *Flusher) tellCutOff() {
	f.mu.Lock()
	c := &f.cut
	if c.since.IsZero() {
		f.mu.Unlock()
		return
	}
	since, err := time.Since(c.since), c.err
	late := since >= f.opt.CutOffAfter
	if late {
		c.timer.Reset(f.opt.CutOffAfter)
	}
	f.mu.Unlock()
	if late {
		f.opt.CutOff(since, err)
	}
}

// keepOnDisk begins a cache on disk. Without one, things are slower.
func (f *Flusher) keepOnDisk() {
	d, err := newDiskCache(f.opt.CacheFS, f.opt.CacheDir, f.opt.CacheDiskBytes, f.opt.Logger)
	if err != nil {
		f.opt.Logger.Warn("there is no cache on disk", "dir", f.opt.CacheDir, "err", err)
		return
	}
	f.blocks.disk = d
	f.work.Go(func() { d.run(f.ctx.Done()) })
}

// ReadStats counts what was read from the bucket.
func (f *Flusher) ReadStats() ReadStats { return f.blocks.stats() }
