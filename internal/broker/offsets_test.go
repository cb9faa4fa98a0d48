package broker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

func goCommit(g *Groups, req CommitOffsetsRequest) <-chan CommitOffsetsResponse {
	out := make(chan CommitOffsetsResponse, 2)
	g.CommitOffsets(req, func(r CommitOffsetsResponse) { out <- r })
	return out
}

func simpleCommit(id, topic string, partition int32, off record.Offset) CommitOffsetsRequest {
	return CommitOffsetsRequest{
		CommitCheck: group.CommitCheck{Group: id, Generation: group.NoGeneration},
		Topics:      []CommitTopic{{topic, []CommitPartition{{Partition: partition, Offset: off, LeaderEpoch: -1, Metadata: "m"}}}},
	}
}

func commit(t *testing.T, g *Groups, id, topic string, partition int32, off record.Offset) {
	t.Helper()
	if r := <-goCommit(g, simpleCommit(id, topic, partition, off)); r.Err != nil || r.Errs[0][0] != nil {
		t.Fatalf("%+v", r)
	}
}

// offsetsOf lists a group's offsets as "topic/partition=offset …".
func offsetsOf(t *testing.T, g *Groups, id string) string {
	t.Helper()
	topics, err := g.FetchOffsets(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, topic := range topics {
		for _, p := range topic.Partitions {
			out = append(out, fmt.Sprintf("%s/%d=%d", topic.Topic, p.Partition, p.Offset))
		}
	}
	return strings.Join(out, " ")
}

func TestCommitAndFetch(t *testing.T) {
	cfg := testGroupsConfig()
	errUnknown := errors.New("no such partition")
	cfg.CheckPartition = func(topic string, n int32) error {
		if topic != "t" && topic != "u" {
			return errUnknown
		}
		return nil
	}
	cfg.EndOffset = func(topic string, n int32) (record.Offset, bool) { return 100, topic == "t" }
	g, log := startGroups(t, cfg, nil)
	r := <-goCommit(g, CommitOffsetsRequest{
		CommitCheck: group.CommitCheck{Group: "g", Generation: -1},
		Topics: []CommitTopic{
			{"t", []CommitPartition{{2, 40, 7, "note"}, {1, 120, -1, ""}, {0, 1, -1, strings.Repeat("x", 4097)}, {-1, 1, -1, ""}, {3, -2, -1, ""}}},
			{"none", []CommitPartition{{0, 1, -1, ""}}},
			{"u", []CommitPartition{{0, 3, -1, strings.Repeat("y", 4096)}}},
		},
	})
	want := [][]error{{nil, nil, group.ErrMetadataTooLarge, group.ErrInvalidCall, nil}, {errUnknown}, {nil}}
	for i := range want {
		for j, w := range want[i] {
			if !errors.Is(r.Errs[i][j], w) || (w == nil) != (r.Errs[i][j] == nil) {
				t.Errorf("topic %d partition %d: %v, want %v", i, j, r.Errs[i][j], w)
			}
		}
	}
	if got := offsetsOf(t, g, "g"); got != "t/1=120 t/2=40 t/3=-2 u/0=3" {
		t.Errorf("all: %s", got)
	}
	got, _ := g.FetchOffsets("g", []WantedTopic{{"t", []int32{2, 5}}, {"none", []int32{0}}})
	p := got[0].Partitions
	if p[0].Offset != 40 || p[0].LeaderEpoch != 7 || p[0].Metadata != "note" || p[1].Offset != -1 || p[1].LeaderEpoch != -1 || got[1].Partitions[0].Offset != -1 {
		t.Errorf("wanted: %+v", got)
	}
	lags := ""
	for _, o := range g.GroupOffsets() {
		lags += fmt.Sprintf("%s/%s/%d %d of %d, %d behind; ", o.Group, o.Topic, o.Partition, o.Offset, o.End, o.Lag)
	}
	if want := "g/t/1 120 of 100, 0 behind; g/t/2 40 of 100, 60 behind; g/t/3 -2 of 100, -1 behind; g/u/0 3 of -1, -1 behind; "; lags != want {
		t.Errorf("%s, want %s", lags, want)
	}
	g.CloseGroups()
	g, _ = startGroups(t, cfg, log.commands())
	if got := offsetsOf(t, g, "g"); got != "t/1=120 t/2=40 t/3=-2 u/0=3" {
		t.Errorf("after a restart: %s", got)
	}
}

func TestCommitIsAnsweredWhenDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		log.set(true, nil)
		call := goCommit(g, simpleCommit("g", "t", 0, 5))
		synctest.Wait()
		if len(call) != 0 || offsetsOf(t, g, "g") != "" {
			t.Error("answered or seen before it was durable")
		}
		log.set(false, errDisk)
		if r := <-call; !errors.Is(r.Err, errDisk) || r.Errs != nil {
			t.Errorf("%+v", r)
		}
		log.set(false, nil)
		if got := offsetsOf(t, g, "g"); got != "" {
			t.Errorf("failed, and there: %s", got)
		}
		commit(t, g, "g", "t", 0, 6)
	})
}

func TestOnlyMembersCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		req := simpleCommit("g", "t", 0, 5)
		req.Generation, req.MemberID = 1, "m"
		if r := <-goCommit(g, req); !errors.Is(r.Err, group.ErrIllegalGeneration) {
			t.Errorf("member of no group: %v", r.Err)
		}
		m := stable(t, g, 1)[0]
		for name, tc := range map[string]struct {
			id   string
			gen  int32
			want error
		}{
			"member":     {m.MemberID, m.Generation, nil},
			"zombie":     {m.MemberID, m.Generation - 1, group.ErrIllegalGeneration},
			"stranger":   {"x", m.Generation, group.ErrUnknownMember},
			"not member": {"", -1, group.ErrUnknownMember},
		} {
			req.MemberID, req.Generation = tc.id, tc.gen
			if r := <-goCommit(g, req); !errors.Is(r.Err, tc.want) {
				t.Errorf("%s: %v, want %v", name, r.Err, tc.want)
			}
		}
	})
}

func TestDeleteOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		del := func(id string, topics ...WantedTopic) CommitOffsetsResponse {
			out := make(chan CommitOffsetsResponse, 1)
			g.DeleteOffsets(id, topics, func(r CommitOffsetsResponse) { out <- r })
			return <-out
		}
		if r := del("g", WantedTopic{"t", []int32{0}}); !errors.Is(r.Err, group.ErrUnknownGroup) {
			t.Errorf("%+v", r)
		}
		for _, topic := range []string{"t", "u"} {
			commit(t, g, "g", topic, 0, 5)
			commit(t, g, "g", topic, 1, 6)
		}
		members := stable(t, g, 1) // reads t
		r := del("g", WantedTopic{"t", []int32{0}}, WantedTopic{"u", []int32{0, 9}})
		if r.Err != nil || !errors.Is(r.Errs[0][0], group.ErrGroupSubscribed) || r.Errs[1][0] != nil || r.Errs[1][1] != nil {
			t.Errorf("%+v", r)
		}
		if got := offsetsOf(t, g, "g"); got != "t/0=5 t/1=6 u/1=6" {
			t.Errorf("%s", got)
		}
		g.LeaveGroup(group.LeaveRequest{Group: "g", Members: []group.LeavingMember{{MemberID: members[0].MemberID}}})
		if r := del("g", WantedTopic{"t", []int32{0}}); r.Err != nil || r.Errs[0][0] != nil {
			t.Errorf("%+v", r)
		}
		log.set(false, errDisk)
		if r := del("g", WantedTopic{"t", []int32{1}}); !errors.Is(r.Err, errDisk) {
			t.Errorf("%+v", r)
		}
		if got := offsetsOf(t, g, "g"); got != "t/1=6 u/1=6" {
			t.Errorf("%s", got)
		}
	})
}

