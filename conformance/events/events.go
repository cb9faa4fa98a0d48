// Package events is the line protocol between the clients and the judges: a
// client in any language prints one event per line, fields separated by tabs,
// the time in nanoseconds since the epoch.
//
//	send   <time> <partition> <value>           before the producer gets it
//	ack    <time> <partition> <offset> <value>  when it was confirmed
//	fail   <time> <partition> <value> <error>   when it was refused or given up
//	assign <time> <partition>                   the partition is newly ours
//	revoke <time> <partition>                   it no longer is
//	poll   <time> <partition> <offset> <value>  a record was handed to us
//	commit <time> <partition> <next offset>     a commit was confirmed
//	note   <time> <text>                        anything else
package events

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/narumq/naru/conformance/history"
)

// Line is one parsed event.
type Line struct {
	Word  string
	Event history.Event
	Text  string // the error of a fail, the text of a note
}

// Parse reads one line. Kind is set for the words that history knows.
func Parse(line string) (Line, error) {
	f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
	l := Line{Word: f[0]}
	want := map[string]int{"send": 4, "ack": 5, "fail": 5, "assign": 3, "revoke": 3, "poll": 5, "commit": 4, "note": 3}[f[0]]
	if want == 0 || len(f) != want {
		return l, fmt.Errorf("events: %q has %d fields", line, len(f))
	}
	var err error
	if l.Event.Time, err = strconv.ParseInt(f[1], 10, 64); err != nil {
		return l, fmt.Errorf("events: time of %q: %w", line, err)
	}
	if l.Word == "note" {
		l.Text = f[2]
		return l, nil
	}
	p, err := strconv.ParseInt(f[2], 10, 32)
	if err != nil {
		return l, fmt.Errorf("events: partition of %q: %w", line, err)
	}
	l.Event.Partition = int32(p)
	switch l.Word {
	case "send":
		l.Event.Kind, l.Event.Value = history.Send, f[3]
	case "fail":
		l.Event.Value, l.Text = f[3], f[4]
	case "assign":
		l.Event.Kind = history.Assign
	case "ack", "poll":
		l.Event.Kind, l.Event.Value = history.Ack, f[4]
		if l.Word == "poll" {
			l.Event.Kind = history.Poll
		}
		l.Event.Offset, err = strconv.ParseInt(f[3], 10, 64)
	case "commit":
		l.Event.Kind = history.Commit
		l.Event.Offset, err = strconv.ParseInt(f[3], 10, 64)
	}
	if err != nil {
		return l, fmt.Errorf("events: offset of %q: %w", line, err)
	}
	return l, nil
}

// Printer writes events; it is safe for concurrent use. Every line is one
// write, so that a killed process leaves whole lines.
type Printer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewPrinter returns a Printer that writes to w.
func NewPrinter(w io.Writer) *Printer { return &Printer{w: w} }

func (p *Printer) Print(word string, fields ...any) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\t%d", word, time.Now().UnixNano())
	for _, f := range fields {
		fmt.Fprintf(&b, "\t%v", f)
	}
	b.WriteByte('\n')
	p.mu.Lock()
	defer p.mu.Unlock()
	io.WriteString(p.w, b.String())
}
