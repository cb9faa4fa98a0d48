package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) groupChecks() {
	s.Run("group, commits and goes on where it was", s.groupResume)
	s.Run("group, two members share all partitions", s.groupShare)
	s.Run("group, cooperative-sticky moves only what must move", s.groupCooperative)
	s.Run("group, a static member comes back to its partitions without a rebalance", s.groupStatic)
	s.Run("group, a second static member of the same name fences the first", s.groupFenced)
	s.Run("group, no assignor in common: INCONSISTENT_GROUP_PROTOCOL", s.groupInconsistent)
}

// groupMember is one member whose assignments are recorded.
type groupMember struct {
	*kgo.Client
	mu      sync.Mutex
	owned   map[int32]bool
	revoked int
	gained  int
	cancel  context.CancelFunc
	stopped chan struct{}
	records int
	err     error
}

// join starts a member that polls in the background.
func (s *suite) join(topic, group string, opts ...kgo.Opt) (*groupMember, error) {
	m := &groupMember{owned: map[int32]bool{}, stopped: make(chan struct{})}
	lose := func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, p := range lost[topic] {
			delete(m.owned, p)
			m.revoked++
		}
	}
	c, err := s.client(append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(30 * time.Second), kgo.HeartbeatInterval(200 * time.Millisecond),
		kgo.AutoCommitInterval(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, p := range got[topic] {
				m.owned[p] = true
				m.gained++
			}
		}),
		kgo.OnPartitionsRevoked(lose), kgo.OnPartitionsLost(lose),
	}, opts...)...)
	if err != nil {
		return nil, err
	}
	m.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go func() {
		defer close(m.stopped)
		for ctx.Err() == nil {
			f := c.PollFetches(ctx)
			m.mu.Lock()
			m.records += f.NumRecords()
			if err := f.Err(); err != nil && !errors.Is(err, context.Canceled) {
				m.err = err
			}
			m.mu.Unlock()
		}
	}()
	return m, nil
}

// leave ends the member; a static one stays in the group until its session ends.
func (m *groupMember) leave() {
	m.cancel()
	<-m.stopped
	m.Close()
}

func (m *groupMember) state() (owned, gained, revoked, records int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.owned), m.gained, m.revoked, m.records
}

// until waits for a condition.
func until(ctx context.Context, what string, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s *suite) groupResume(ctx context.Context) error {
	topic, err := s.filled(ctx, 100, time.Now())
	if err != nil {
		return err
	}
	group := s.name("g")
	opts := []kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	for round, want := range []int64{0, 40} {
		c, err := s.client(opts...)
		if err != nil {
			return err
		}
		var got []*kgo.Record
		for len(got) < 40 {
			f := c.PollRecords(ctx, 40-len(got))
			if err := f.Err(); err != nil {
				c.Close()
				return err
			}
			got = append(got, f.Records()...)
		}
		err = c.CommitRecords(ctx, got...)
		c.Close()
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if got[0].Offset != want {
			return fmt.Errorf("round %d began at %d, want %d", round, got[0].Offset, want)
		}
	}
	return nil
}

