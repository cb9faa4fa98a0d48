// Package witness is Kafka clients that write down what they see, for package history to judge.
package witness

import (
	"sort"
	"sync"
	"time"

	"github.com/narumq/naru/conformance/history"
)

// Log is what clients saw. Its methods may be called concurrently.
type Log struct {
	mu     sync.Mutex
	events []history.Event // guarded by mu
}

// Note adds something that was seen now.
func (l *Log) Note(e history.Event) {
	e.Time = time.Now().UnixNano()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// Sorted returns the events by time; each process's own order stays.
func (l *Log) Sorted() []history.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	sort.SliceStable(l.events, func(i, j int) bool { return l.events[i].Time < l.events[j].Time })
	return l.events
}

// Counts is how many events there are of each kind.
func (l *Log) Counts() map[history.Kind]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := map[history.Kind]int{}
	for i := range l.events {
		n[l.events[i].Kind]++
	}
	return n
}

// CaughtUp tells whether a group was handed every acknowledged value.
func (l *Log) CaughtUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for i := range l.events {
		if e := &l.events[i]; e.Kind == history.Poll && e.Group != "" {
			seen[e.Value] = true
		}
	}
	for i := range l.events {
		if e := &l.events[i]; e.Kind == history.Ack && !seen[e.Value] {
			return false
		}
	}
	return true
}
