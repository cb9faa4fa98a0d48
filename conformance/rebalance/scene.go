package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/narumq/naru/conformance/events"
	"github.com/narumq/naru/conformance/history"
)

// scene is one run: a topic, a group, and the processes that use them.
type scene struct {
	options
	admin   *kadm.Client
	topic   string
	group   string
	members int

	mu      sync.Mutex // guards what follows
	started []*process
	lines   map[*process][]events.Line
	acked   map[string]bool
	polled  map[string]bool
	errs    []error
}

// play runs the producers and moves members in and out while they run. The
// stages follow the producers' progress, not the clock, so that a slow machine
// sees the same play.
func (s *scene) play(ctx context.Context) error {
	s.lines, s.acked, s.polled = map[*process][]events.Line{}, map[string]bool{}, map[string]bool{}
	first, err := s.startMember()
	if err != nil {
		return err
	}
	second, err := s.startMember()
	if err != nil {
		return err
	}
	var producers []*process
	for i := range 2 {
		p, err := s.startProducer(fmt.Sprintf("p%d", i))
		if err != nil {
			return err
		}
		producers = append(producers, p)
	}
	total := 2 * s.records
	stages := []struct {
		acked int
		what  string
		do    func() error
	}{
		{total * 15 / 100, "a third member joins", func() error { _, err := s.startMember(); return err }},
		{total * 35 / 100, "a member leaves", func() error { return second.signal(syscall.SIGTERM) }},
		{total * 50 / 100, "a member is killed", func() error { return first.signal(syscall.SIGKILL) }},
		{total * 60 / 100, "a fourth member joins", func() error { _, err := s.startMember(); return err }},
	}
	for _, stage := range stages {
		if err := s.waitFor(ctx, stage.what, func() bool { return len(s.acked) >= stage.acked && s.polledSome() }); err != nil {
			return err
		}
		if err := stage.do(); err != nil {
			return fmt.Errorf("%s: %w", stage.what, err)
		}
	}
	for _, p := range producers {
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("producer %s: %w", p.name, err)
		}
	}
	if err := s.waitFor(ctx, "all records were acknowledged", func() bool { return len(s.acked) == total }); err != nil {
		return err
	}
	if err := s.waitFor(ctx, "all records were delivered", s.deliveredAll); err != nil {
		return err
	}
	if err := s.awaitCommitted(ctx); err != nil {
		return err
	}
	return s.stopMembers(ctx)
}

// awaitCommitted waits until the group has committed everything. The member that
// was killed may have been the only one so far to see some records: its heirs
// come to them when its session ends.
func (s *scene) awaitCommitted(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.checkCommitted(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until all is committed: %w", err)
		}
	}
}

// polledSome is true once the group has begun to read: a member that is sent
// away before its first record would prove nothing.
func (s *scene) polledSome() bool { return len(s.polled) > 0 }

func (s *scene) deliveredAll() bool {
	for v := range s.acked {
		if !s.polled[v] {
			return false
		}
	}
	return true
}

// waitFor polls the condition, under the lock, until it holds.
func (s *scene) waitFor(ctx context.Context, what string, holds func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s.mu.Lock()
		ok, err := holds(), errors.Join(s.errs...)
		acked, polled := len(s.acked), len(s.polled)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w (%d acknowledged, %d delivered)", what, ctx.Err(), acked, polled)
		}
	}
}

func (s *scene) stopMembers(ctx context.Context) error {
	for _, p := range s.running() {
		if err := p.signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	for _, p := range s.running() {
		if err := p.wait(ctx); err != nil {
			return fmt.Errorf("member %s did not leave in order: %w", p.name, err)
		}
	}
	return nil
}

// checkCommitted compares the group's committed offsets with the log's end.
func (s *scene) checkCommitted(ctx context.Context) error {
	ends, err := s.admin.ListEndOffsets(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("list end offsets: %w", err)
	}
	committed, err := s.admin.FetchOffsets(ctx, s.group)
	if err != nil {
		return fmt.Errorf("fetch offsets: %w", err)
	}
	for p := range int32(s.partitions) {
		end, ok := ends.Lookup(s.topic, p)
		got, ok2 := committed.Lookup(s.topic, p)
		if !ok || !ok2 || end.Offset != got.At {
			return fmt.Errorf("partition %d ends at %d, the group has committed %d", p, end.Offset, got.At)
		}
	}
	return nil
}

// checkQuiet starts one more member: all is committed, so it must be given all
// the partitions and read nothing.
func (s *scene) checkQuiet(ctx context.Context) error {
	last, err := s.startMember()
	if err != nil {
		return err
	}
	if err := s.waitFor(ctx, "a last member has every partition", func() bool {
		n := map[int32]bool{}
		for _, l := range s.lines[last] {
			switch l.Word {
			case "assign":
				n[l.Event.Partition] = true
			case "revoke":
				delete(n, l.Event.Partition)
			}
		}
		return len(n) == s.partitions
	}); err != nil {
		return err
	}
	time.Sleep(time.Second) // time in which a wrong delivery could happen; not a synchronisation
	if err := last.signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := last.wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines[last] {
		if l.Word == "poll" {
			return fmt.Errorf("%d@%d was delivered again after everything was committed", l.Event.Partition, l.Event.Offset)
		}
	}
	return nil
}

// history puts the processes' events together.
func (s *scene) history() (all []history.Event, acks, polls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, lines := range s.lines {
		for _, l := range lines {
			e := l.Event
			e.Process = p.name
			switch l.Word {
			case "ack":
				acks++
			case "poll":
				polls++
				e.Group = s.group
			case "commit":
				e.Group = s.group
			case "send", "assign":
			default:
				continue
			}
			all = append(all, e)
		}
	}
	return all, acks, polls
}

func (s *scene) assignments() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, lines := range s.lines {
		for _, l := range lines {
			if l.Word == "assign" {
				n++
			}
		}
	}
	return n
}
