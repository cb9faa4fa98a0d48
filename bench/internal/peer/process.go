package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopPatience is how long a broker may take to shut down before it is killed.
const stopPatience = 30 * time.Second

// Home is where one run of one side lives.
type Home struct {
	Dir        string // removed after the run
	Port       int    // Kafka protocol, on 127.0.0.1
	SecondPort int    // Kafka: its controller; RabbitMQ: names of nodes; Naru: HTTP, when profiled
	ThirdPort  int    // RabbitMQ: for other nodes
	Profiled   bool   // Naru: serve /debug/pprof
}

// Addr is the address that clients connect to.
func (h Home) Addr() string { return fmt.Sprintf("127.0.0.1:%d", h.Port) }

// Data is the broker's data directory.
func (h Home) Data() string { return filepath.Join(h.Dir, "data") }

// Spec is one side of the comparison.
type Spec struct {
	Name       string // as in --sides
	Title      string // heads its column
	Durability string // what has happened to a record when it is acknowledged
	// Prepare formats the storage; nil if the broker does so itself.
	Prepare func(ctx context.Context, h Home) error
	// Command is the command line that serves from h until SIGTERM.
	Command func(h Home) []string
}

// Process is a broker that was started and not yet stopped.
type Process struct {
	cmd     *exec.Cmd
	log     *os.File
	exited  chan struct{} // closed when the process has been reaped
	Spawned time.Time
}

// Start runs the side's command; it does not wait until it is ready.
func (s Spec) Start(h Home) (*Process, error) {
	argv := s.Command(h)
	log, err := os.OpenFile(filepath.Join(h.Dir, "broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = h.Dir
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: an interrupt at the terminal reaches this program,
	// which then stops the broker in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{cmd: cmd, log: log, exited: make(chan struct{}), Spawned: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Name, err), log.Close())
	}
	go func() {
		_ = cmd.Wait() // the exit status of a stopped broker says nothing
		close(p.exited)
	}()
	return p, nil
}

// PID is the broker's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed once the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stop asks the broker to shut down and waits; one that takes longer than
// stopPatience is killed, and that is an error. A second Stop does nothing.
func (p *Process) Stop() error {
	select {
	case <-p.exited:
		return nil
	default:
	}
	defer p.log.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop process %d: %w", p.PID(), err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(stopPatience):
	}
	_ = p.cmd.Process.Kill()
	<-p.exited
	return fmt.Errorf("process %d ignored SIGTERM for %v and was killed", p.PID(), stopPatience)
}