func (s *suite) groupShare(ctx context.Context) error {
	topic, err := s.topic(ctx, 6, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	a, err := s.join(topic, group, kgo.Balancers(kgo.RoundRobinBalancer()))
	if err != nil {
		return err
	}
	defer a.leave()
	if err := until(ctx, "the first member has 6 partitions", func() bool { n, _, _, _ := a.state(); return n == 6 }); err != nil {
		return err
	}
	b, err := s.join(topic, group, kgo.Balancers(kgo.RoundRobinBalancer()))
	if err != nil {
		return err
	}
	split := func() bool { x, _, _, _ := a.state(); y, _, _, _ := b.state(); return x == 3 && y == 3 }
	if err := until(ctx, "both members have 3", split); err != nil {
		b.leave()
		return err
	}
	b.leave()
	return until(ctx, "the first member has 6 again", func() bool { n, _, _, _ := a.state(); return n == 6 })
}

func (s *suite) groupCooperative(ctx context.Context) error {
	topic, err := s.topic(ctx, 6, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	a, err := s.join(topic, group, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	if err != nil {
		return err
	}
	defer a.leave()
	if err := until(ctx, "the first member has 6 partitions", func() bool { n, _, _, _ := a.state(); return n == 6 }); err != nil {
		return err
	}
	b, err := s.join(topic, group, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	if err != nil {
		return err
	}
	defer b.leave()
	split := func() bool { x, _, _, _ := a.state(); y, _, _, _ := b.state(); return x == 3 && y == 3 }
	if err := until(ctx, "both members have 3", split); err != nil {
		return err
	}
	if _, gained, revoked, _ := a.state(); gained != 6 || revoked != 3 {
		return fmt.Errorf("the first member gained %d and lost %d partitions, want 6 and 3", gained, revoked)
	}
	return nil
}

func (s *suite) groupStatic(ctx context.Context) error {
	topic, err := s.topic(ctx, 4, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	a, err := s.join(topic, group, kgo.InstanceID("a"))
	if err != nil {
		return err
	}
	defer a.leave()
	b, err := s.join(topic, group, kgo.InstanceID("b"))
	if err != nil {
		return err
	}
	split := func() bool { x, _, _, _ := a.state(); y, _, _, _ := b.state(); return x == 2 && y == 2 }
	if err := until(ctx, "both members have 2", split); err != nil {
		b.leave()
		return err
	}
	_, gained, revoked, _ := a.state()
	_, generation := a.GroupMetadata()
	b.leave()
	again, err := s.join(topic, group, kgo.InstanceID("b"))
	if err != nil {
		return err
	}
	defer again.leave()
	if err := until(ctx, "the member is back with 2", func() bool { n, _, _, _ := again.state(); return n == 2 }); err != nil {
		return err
	}
	_, g, r, _ := a.state()
	if _, now := a.GroupMetadata(); now != generation || g != gained || r != revoked {
		return fmt.Errorf("the other member was disturbed: generation %d became %d, %d partitions gained, %d lost",
			generation, now, g-gained, r-revoked)
	}
	return s.removeStatic(ctx, group, "a", "b")
}

// removeStatic makes static members leave, as an operator would.
func (s *suite) removeStatic(ctx context.Context, group string, instances ...string) error {
	adm, err := s.admin()
	if err != nil {
		return err
	}
	defer adm.Close()
	described, err := adm.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	if n := len(described[group].Members); n != len(instances) {
		return fmt.Errorf("the group describes %d members, want %d", n, len(instances))
	}
	for _, m := range described[group].Members {
		if m.InstanceID == nil {
			return fmt.Errorf("member %s has no instance id", m.MemberID)
		}
	}
	left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(instances...).Reason("end of the check"))
	if err != nil {
		return err
	}
	return left.Error()
}

func (s *suite) groupFenced(ctx context.Context) error {
	topic, err := s.topic(ctx, 2, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	failed := make(chan error, 100)
	first, err := s.join(topic, group, kgo.InstanceID("one"), kgo.HeartbeatInterval(100*time.Millisecond),
		kgo.WithHooks(groupError{failed}))
	if err != nil {
		return err
	}
	defer first.leave()
	if err := until(ctx, "the first has 2 partitions", func() bool { n, _, _, _ := first.state(); return n == 2 }); err != nil {
		return err
	}
	second, err := s.join(topic, group, kgo.InstanceID("one"))
	if err != nil {
		return err
	}
	defer second.leave()
	for {
		select {
		case err := <-failed:
			if errors.Is(err, kerr.FencedInstanceID) {
				return nil
			}
		case <-ctx.Done():
			return errors.New("the first member was never told that it is fenced")
		}
	}
}

// groupError hands on the errors that end a group session.
type groupError struct{ to chan error }

func (g groupError) OnGroupManageError(err error) {
	select {
	case g.to <- err:
	default:
	}
}

func (s *suite) groupInconsistent(ctx context.Context) error {
	topic, err := s.topic(ctx, 2, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	first, err := s.join(topic, group, kgo.Balancers(kgo.RangeBalancer()))
	if err != nil {
		return err
	}
	defer first.leave()
	if err := until(ctx, "the first has 2 partitions", func() bool { n, _, _, _ := first.state(); return n == 2 }); err != nil {
		return err
	}
	failed := make(chan error, 100)
	second, err := s.join(topic, group, kgo.Balancers(kgo.RoundRobinBalancer()), kgo.WithHooks(groupError{failed}))
	if err != nil {
		return err
	}
	defer second.leave()
	select {
	case err := <-failed:
		return wantErr(err, kerr.InconsistentGroupProtocol)
	case <-ctx.Done():
		return errors.New("it was let in")
	}
}
