package broker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// On the real log: members carry on after the power failed, their assignments
// and every offset whose commit was answered are there, and the generation that
// was handed out is the one that goes on.
func TestGroupsSurviveACrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	fs, store := vfs.NewMem(), catalog.NewMem()
	open := func() *Broker {
		cfg := Config{Dir: "/d", FS: fs, Store: store, RetentionEvery: -1, Groups: testGroupsConfig()}
		cfg.Journal.SegmentBytes = journal.SegmentBytesMin
		b, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	b := open()
	if _, err := b.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 3}, false); err != nil {
		t.Fatal(err)
	}
	members := stable(t, b.slot(0).groups, 2)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for round := range 5 {
		for n := range int32(3) {
			req := simpleCommit("g", "t", n, 0)
			req.MemberID, req.Generation = members[0].MemberID, members[0].Generation
			req.Topics[0].Partitions[0].Offset = record.Offset(round)
			if r := <-goCommit(b.slot(0).groups, req); r.Err != nil || r.Errs[0][0] != nil {
				t.Fatalf("round %d: %+v", round, r)
			}
		}
		fs = fs.CrashClone(rnd)
		b = open()
		if got, want := offsetsOf(t, b.slot(0).groups, "g"), fmt.Sprintf("t/0=%[1]d t/1=%[1]d t/2=%[1]d", round); got != want {
			t.Fatalf("round %d: %s, want %s", round, got, want)
		}
		for _, m := range members {
			if err := beat(b.slot(0).groups, m); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			r := <-goSync(b.slot(0).groups, group.SyncRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation})
			if r.Err != nil || string(r.Assignment) != m.MemberID {
				t.Errorf("round %d: %+v", round, r)
			}
		}
	}
	// The topic goes, and its offsets with it.
	if err := b.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open()
	if got := offsetsOf(t, b.slot(0).groups, "g"); got != "" {
		t.Errorf("of a deleted topic: %s", got)
	}
	if r := <-goCommit(b.slot(0).groups, simpleCommit("s", "t", 0, 1)); r.Err != nil || r.Errs[0][0] == nil {
		t.Errorf("commit to a deleted topic: %+v", r)
	}
}

// The largest group that the limits allow can be stored and comes back.
func TestLargestGroupIsStored(t *testing.T) {
	fs, store := vfs.NewMem(), catalog.NewMem()
	cfg := Config{Dir: "/d", FS: fs, Store: store, RetentionEvery: -1, Groups: testGroupsConfig()}
	b, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m := <-goJoin(b.slot(0).groups, joinRequest("c"))
	share := bytes.Repeat([]byte{7}, group.Defaults().Limits.GroupBytes-1024)
	req := group.SyncRequest{Group: "g", MemberID: m.MemberID, Generation: m.Generation, Assignments: []group.Assignment{{MemberID: m.MemberID, Data: share}}}
	if r := <-goSync(b.slot(0).groups, req); r.Err != nil || len(r.Assignment) != len(share) {
		t.Fatalf("%d bytes: %v", len(r.Assignment), r.Err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	req.Assignments = nil
	if r := <-goSync(b.slot(0).groups, req); r.Err != nil || !bytes.Equal(r.Assignment, share) {
		t.Errorf("%d bytes after a restart: %v", len(r.Assignment), r.Err)
	}
}
