package trigger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/fault"
)

// On is what a condition looks at. On disk: never rename.
type On string

// What conditions look at.
const (
	OnFirst On = "first" // nothing was ready, and something is
	OnEvery On = "every" // a message came
	OnDepth On = "depth" // so many messages are ready
)

// Condition says when to fire. Messages below MinPriority do not count.
type Condition struct {
	On          On    `json:"on"`
	Depth       int32 `json:"depth,omitempty"` // of depth
	MinPriority int32 `json:"min_priority,omitempty"`
	// MaxWait makes depth fire also when a message has waited so long and there are
	// fewer than Depth.
	MaxWait time.Duration `json:"max_wait_ns,omitempty"`
}

// depth is from how many messages on the condition is met.
func (c *Condition) depth() int64 {
	if c.On == OnFirst {
		return 1
	}
	return int64(c.Depth)
}

// Program is a program to run.
type Program struct {
	Argv    []string          `json:"argv"`
	Env     map[string]string `json:"env,omitempty"`
	Dir     string            `json:"dir,omitempty"`
	Timeout time.Duration     `json:"timeout_ns,omitempty"` // 0 = ProgramTimeoutDefault
}

// Webhook is a URL to post to.
type Webhook struct {
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
	Timeout time.Duration     `json:"timeout_ns,omitempty"` // of one try; 0 = WebhookTimeoutDefault
}

// Spec is what a trigger is made from. On disk as JSON: never rename its fields.
type Spec struct {
	Name       string      `json:"name"`
	Queue      string      `json:"queue"`
	Conditions []Condition `json:"conditions"` // any of them fires it
	// One of these, or neither: then the work is the process's own, for tests.
	Program *Program `json:"program,omitempty"`
	Webhook *Webhook `json:"webhook,omitempty"`

	MaxRunning  int32 `json:"max_running,omitempty"`  // 0 = 1
	AttemptsMax int32 `json:"attempts_max,omitempty"` // 0 = AttemptsMaxDefault
	// Configured: it comes from the configuration file.
	Configured bool `json:"configured,omitempty"`
}

// Limits.
const (
	TriggersMax    = 1_000
	RunsWaitingMax = 10_000 // of one trigger: fired and not ended
	RunsKept       = 20     // of one trigger: ended, for display

	ProgramTimeoutDefault = time.Hour
	WebhookTimeoutDefault = 30 * time.Second
	AttemptsMaxDefault    = 5

	nameBytesMax   = 80
	specBytesMax   = 64 << 10
	conditionsMax  = 16
	depthMax       = 1_000_000
	priorityMax    = 1 << 20
	durationMax    = 365 * 24 * time.Hour
	wordsMax       = 256 // arguments, variables, headers
	runningMax     = 1_000
	attemptsMaxMax = 1_000
)

// ErrInvalid refuses a spec.
var ErrInvalid = fault.New(fault.InvalidArgument, "invalid trigger")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// withDefaults fills in what was left out.
func (s Spec) withDefaults() Spec {
	if s.MaxRunning == 0 {
		s.MaxRunning = 1
	}
	if s.AttemptsMax == 0 {
		s.AttemptsMax = AttemptsMaxDefault
	}
	return s
}

// Validate tells what is wrong with a spec.
func (s *Spec) Validate() error {
	switch {
	case !validName(s.Name):
		return invalid("name %q: want 1 to %d letters, digits, dots, dashes and underscores", s.Name, nameBytesMax)
	case s.Queue == "":
		return invalid("no queue")
	case len(s.Conditions) == 0 || len(s.Conditions) > conditionsMax:
		return invalid("%d conditions, want 1 to %d", len(s.Conditions), conditionsMax)
	case s.Program != nil && s.Webhook != nil:
		return invalid("a program and a webhook, want one of them")
	case s.MaxRunning < 0 || s.MaxRunning > runningMax:
		return invalid("max_running %d, want 1 to %d", s.MaxRunning, runningMax)
	case s.AttemptsMax < 0 || s.AttemptsMax > attemptsMaxMax:
		return invalid("attempts_max %d, want 1 to %d", s.AttemptsMax, attemptsMaxMax)
	}
	every := 0
	for i := range s.Conditions {
		if err := s.Conditions[i].validate(); err != nil {
			return fmt.Errorf("%w (condition %d)", err, i)
		}
		if s.Conditions[i].On == OnEvery {
			every++
		}
	}
	if every > 1 {
		return invalid("%d conditions on every, want one: the lowest min_priority", every)
	}
	if err := s.validateWork(); err != nil {
		return err
	}
	if b, err := s.encode(); err != nil || len(b) > specBytesMax {
		return invalid("definition of %d bytes, at most %d are allowed", len(b), specBytesMax)
	}
	return nil
}