// A commit that was under way when its topic was deleted must not be there for a
// new topic of that name.
func TestDeletedTopicTakesItsOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g *Groups
		cfg := testGroupsConfig()
		gone, dropMidway := false, false
		cfg.CheckPartition = func(topic string, _ int32) error {
			switch {
			case gone && topic == "t":
				return errors.New("no such topic")
			case dropMidway:
				dropMidway, gone = false, true
				g.DropTopicOffsets("t", nil)
			}
			return nil
		}
		var log *fakeLog
		g, log = startGroups(t, cfg, nil)
		defer g.CloseGroups()
		commit(t, g, "g", "u", 0, 1)
		commit(t, g, "h", "t", 0, 1)
		log.set(true, nil)
		slow := goCommit(g, simpleCommit("g", "t", 0, 7))
		gone = true
		dropped := make(chan error, 1)
		g.DropTopicOffsets("t", func(err error) { dropped <- err })
		log.set(false, nil)
		if r := <-slow; r.Err != nil {
			t.Error(r.Err)
		}
		if err := <-dropped; err != nil {
			t.Error(err)
		}
		if got := offsetsOf(t, g, "g") + offsetsOf(t, g, "h"); got != "u/0=1" {
			t.Errorf("left: %s", got)
		}
		// Deleted just after the commit saw that it exists.
		gone, dropMidway = false, true
		if r := <-goCommit(g, simpleCommit("g", "t", 0, 8)); r.Err != nil || r.Errs[0][0] == nil {
			t.Errorf("%+v", r)
		}
		synctest.Wait()
		if got := offsetsOf(t, g, "g"); got != "u/0=1" {
			t.Errorf("left: %s", got)
		}
		// Deleted, and the process died before the offsets were.
		g.RetainTopicOffsets(func(topic string) bool { return topic != "u" })
		synctest.Wait()
		if got := offsetsOf(t, g, "g"); got != "" {
			t.Errorf("left: %s", got)
		}
	})
}

func TestOffsetsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		g, log := startGroups(t, testGroupsConfig(), nil)
		defer g.CloseGroups()
		m := stable(t, g, 1)[0]
		commitAs := func() {
			req := simpleCommit("g", "t", 0, 5)
			req.MemberID, req.Generation = m.MemberID, m.Generation
			if r := <-goCommit(g, req); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		commitAs()
		commit(t, g, "simple", "t", 0, 1)
		req := simpleCommit("brief", "t", 0, 1)
		req.Retention = time.Hour
		if r := <-goCommit(g, req); r.Err != nil {
			t.Fatal(r.Err)
		}
		// The member lives for ten days without a commit.
		for range int(10 * day / (5 * time.Second)) {
			time.Sleep(5 * time.Second)
			if err := beat(g, m); err != nil {
				t.Fatal(err)
			}
		}
		if got := offsetsOf(t, g, "g"); got != "t/0=5" {
			t.Errorf("of a living group: %q", got)
		}
		if got := offsetsOf(t, g, "simple") + offsetsOf(t, g, "brief"); got != "" {
			t.Errorf("nobody uses: %q", got)
		}
		// It dies; its offsets stay for seven days more, over a restart.
		time.Sleep(4 * day)
		g.CloseGroups()
		g, log = startGroups(t, testGroupsConfig(), log.commands())
		defer g.CloseGroups()
		time.Sleep(2 * day)
		if got := offsetsOf(t, g, "g"); got != "t/0=5" {
			t.Errorf("after six days: %q", got)
		}
		// A commit under way keeps what looks old.
		log.set(true, nil)
		call := goCommit(g, simpleCommit("g", "t", 0, 6))
		time.Sleep(2 * day)
		log.set(false, nil)
		if r := <-call; r.Err != nil {
			t.Error(r.Err)
		}
		if got := offsetsOf(t, g, "g"); got != "t/0=6" {
			t.Errorf("a commit was under way: %q", got)
		}
		time.Sleep(8 * day)
		if got := g.ListGroups(nil, nil); len(got) != 0 {
			t.Errorf("left: %+v", got)
		}
		if errs := deleteGroups(g, "g"); !errors.Is(errs[0], group.ErrUnknownGroup) {
			t.Error(errs)
		}
	})
}
