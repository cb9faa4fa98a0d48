package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of what the demo takes from its children.
const (
	demoTailBytes    = 8 << 10 // of what each says on standard error
	demoEventBuffer  = 4096    // events of a round that are not read yet
	demoServerCloses = 10 * time.Second
)

// stage has the processes of the demo. Each is in a process group of its own, so
// that an interrupt in the terminal reaches only the demo, which ends them by pid.
type stage struct {
	ctx  context.Context
	fail context.CancelCauseFunc // ends the demo

	dir     string // of the server
	mu      sync.Mutex
	closing bool
	actors  []*actor
}

// actor is one process.
type actor struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser // its end tells a role to go home
	tail  tail
	ended chan struct{}
	err   error // valid once ended is closed

	mu        sync.Mutex
	dismissed bool // it may end
}

// start runs this program with the arguments; each line of its output goes to lines.
func (s *stage) start(name string, lines func(*actor, string), args ...string) (*actor, error) {
	program, err := demoProgram()
	if err != nil {
		return nil, err
	}
	p := &actor{name: name, cmd: exec.Command(program, args...), ended: make(chan struct{})}
	ownGroup(p.cmd)
	p.cmd.Stderr = &p.tail
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && s.closing {
		err = context.Canceled
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.actors = append(s.actors, p)
	go s.watch(p, out, lines)
	return p, nil
}

// watch reads what a child says until it ends. One that ends unasked ends the demo.
func (s *stage) watch(p *actor, out io.Reader, lines func(*actor, string)) {
	for scan := bufio.NewScanner(out); scan.Scan(); {
		lines(p, scan.Text())
	}
	p.err = p.cmd.Wait()
	close(p.ended)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dismissed {
		s.fail(fmt.Errorf("%s ended: %v: %s", p.name, p.err, strings.TrimSpace(p.tail.String())))
	}
}

// dismiss says that a child may end from now on.
func (p *actor) dismiss() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dismissed = true
}

// kill ends a child without a word.
func (p *actor) kill() {
	p.dismiss()
	p.cmd.Process.Kill()
	<-p.ended
}

// goHome ends a role in order.
func (p *actor) goHome() {
	p.dismiss()
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(demoServerCloses):
		p.kill()
	}
}

// serve starts a server on a temporary directory, and returns its HTTP address.
func (s *stage) serve() (string, error) {
	var err error
	if s.dir, err = os.MkdirTemp("", "naru-demo-"); err != nil {
		return "", err
	}
	http, ready := "", make(chan struct{})
	_, err = s.start("naru serve", func(_ *actor, line string) {
		switch name, rest, _ := strings.Cut(line, " "); name {
		case "http":
			http = strings.TrimPrefix(strings.TrimSpace(rest), "http://")
		case "ready":
			close(ready)
		}
	}, "serve", "--data", filepath.Join(s.dir, "data"), "--kafka", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--amqp", "off", "--http", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	select {
	case <-ready:
		return http, nil
	case <-s.ctx.Done():
		return "", context.Cause(s.ctx)
	}
}

// close ends all children, the server last, and removes its directory.
func (s *stage) close() error {
	s.mu.Lock()
	s.closing = true
	actors := s.actors
	s.mu.Unlock()
	for i := len(actors) - 1; i >= 0; i-- {
		p := actors[i]
		p.dismiss()
		if p.name == "naru serve" {
			p.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-p.ended:
				continue
			case <-time.After(demoServerCloses):
			}
		}
		p.kill()
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	t.buf = t.buf[max(0, len(t.buf)-demoTailBytes):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}

// demoEvent is a line that a role writes: what happened, for the report.
type demoEvent struct {
	Event    string `json:"event"`
	Order    int    `json:"order,omitempty"`
	Attempts int32  `json:"attempts,omitempty"`
	Visit    *visit `json:"visit,omitempty"`

	who *actor
}

const (
	eventReady   = "ready"   // the role is at its place
	eventBrewing = "brewing" // a barista has begun
	eventBrewed  = "brewed"
	eventCoffee  = "coffee" // a customer has one
	eventServed  = "served" // all customers have their coffee, or gave up
	eventVisit   = "visit"  // what a customer has to say at the end
)

// enact starts a role; what it says goes to events.
func (s *stage) enact(name, role string, events chan<- demoEvent, args ...string) (*actor, error) {
	return s.start(name, func(p *actor, line string) {
		e := demoEvent{who: p}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.fail(fmt.Errorf("%s says %q: %w", name, line, err))
			return
		}
		select {
		case events <- e:
		default:
			s.fail(errors.New("more happens than the demo can follow"))
		}
	}, append([]string{"demo", role}, args...)...)
}
