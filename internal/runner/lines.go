package runner

import (
	"bytes"
	"log/slog"
	"strings"
)

const (
	lineBytesMax = 4 << 10
	linesMax     = 1_000 // of one try
)

// lines logs what is written to it, line by line.
type lines struct {
	log  *slog.Logger
	line []byte // what has come of the next line, at most lineBytesMax
	n    int
	last string // the last line that was not empty
}

// Write implements io.Writer. It takes everything, so that nobody who writes is held
// up.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		part := b
		if i >= 0 {
			part = b[:i]
		}
		l.line = append(l.line, part[:min(len(part), lineBytesMax-len(l.line))]...)
		if i < 0 {
			break
		}
		l.end()
		b = b[i+1:]
	}
	return n, nil
}

// end ends the line that is being written.
func (l *lines) end() {
	text := strings.TrimRight(strings.ToValidUTF8(string(l.line), "\uFFFD"), " \t\r")
	l.line = l.line[:0]
	if text == "" {
		return
	}
	l.last = text
	switch l.n++; {
	case l.n <= linesMax:
		l.log.Info("program says", "line", text)
	case l.n == linesMax+1:
		l.log.Warn("program says more than is logged", "lines", linesMax)
	}
}
