package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
	"github.com/narumq/naru/bench/internal/stats"
)

// session is one round of one side.
type session struct {
	command
	spec   peer.Spec
	home   peer.Home
	server *peer.Process
	admin  admin
	values map[string]float64
	failed map[string]string // row to why
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%-8s %s\n", s.spec.Name, fmt.Sprintf(format, args...))
}

// real tells whether what is sent is kept.
func (s *session) real() bool { return s.spec.Name == report.Naru }

func (s *session) begin(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(s.Out, "api-"+s.spec.Name+"-")
	if err != nil {
		return err
	}
	if s.home, err = peer.NewHome(dir, s.Profile && s.real()); err != nil {
		return err
	}
	if s.real() {
		s.home.SecondPort = s.home.Port // one port has it all
	}
	if s.admin.overGRPC, err = newGRPC(grpcAddr(s.home)); err != nil {
		return err
	}
	if s.server, err = s.spec.Start(s.home); err != nil {
		return err
	}
	if _, err = s.server.AwaitReady(ctx, func() error { return s.admin.ready(ctx) }); err != nil {
		return err
	}
	return s.warmUp(ctx)
}

// end stops the server, and keeps its directory if anything failed.
func (s *session) end() (err error) {
	if s.admin.overGRPC != nil {
		err = s.admin.close()
	}
	if s.server != nil {
		err = errors.Join(err, s.server.Stop())
	}
	if len(s.failed) > 0 {
		s.say("failed; see %s", s.home.Dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.home.Dir))
}

// warmUp is not measured: in a process that has just begun, the first segment is laid
// out meanwhile.
func (s *session) warmUp(ctx context.Context) error {
	if s.real() {
		if err := s.admin.createTopic(ctx, "warm-up"); err != nil {
			return err
		}
	}
	_, err := closedLoop(ctx, warmWorkers, 2*s.warm, func(ctx context.Context) (bool, error) {
		return true, s.admin.produce(ctx, "warm-up", text(0))
	})
	return err
}

const warmWorkers = 16

// does tells whether the side has such a row.
func (s *session) does(r row) bool { return s.spec.Name != sideConnect || r.grpc } // else it would be net/http again

// row prepares, warms up, measures, and checks.
func (s *session) row(ctx context.Context, r row) (err error) {
	var c client = newJSON(s.home.Addr(), r.workers)
	if r.grpc {
		if c, err = newGRPC(grpcAddr(s.home)); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if r.receive {
		return s.receive(ctx, r, c)
	}
	return s.produce(ctx, r, c)
}

func (s *session) produce(ctx context.Context, r row, c client) error {
	if s.real() {
		if err := s.admin.createTopic(ctx, r.id); err != nil {
			return err
		}
	}
	var next atomic.Int64
	err := s.measure(ctx, r, func(ctx context.Context) (bool, error) {
		return true, c.produce(ctx, r.id, text(next.Add(1)-1))
	})
	if err != nil || !s.real() {
		return err
	}
	return s.admin.checkTopic(ctx, r.id, next.Load())
}

func (s *session) receive(ctx context.Context, r row, c client) error {
	if !s.real() {
		return s.measure(ctx, r, func(ctx context.Context) (bool, error) {
			_, err := c.receive(ctx, r.id)
			return true, err
		})
	}
	if err := s.admin.createQueue(ctx, r.id, s.messages); err != nil {
		return err
	}
	m := newMarks(s.messages)
	err := s.measure(ctx, r, func(ctx context.Context) (bool, error) {
		got, err := c.receive(ctx, r.id)
		if err != nil || got == "" {
			return false, err
		}
		return true, m.see(got)
	})
	if err != nil {
		return err
	}
	return s.admin.checkQueue(ctx, r.id, s.messages-m.count.Load())
}

// measure warms up with f, and then notes how often it was done and what that used.
func (s *session) measure(ctx context.Context, r row, f func(context.Context) (bool, error)) error {
	if _, err := closedLoop(ctx, r.workers, s.warm, f); err != nil {
		return err
	}
	profile := peer.Profile{Path: filepath.Join(s.Out, "api-"+r.id+".pprof"), Seconds: max(int(s.patience.Seconds()), 1)}
	var d done
	used, err := s.server.Measure(ctx, s.home, profile, func() (calls int64, err error) {
		d, err = closedLoop(ctx, r.workers, s.patience, f)
		return d.calls, err
	})
	if err != nil {
		return err
	}
	used.Note(s.values, r.id)
	s.values[r.id+".rate"] = float64(d.calls) / d.took.Seconds()
	s.values[r.id+".p50"] = stats.Milliseconds(stats.Percentile(d.each, 0.5))
	s.values[r.id+".p99"] = stats.Milliseconds(stats.Percentile(d.each, 0.99))
	return nil
}