func validName(s string) bool {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	}) < 0
	return s != "" && s != "." && s != ".." && len(s) <= nameBytesMax && plain
}

func (c *Condition) validate() error {
	switch c.On {
	case OnFirst, OnEvery:
		if c.Depth != 0 || c.MaxWait != 0 {
			return invalid("depth and max_wait go with on: depth, not %s", c.On)
		}
	case OnDepth:
		if c.Depth < 1 || c.Depth > depthMax {
			return invalid("depth %d, want 1 to %d", c.Depth, depthMax)
		}
		if c.MaxWait < 0 || c.MaxWait > durationMax || c.MaxWait%time.Millisecond != 0 {
			return invalid("max_wait %v, want whole milliseconds, at most a year", c.MaxWait)
		}
	default:
		return invalid("on %q, want first, every or depth", string(c.On))
	}
	if c.MinPriority < 0 || c.MinPriority > priorityMax {
		return invalid("min_priority %d, want 0 to %d", c.MinPriority, priorityMax)
	}
	return nil
}

func (s *Spec) validateWork() error {
	if p := s.Program; p != nil {
		switch {
		case len(p.Argv) == 0 || p.Argv[0] == "" || len(p.Argv) > wordsMax || len(p.Env) > wordsMax:
			return invalid("program: want 1 to %d arguments, the first of which names it, and at most %d variables", wordsMax, wordsMax)
		case p.Timeout < 0 || p.Timeout > durationMax:
			return invalid("program: timeout %v, at most a year", p.Timeout)
		}
		for _, a := range p.Argv {
			if strings.ContainsRune(a, 0) {
				return invalid("program: an argument with a NUL byte")
			}
		}
		for k, v := range p.Env {
			if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(v, 0) || strings.HasPrefix(k, "NARU_") {
				return invalid("program: variable %q cannot be set", k)
			}
		}
	}
	if w := s.Webhook; w != nil {
		switch {
		case !validURL(w.URL):
			return invalid("webhook: url %q, want http://HOST/PATH or https://HOST/PATH", w.URL)
		case len(w.Headers) > wordsMax:
			return invalid("webhook: %d headers, at most %d are allowed", len(w.Headers), wordsMax)
		case w.Timeout < 0 || w.Timeout > durationMax:
			return invalid("webhook: timeout %v, at most a year", w.Timeout)
		}
		for k, v := range w.Headers {
			if k == "" || strings.ContainsAny(k, " \t\r\n:\x00") || strings.ContainsAny(v, "\r\n\x00") {
				return invalid("webhook: header %q cannot be sent", k)
			}
		}
	}
	return nil
}

// validURL looks at the form alone; whether one can post there shows when one does.
func validURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	return ok && rest != "" && !strings.ContainsAny(rest[:1], "/?#") && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }) < 0
}

func (s *Spec) encode() ([]byte, error) { return json.Marshal(s.withDefaults()) }

func decodeSpec(b []byte) (s Spec, err error) {
	if err = json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("%w: definition: %w", ErrMalformed, err)
	}
	if len(s.Conditions) > conditionsMax {
		return s, fmt.Errorf("%w: %d conditions", ErrMalformed, len(s.Conditions))
	}
	return s.withDefaults(), nil
}

// Same tells whether the trigger has this definition.
func (x *Trigger) Same(s *Spec) bool {
	b, err := s.encode()
	return err == nil && bytes.Equal(b, x.raw)
}

// SameConditions tells whether what s has fired for holds for other too.
func (s *Spec) SameConditions(other *Spec) bool {
	a, errA := json.Marshal(s.Conditions)
	b, errB := json.Marshal(other.Conditions)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
