package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

var errDisk = errors.New("disk on fire")

// fakeLog is a state log in memory. Commands become durable one append after
// another, on a goroutine of their own, unless held back.
type fakeLog struct {
	mu      sync.Mutex
	machine *GroupsMachine
	kept    []group.Command // durable, in order
	next    record.Offset
	held    []func()
	hold    bool
	fail    error
	queue   chan func()
}

func newFakeLog(t *testing.T, m *GroupsMachine, kept []group.Command) *fakeLog {
	l := &fakeLog{machine: m, queue: make(chan func(), 1000)}
	for _, c := range kept {
		l.keep(c)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for f := range l.queue {
			f()
		}
	})
	t.Cleanup(func() { close(l.queue); done.Wait() })
	return l
}

func (l *fakeLog) keep(c group.Command) {
	l.kept = append(l.kept, c)
	if err := l.machine.Apply(record.Record{Offset: l.next, Key: c.Key, Value: c.Value}); err != nil {
		panic(err)
	}
	l.next++
}

func (l *fakeLog) Append(cmds []group.Command, done func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := func() {
		l.mu.Lock()
		err := l.fail
		for _, c := range cmds {
			if err == nil {
				l.keep(c)
			}
		}
		l.mu.Unlock()
		done(err)
	}
	if l.hold {
		l.held = append(l.held, f)
		return
	}
	l.queue <- f
}

// set changes what appends meet with; releasing the hold runs what was held.
func (l *fakeLog) set(hold bool, fail error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold, l.fail = hold, fail
	if !hold {
		for _, f := range l.held {
			l.queue <- f
		}
		l.held = nil
	}
}

func (l *fakeLog) commands() []group.Command {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.kept)
}

func testGroupsConfig() GroupsConfig {
	cfg := GroupsConfig{Log: slog.New(slog.DiscardHandler)}
	cfg.Group.InitialRebalanceDelay = 100 * time.Millisecond
	return cfg
}

func startGroups(t *testing.T, cfg GroupsConfig, kept []group.Command) (*Groups, *fakeLog) {
	t.Helper()
	g, err := NewGroups(cfg)
	if err != nil {
		t.Fatal(err)
	}
	log := newFakeLog(t, g.Machine(), kept)
	g.Start(log)
	t.Cleanup(g.CloseGroups)
	return g, log
}

func joinRequest(name string) group.JoinRequest {
	meta := append([]byte{0, 1, 0, 0, 0, 1, 0, 1}, 't', 0xff, 0xff, 0xff, 0xff)
	return group.JoinRequest{
		Group: "g", ClientID: name, SessionTimeout: 10 * time.Second, RebalanceTimeout: 30 * time.Second,
		ProtocolType: group.TypeConsumer, Protocols: []group.Protocol{{Name: "range", Metadata: meta}},
	}
}

func goJoin(g *Groups, req group.JoinRequest) <-chan group.JoinResponse {
	out := make(chan group.JoinResponse, 2)
	g.JoinGroup(req, func(r group.JoinResponse) { out <- r })
	return out
}

func goSync(g *Groups, req group.SyncRequest) <-chan group.SyncResponse {
	out := make(chan group.SyncResponse, 2)
	g.SyncGroup(req, func(r group.SyncResponse) { out <- r })
	return out
}

// stable makes a group of n members, the leader first.
func stable(t *testing.T, g *Groups, n int) []group.JoinResponse {
	t.Helper()
	var calls []<-chan group.JoinResponse
	for i := range n {
		calls = append(calls, goJoin(g, joinRequest(fmt.Sprint("c", i))))
	}
	var members []group.JoinResponse
	for _, c := range calls {
		r := <-c
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if r.Leader == r.MemberID {
			members = append([]group.JoinResponse{r}, members...)
		} else {
			members = append(members, r)
		}
	}
	var syncs []<-chan group.SyncResponse
	for i, m := range members {
		req := group.SyncRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation}
		if i == 0 {
			for _, other := range members {
				req.Assignments = append(req.Assignments, group.Assignment{MemberID: other.MemberID, Data: []byte(other.MemberID)})
			}
		}
		syncs = append(syncs, goSync(g, req))
	}
	for i, c := range syncs {
		if r := <-c; r.Err != nil || string(r.Assignment) != members[i].MemberID {
			t.Fatalf("member %d: %+v", i, r)
		}
	}
	return members
}

func beat(g *Groups, m group.JoinResponse) error {
	return g.Heartbeat(group.HeartbeatRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation})
}

func TestGroupLivesOnTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		start := time.Now()
		members := stable(t, g, 3)
		if d := time.Since(start); d != 200*time.Millisecond {
			t.Errorf("three who start together wait %v, want the delay and one extension", d)
		}
		// One of them falls silent; the others learn of it within a session.
		for range 4 {
			time.Sleep(3 * time.Second)
			for _, m := range members[:2] {
				if err := beat(g, m); err != nil && !errors.Is(err, group.ErrRebalanceInProgress) {
					t.Fatal(err)
				}
			}
		}
		if err := beat(g, members[2]); !errors.Is(err, group.ErrUnknownMember) {
			t.Errorf("the silent one: %v", err)
		}
		if d := g.DescribeGroup("g"); d.State != group.PreparingRebalance || len(d.Members) != 2 {
			t.Errorf("%+v", d)
		}
		// Nobody comes back: the group ends up empty.
		time.Sleep(time.Minute)
		if d := g.DescribeGroup("g"); d.State != group.Empty || len(d.Members) != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestRestartIsInvisible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := startGroups(t, testGroupsConfig(), nil)
		members := stable(t, g, 2)
		g.CloseGroups()
		if err := beat(g, members[0]); !errors.Is(err, group.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
		g, _ = startGroups(t, testGroupsConfig(), log.commands())
		defer g.CloseGroups()
		for _, m := range members {
			if err := beat(g, m); err != nil {
				t.Error(err)
			}
			r := <-goSync(g, group.SyncRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation})
			if r.Err != nil || string(r.Assignment) != m.MemberID {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestAssignmentIsStoredBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		m := <-goJoin(g, joinRequest("c"))
		req := group.SyncRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation, Assignments: []group.Assignment{{MemberID: m.MemberID, Data: []byte("x")}}}
		log.set(true, nil)
		call := goSync(g, req)
		synctest.Wait()
		if len(call) != 0 {
			t.Fatalf("told before stored: %+v", <-call)
		}
		log.set(false, errDisk)
		if r := <-call; !errors.Is(r.Err, group.ErrUnavailable) || !errors.Is(r.Err, errDisk) {
			t.Errorf("after a failed store: %+v", r)
		}
		log.set(false, nil)
		if err := beat(g, m); !errors.Is(err, group.ErrRebalanceInProgress) {
			t.Errorf("%v", err)
		}
	})
}

func TestEveryCallIsAnsweredAtTheEnd(t *testing.T) {
	g, err := NewGroups(testGroupsConfig())
	if err != nil {
		t.Fatal(err)
	}
	// Before Start nothing is known, and nothing is promised.
	if r := <-goJoin(g, joinRequest("c")); !errors.Is(r.Err, group.ErrUnavailable) {
		t.Errorf("join before start: %+v", r)
	}
	if r := <-goSync(g, group.SyncRequest{Group: "g"}); !errors.Is(r.Err, group.ErrUnavailable) {
		t.Errorf("sync before start: %+v", r)
	}
	cfg := testGroupsConfig()
	cfg.Group.InitialRebalanceDelay = time.Hour
	g, _ = startGroups(t, cfg, nil)
	call := goJoin(g, joinRequest("c"))
	g.CloseGroups()
	g.CloseGroups()
	if r := <-call; !errors.Is(r.Err, group.ErrUnavailable) {
		t.Errorf("join at the end: %+v", r)
	}
	if r := g.LeaveGroup(group.LeaveRequest{Group: "g"}); !errors.Is(r.Err, group.ErrUnavailable) {
		t.Errorf("leave after the end: %+v", r)
	}
	if d := g.DescribeGroup("g"); !errors.Is(d.Err, group.ErrUnavailable) {
		t.Errorf("describe after the end: %+v", d)
	}
}

// A reply that calls again must neither deadlock nor overtake.
func TestReplyMayCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		done := make(chan group.SyncResponse, 1)
		g.JoinGroup(joinRequest("c"), func(m group.JoinResponse) {
			g.SyncGroup(group.SyncRequest{
				Group: "g", MemberID: m.MemberID, Generation: m.Generation,
				Assignments: []group.Assignment{{MemberID: m.MemberID, Data: []byte("mine")}},
			}, func(r group.SyncResponse) {
				if err := beat(g, m); err != nil {
					r.Err = err
				}
				done <- r
			})
		})
		if r := <-done; r.Err != nil || string(r.Assignment) != "mine" {
			t.Errorf("%+v", r)
		}
	})
}

func TestListAndDeleteGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		members := stable(t, g, 1)
		commit(t, g, "simple", "t", 0, 5)
		commit(t, g, "", "t", 0, 5) // the group without a name, of old simple consumers
		list := func(states, types []string) string {
			out := ""
			for _, l := range g.ListGroups(states, types) {
				out += fmt.Sprintf("%q %v %q;", l.Group, l.State, l.ProtocolType)
			}
			return out
		}
		const unnamed, simple, joined = `"" Empty "";`, `"simple" Empty "";`, `"g" Stable "consumer";`
		for _, tc := range []struct {
			states, types []string
			want          string
		}{
			{nil, nil, unnamed + joined + simple},
			{[]string{"stable"}, nil, joined},
			{[]string{"EMPTY", "dead"}, []string{"Classic"}, unnamed + simple},
			{nil, []string{"consumer"}, ""},
		} {
			if got := list(tc.states, tc.types); got != tc.want {
				t.Errorf("%v %v: %s, want %s", tc.states, tc.types, got, tc.want)
			}
		}
		if d := g.DescribeGroup("simple"); d.Err != nil || d.State != group.Empty {
			t.Errorf("%+v", d)
		}
		if s := g.GroupStats(); s.Groups[group.Empty] != 2 || s.Groups[group.Stable] != 1 || s.Members != 1 {
			t.Errorf("%+v", s)
		}
		errs := deleteGroups(g, "g", "simple", "none", "")
		if !errors.Is(errs[0], group.ErrNonEmptyGroup) || errs[1] != nil || !errors.Is(errs[2], group.ErrUnknownGroup) || errs[3] != nil {
			t.Errorf("%v", errs)
		}
		g.LeaveGroup(group.LeaveRequest{Group: "g", Members: []group.LeavingMember{{MemberID: members[0].MemberID}}})
		if errs := deleteGroups(g, "g"); errs[0] != nil {
			t.Error(errs)
		}
		if got := list(nil, nil); got != "" {
			t.Errorf("left: %s", got)
		}
		g.CloseGroups()
		g, _ = startGroups(t, testGroupsConfig(), log.commands())
		defer g.CloseGroups()
		if got := list(nil, nil); got != "" {
			t.Errorf("back after a restart: %s", got)
		}
	})
}

func deleteGroups(g *Groups, ids ...string) []error {
	out := make(chan []error, 1)
	g.DeleteGroups(ids, func(errs []error) { out <- errs })
	return <-out
}

// Many groups at once, for the race detector: each member must see its own
// group's generations grow, and every call answered.
func TestManyGroupsAtOnce(t *testing.T) {
	cfg := testGroupsConfig()
	cfg.Group.InitialRebalanceDelay = 0
	g, _ := startGroups(t, cfg, nil)
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			req := joinRequest(fmt.Sprint("c", i))
			req.Group = fmt.Sprint("g", i%6)
			last := int32(0)
			for range 30 {
				m := <-goJoin(g, req)
				if m.Err != nil {
					t.Error(m.Err)
					return
				}
				if m.Generation < last {
					t.Errorf("generation %d after %d", m.Generation, last)
				}
				last, req.MemberID = m.Generation, m.MemberID
				s := group.SyncRequest{Group: req.Group, MemberID: m.MemberID, Generation: m.Generation}
				if r := <-goSync(g, s); r.Err != nil && !errors.Is(r.Err, group.ErrRebalanceInProgress) && !errors.Is(r.Err, group.ErrIllegalGeneration) {
					t.Error(r.Err)
				}
			}
			g.LeaveGroup(group.LeaveRequest{Group: req.Group, Members: []group.LeavingMember{{MemberID: req.MemberID}}})
		})
	}
	all.Wait()
	if s := g.GroupStats(); s.Members != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// Decisions leave in the order in which they were made, whoever carries them
// out: or an older generation could be stored over a newer one.
func TestDecisionsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		var order []string
		gate := make(chan struct{})
		go g.JoinGroup(group.JoinRequest{}, func(group.JoinResponse) {
			<-gate
			order = append(order, "first")
		})
		synctest.Wait()
		g.JoinGroup(group.JoinRequest{}, func(group.JoinResponse) { order = append(order, "second") })
		if len(order) != 0 {
			t.Errorf("overtaken by %v", order)
		}
		close(gate)
		synctest.Wait()
		if !slices.Equal(order, []string{"first", "second"}) {
			t.Error(order)
		}
	})
}
