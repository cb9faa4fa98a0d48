package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

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
	values map[string]float64
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%-8s %s\n", s.spec.Name, fmt.Sprintf(format, args...))
}

func (s *session) run(ctx context.Context, r *report.Run) error {
	before, err := peer.ReadMachine()
	if err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		r.Failed["start"] = err.Error()
	} else {
		for _, row := range s.rows {
			began := time.Now()
			if err := row.do(s, ctx); err != nil {
				r.Failed[row.id] = err.Error()
				s.say("%s: %v", row.id, err)
			}
			s.say("%s: %.0f per second, p99 %.2f ms, %.1f s of CPU per million, in %.1f s",
				row.id, s.values[row.id+".rate"], s.values[row.id+".p99"], s.values[row.id+".cpu"], time.Since(began).Seconds())
		}
	}
	err = s.end(len(r.Failed) > 0)
	after, readErr := peer.ReadMachine()
	s.values["others.cpu"] = after.OthersSince(before)
	return errors.Join(err, readErr, ctx.Err())
}

// begin starts the broker, looks at it idle, and warms it up.
func (s *session) begin(ctx context.Context) error {
	dir, err := os.MkdirTemp(s.Out, "amqp-"+s.spec.Name+"-")
	if err != nil {
		return err
	}
	if s.home, err = peer.NewHome(dir, s.Profile && s.spec.Name == report.Naru); err != nil {
		return err
	}
	if s.spec.Prepare != nil {
		if err := s.spec.Prepare(ctx, s.home); err != nil {
			return err
		}
	}
	if s.server, err = s.spec.Start(s.home); err != nil {
		return err
	}
	took, err := s.server.AwaitReady(ctx, func() error {
		conn, err := dial(s.home.Addr())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return err
	}
	s.values["ready.ms"] = stats.Milliseconds(took)
	select {
	case <-time.After(s.idle): // not to wait for anything: this is what idle means
	case <-ctx.Done():
		return ctx.Err()
	}
	u, err := s.server.Usage()
	if err != nil {
		return err
	}
	s.values["idle.mib"] = stats.Mebibytes(u.RSSBytes)
	s.say("ready in %.0f ms, idle at %.0f MiB", s.values["ready.ms"], s.values["idle.mib"])
	queues := names("warm-up", s.queues)
	return s.fresh(ctx, queues, func() (int64, error) {
		_, _, err := through(ctx, s.home.Addr(), queues, s.messages/4, s.size, s.window, s.prefetch, s.patience/2)
		return 0, err
	})
}

// end stops the broker, and keeps its directory if anything failed.
func (s *session) end(failed bool) (err error) {
	if s.server != nil {
		err = s.server.Stop()
		if s.spec.Name != report.Naru {
			err = errors.Join(err, endNames(s.home))
		}
	}
	if failed {
		s.say("failed; see %s", s.home.Dir)
		return err
	}
	return errors.Join(err, os.RemoveAll(s.home.Dir))
}

// measured notes what a row used for each million of the messages that do returns.
func (s *session) measured(ctx context.Context, id string, do func() (int64, error)) error {
	profile := peer.Profile{Path: filepath.Join(s.Out, "amqp-"+id+".pprof"), Seconds: profileSeconds}
	used, err := s.server.Measure(ctx, s.home, profile, do)
	if err != nil {
		return err
	}
	used.Note(s.values, id)
	return nil
}

// profileSeconds is shorter than any row.
const profileSeconds = 3
