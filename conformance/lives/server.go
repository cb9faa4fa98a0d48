package lives

import (
	"bytes"
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

// Server is one Naru process after another, on one data directory and port. Clients may ask
// Life while another goroutine kills it; the rest is one goroutine's.
type Server struct {
	Addr string // of its endpoint

	naru  string
	dir   string
	flags []string
	cmd   *exec.Cmd
	life  atomic.Int64
}

// New is a server that was not started, with its data in dir. An empty naru is built from this repository,
// which needs the module's directory as the current one. The flags follow --data; the endpoint's address follows them.
func New(ctx context.Context, naru, dir string, flags ...string) (*Server, error) {
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
	return &Server{naru: naru, dir: dir, Addr: ln.Addr().String(), flags: flags}, nil
}

// Life is how often it was started.
func (s *Server) Life() int { return int(s.life.Load()) }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Start runs the server and waits until it takes connections.
func (s *Server) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "naru.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"serve", "--data", s.data()}, s.flags...)
	s.cmd = exec.Command(s.naru, append(args, s.Addr)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.life.Add(1)
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	for range 1000 {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			return c.Close()
		}
		if !Sleep(ctx, 10*time.Millisecond) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("the server did not start within 10 s; %s", s.lastWords())
}

// lastWords is the end of the server's log.
func (s *Server) lastWords() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "naru.log"))
	return "its log ends:\n" + string(b[max(0, len(b)-2000):])
}

// Kill ends the process at once, if it runs.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Stop asks the process to end, which must succeed.
func (s *Server) Stop() error { return s.signal(syscall.SIGTERM) }

func (s *Server) signal(sig syscall.Signal) error {
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

// Reopen stops the server in order, lets its own tool verify the directory, and starts it again.
// A directory that was broken on purpose need not be sound.
func (s *Server) Reopen(ctx context.Context, broken bool) error {
	if err := s.Stop(); err != nil {
		return fmt.Errorf("stop at the end: %w; %s", err, s.lastWords())
	}
	if err := s.Check(ctx); err != nil && !broken {
		return err
	}
	return s.Start(ctx)
}

// Check lets the server's own tool verify the directory.
func (s *Server) Check(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, s.naru, "check", s.data()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("naru check: %w\n%s", err, out)
	}
	return nil
}

// LoseBytes overwrites the second half of what the newest segment with data
// holds with zeros, as if a flush had never reached the disk. The server must be dead.
// It returns false, and leaves all as it is, if that segment is not half full: what
// is so little may be what was still to be flushed, and nobody was told of. Or if it
// is full: it is sealed then, and what is not whole in it is no end of a log, but
// damage, with which the server may refuse to start.
func (s *Server) LoseBytes() (bool, error) {
	names, err := filepath.Glob(filepath.Join(s.data(), "journal", "*.seg"))
	if err != nil {
		return false, err
	}
	sort.Sort(sort.Reverse(sort.StringSlice(names)))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		used := len(bytes.TrimRight(b, "\x00"))
		switch {
		case used <= headerBytes:
			continue // it waits for its turn
		case used < len(b)/2, used == len(b):
			return false, nil
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return false, err
		}
		defer f.Close()
		_, err = f.WriteAt(make([]byte, used-used/2), int64(used/2))
		return err == nil, err
	}
	return false, errors.New("no segment holds anything to lose")
}

// headerBytes is what a segment begins with.
const headerBytes = 64
