package server

import (
	"log/slog"
	"math"
	"runtime/debug"
	gometrics "runtime/metrics"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	pressureEvery = time.Second
	// diskFreeSegments is the default of --disk-free-min: the active segment and the next one are there already.
	diskFreeSegments = 2
	// Shares of the memory limit that live objects take when pressure begins, and when it is over.
	memoryShareBegin = 0.90
	memoryShareEnd   = 0.85
)

// mark tells when something is scarce: from below low on, until there is as much as high again. The gap keeps it from
// changing with every look.
type mark struct {
	low, high int64
	scarce    bool
}

// look takes up how much there is, and tells whether that changes anything.
func (m *mark) look(have int64) (changed bool) {
	scarce := have < m.low || m.scarce && have < m.high
	changed, m.scarce = scarce != m.scarce, scarce
	return changed
}

// blocker is who can let publishers wait.
type blocker interface {
	Block(reason string)
	Unblock()
}

// pressure lets publishers wait while disk or memory are scarce. Consumers go on, which is what makes room.
type pressure struct {
	log   *slog.Logger
	to    blocker
	free  func() (int64, error) // of the disk
	told  *prometheus.GaugeVec  // 1 for what is scarce
	spare func() (int64, int64) // what live objects leave of the memory, and its limit; 0: there is none

	mu           sync.Mutex // guards what follows
	disk, memory mark

	stop, done chan struct{}
}

// watchPressure looks every second.
func (s *Server) watchPressure(to blocker) *pressure {
	low := s.cfg.DiskFreeMin
	if low == 0 {
		low = diskFreeSegments * s.cfg.SegmentBytes
	}
	p := &pressure{
		log: s.log, to: to, free: s.broker.FreeBytes, spare: spareMemory, told: s.metrics.blocked, disk: mark{low: low, high: low + low/4},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	p.look()
	go p.run()
	return p
}

func (p *pressure) run() {
	defer close(p.done)
	tick := time.NewTicker(pressureEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.look()
		}
	}
}

func (p *pressure) end() {
	close(p.stop)
	<-p.done
}

// look finds out how much there is, and blocks or unblocks if that has changed.
func (p *pressure) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := false
	free, err := p.free()
	if err == nil { // else it stays what it was
		changed = p.disk.look(free)
	}
	if spare, limit := p.spare(); limit > 0 {
		p.memory.low, p.memory.high = limit-int64(memoryShareBegin*float64(limit)), limit-int64(memoryShareEnd*float64(limit))
		changed = p.memory.look(spare) || changed
	}
	p.told.WithLabelValues("disk").Set(asGauge(p.disk.scarce))
	p.told.WithLabelValues("memory").Set(asGauge(p.memory.scarce))
	if !changed {
		return
	}
	reason := p.reason()
	if reason == "" {
		p.log.Info("publishers go on", "disk_free", free)
		p.to.Unblock()
		return
	}
	p.log.Warn("publishers wait", "reason", reason, "disk_free", free, "disk_free_min", p.disk.low)
	p.to.Block(reason)
}

// reason is in RabbitMQ's words, which its users' tools look for; empty if nothing is scarce. Caller holds mu.
func (p *pressure) reason() string {
	var scarce []string
	if p.memory.scarce {
		scarce = append(scarce, "memory")
	}
	if p.disk.scarce {
		scarce = append(scarce, "disk")
	}
	if scarce == nil {
		return ""
	}
	return "low on " + strings.Join(scarce, " & ")
}

// scarce tells what there is too little of.
func (p *pressure) scarce() (disk, memory bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.disk.scarce, p.memory.scarce
}

func asGauge(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// spareMemory is what the live objects of the last collection leave of the soft limit, and the limit; 0 if there is none.
func spareMemory() (spare, limit int64) {
	limit = debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return 0, 0
	}
	sample := []gometrics.Sample{{Name: "/gc/heap/live:bytes"}}
	gometrics.Read(sample)
	return limit - int64(sample[0].Value.Uint64()), limit
}
