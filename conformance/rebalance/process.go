package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/narumq/naru/conformance/events"
)

// process is one client program.
type process struct {
	name   string
	member bool
	cmd    *exec.Cmd
	done   chan struct{} // closed when it ended and all its lines were read
	err    error         // set before done is closed
	sent   atomic.Int32  // the last signal we sent
}

func (s *scene) startMember() (*process, error) {
	s.members++
	name := fmt.Sprintf("m%d", s.members)
	return s.start(name, true, s.member, "--group", s.group, "--id", name, "--assignor", s.assignor)
}

func (s *scene) startProducer(name string) (*process, error) {
	return s.start(name, false, s.producer, "--id", name, "--partitions", strconv.Itoa(s.partitions),
		"--records", strconv.Itoa(s.records), "--rate", strconv.Itoa(s.rate))
}

func (s *scene) start(name string, member bool, command []string, args ...string) (*process, error) {
	args = append(append([]string{}, command[1:]...), append(args, "--bootstrap", s.bootstrap, "--topic", s.topic)...)
	p := &process{name: name, member: member, cmd: exec.Command(command[0], args...), done: make(chan struct{})}
	stderr, err := os.Create(filepath.Join(s.out, fmt.Sprintf("%s-%s.stderr", s.name, name)))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p.cmd.Stderr = stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s.mu.Lock()
	s.started = append(s.started, p)
	s.mu.Unlock()
	go func() {
		scanner := bufio.NewScanner(stdout)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			s.take(p, scanner.Text())
		}
		p.err = p.cmd.Wait()
		close(p.done)
		s.ended(p)
	}()
	return p, nil
}

// take records one line of a process.
func (s *scene) take(p *process, text string) {
	l, err := events.Parse(text)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && p.killed():
		return // the last line of a killed process may be torn
	case err != nil:
		s.errs = append(s.errs, fmt.Errorf("%s: %w", p.name, err))
		return
	case l.Word == "fail":
		s.errs = append(s.errs, fmt.Errorf("%s: %q was refused: %s", p.name, l.Event.Value, l.Text))
	case l.Word == "ack":
		s.acked[l.Event.Value] = true
	case l.Word == "poll":
		s.polled[l.Event.Value] = true
	}
	s.lines[p] = append(s.lines[p], l)
}

// ended notices a process that ended by itself with an error.
func (s *scene) ended(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.killed() && p.err != nil {
		s.errs = append(s.errs, fmt.Errorf("%s ended: %w (see %s-%s.stderr)", p.name, p.err, s.name, p.name))
	} else if p.member && p.sent.Load() == 0 {
		s.errs = append(s.errs, fmt.Errorf("%s ended by itself", p.name))
	}
}

func (s *scene) running() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*process
	for _, p := range s.started {
		select {
		case <-p.done:
		default:
			out = append(out, p)
		}
	}
	return out
}

func (s *scene) killAll() {
	for _, p := range s.running() {
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

func (p *process) signal(sig syscall.Signal) error {
	p.sent.Store(int32(sig))
	if err := p.cmd.Process.Signal(sig); err != nil && !strings.Contains(err.Error(), "already finished") {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// wait waits for an orderly end.
func (p *process) wait(ctx context.Context) error {
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.err
	case <-limit.C:
		return fmt.Errorf("%s is still running after 60s", p.name)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *process) killed() bool { return p.sent.Load() == int32(syscall.SIGKILL) }
