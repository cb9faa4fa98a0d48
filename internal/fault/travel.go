package fault

import (
	"context"
	"slices"
	"sync"
)

// Sentinel is what an error was made of, as it travels between processes.
type Sentinel struct {
	Code string // its name: the numbers may differ between versions
	Text string
}

// SentinelsMax bounds the sentinels that travel with one error.
const SentinelsMax = 8

// known are the sentinels of this process by text; nil where a text is not one alone.
var known = registry{byText: make(map[string]*coded)}

type registry struct {
	mu     sync.Mutex // guards byText
	byText map[string]*coded
}

func (r *registry) add(e *coded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := e.text
	if _, found := r.byText[text]; found {
		e = nil
	}
	r.byText[text] = e
}

// Ambiguous lists the texts that more than one sentinel has: those do not travel.
func Ambiguous() (texts []string) {
	known.mu.Lock()
	defer known.mu.Unlock()
	for text, e := range known.byText {
		if e == nil {
			texts = append(texts, text)
		}
	}
	slices.Sort(texts)
	return texts
}

// Sentinels lists what err is made of, the outermost first: sentinels of New, and a
// context's own errors. There are at most SentinelsMax.
func Sentinels(err error) []Sentinel {
	var list []Sentinel
	var walk func(error)
	walk = func(err error) {
		if err == nil || len(list) == SentinelsMax {
			return
		}
		switch e := err.(type) {
		case *coded:
			list = append(list, Sentinel{e.code.String(), e.text})
			return
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
			return
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
			return
		}
		if err == context.Canceled || err == context.DeadlineExceeded {
			list = append(list, Sentinel{CodeOf(err).String(), err.Error()})
		}
	}
	walk(err)
	return list
}

// Rebuild is the error that Sentinels was asked about in another process: it has its
// text and its code, and errors.Is finds the sentinels that this process has, too.
func Rebuild(text string, sentinels []Sentinel) error {
	e := &rebuilt{text: text}
	for _, s := range sentinels[:min(len(sentinels), SentinelsMax)] {
		e.of = append(e.of, known.find(s))
	}
	if len(e.of) == 1 && e.of[0].Error() == text {
		return e.of[0]
	}
	return e
}

func (r *registry) find(s Sentinel) error {
	switch s.Text {
	case context.Canceled.Error():
		return context.Canceled
	case context.DeadlineExceeded.Error():
		return context.DeadlineExceeded
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byText[s.Text]; e != nil {
		return e
	}
	return &coded{Code(max(0, slices.Index(codeNames[:], s.Code))), s.Text}
}

type rebuilt struct {
	text string
	of   []error
}

func (e *rebuilt) Error() string   { return e.text }
func (e *rebuilt) Unwrap() []error { return e.of }
