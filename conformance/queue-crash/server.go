package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"sync/atomic"
	"syscall"
	"time"
)

// server is one Naru process after another, on one data directory and port.
type server struct {
	naru string
	dir  string
	addr string
	cmd  *exec.Cmd
	life atomic.Int64 // how often it was started
}

func newServer(ctx context.Context, naru, dir string) (*server, error) {
	if naru == "" {
		naru = filepath.Join(dir, "naru")
		build := exec.CommandContext(ctx, "go", "build", "-o", naru, "./cmd/naru")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build naru: %w\n%s", err, out)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	return &server{naru: naru, dir: dir, addr: ln.Addr().String()}, nil
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// start runs the server, with segments so small that kills hit them rolling,
// and waits until it takes connections.
func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "naru.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.naru, "serve", "--data", s.data(), "--aws", s.addr, "--kafka", "off", "--http", "off", "--segment-bytes", "1048576")
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.life.Add(1)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 1000 {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			return c.Close()
		}
		if !sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	b, _ := os.ReadFile(filepath.Join(s.dir, "naru.log"))
	return fmt.Errorf("the server did not start within 10 s; its log ends:\n%s", b[max(0, len(b)-2000):])
}

// kill ends the process at once, if it runs.
func (s *server) kill() error { return s.signal(syscall.SIGKILL) }

// stop asks the process to end, which must succeed.
func (s *server) stop() error { return s.signal(syscall.SIGTERM) }

func (s *server) signal(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	cmd := s.cmd
	s.cmd = nil
	if err := cmd.Process.Signal(sig); err != nil {
		return err
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if sig == syscall.SIGKILL && errors.As(err, &exit) {
		return nil
	}
	return err
}

// check lets the server's own tool verify the directory.
func (s *server) check(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, s.naru, "check", s.data()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("naru check: %w\n%s", err, out)
	}
	return nil
}

// loseBytes overwrites the second half of what the newest segment with data
// holds with zeros, as if a flush had never reached the disk.
func loseBytes(journal string) error {
	names, err := filepath.Glob(filepath.Join(journal, "*.seg"))
	if err != nil {
		return err
	}
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		used := len(b)
		for used > 0 && b[used-1] == 0 {
			used--
		}
		if used < 4096 {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt(make([]byte, used-used/2), int64(used/2))
		return err
	}
	return errors.New("no segment holds anything to lose")
}
