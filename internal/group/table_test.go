package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/record"
)

func apply(t *testing.T, tab *Table, cmds ...Command) {
	t.Helper()
	for _, c := range cmds {
		if err := tab.Apply(c.Key, c.Value); err != nil {
			t.Fatal(err)
		}
	}
}

func dump(tab *Table) string {
	var out []string
	for _, id := range tab.Groups() {
		if s, _ := tab.Saved(id); s != nil {
			out = append(out, fmt.Sprintf("%s:%d", id, s.Generation))
		}
		tab.Each(id, func(p PartitionKey, c Committed) {
			out = append(out, fmt.Sprintf("%s/%s/%d=%d", id, p.Topic, p.Partition, c.Offset))
		})
	}
	return strings.Join(out, " ")
}

func TestTable(t *testing.T) {
	tab := NewTable()
	at := func(group, topic string, n int32, off record.Offset) Command {
		return CommitOffset(group, PartitionKey{topic, n}, Committed{Offset: off})
	}
	apply(t, tab,
		at("a", "t", 10, 1), at("a", "t", 2, 5), at("a", "u", 0, 1), at("b", "t", 0, 9), at("b", "t", 0, 3),
		SaveGroup(&Saved{Group: "b", Generation: 4}), at("c", "t", 0, 1))
	step := func(want string, cmds ...Command) {
		t.Helper()
		apply(t, tab, cmds...)
		if got := dump(tab); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		again := NewTable()
		tab.Snapshot(func(k, v []byte) { apply(t, again, Command{Key: k, Value: v}) })
		if got := dump(again); got != want {
			t.Errorf("snapshot %s\nwant %s", got, want)
		}
	}
	step("a/t/2=5 a/t/10=1 a/u/0=1 b:4 b/t/0=3 c/t/0=1")
	step("a/t/2=5 a/u/0=1 b:4 b/t/0=3 c/t/0=1", ForgetOffset("a", PartitionKey{"t", 10}), ForgetOffset("x", PartitionKey{"t", 1}))
	if got := tab.Topics(); !slices.Equal(got, []string{"t", "u"}) {
		t.Errorf("topics %v", got)
	}
	step("a/u/0=1 b:4", ForgetTopic("t"))
	if tab.Has("c") || tab.Len() != 2 || tab.Count("a") != 1 {
		t.Errorf("groups %v, %d of a", tab.Groups(), tab.Count("a"))
	}
	step("a/u/0=1", ForgetGroup("b"))
	tab.Reset()
	step("")
}

func TestExpiry(t *testing.T) {
	const day = 24 * time.Hour
	start := time.UnixMilli(1_700_000_000_000)
	now := start.Add(8 * day)
	p := func(topic string) PartitionKey { return PartitionKey{topic, 0} }
	fresh := func() (*Table, *Coordinator) {
		tab := NewTable()
		apply(t, tab,
			CommitOffset("g", p("old"), Committed{CommittedAt: start}),
			CommitOffset("g", p("new"), Committed{CommittedAt: start.Add(7 * day)}),
			CommitOffset("g", p("short"), Committed{CommittedAt: start.Add(7 * day), ExpiresAt: start.Add(7*day + time.Hour)}),
			CommitOffset("g", p("long"), Committed{CommittedAt: start, ExpiresAt: start.Add(30 * day)}))
		c, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		return tab, c
	}
	expired := func(tab *Table, c *Coordinator) string {
		var out []string
		for _, k := range tab.Expired("g", now, 7*day, c.UnusedSince("g")) {
			out = append(out, k.Topic)
		}
		return strings.Join(out, " ")
	}
	member := func(topic string) SavedMember {
		return SavedMember{ID: "a", SessionTimeout: time.Minute, Metadata: subscription(topic)}
	}
	for _, tc := range []struct {
		name, want string
		saved      *Saved
	}{
		{"nobody ever joined", "old short", nil},
		{"empty for long", "old short", &Saved{Since: start.Add(day)}},
		{"empty since yesterday", "short", &Saved{Since: start.Add(7 * day)}},
		{"reads old", "short", &Saved{ProtocolType: "consumer", Leader: "a", Members: []SavedMember{member("old")}}},
		{"reads another", "old short", &Saved{ProtocolType: "consumer", Leader: "a", Members: []SavedMember{member("another")}}},
		{"reads what it says nobody knows", "", &Saved{ProtocolType: "connect", Leader: "a", Members: []SavedMember{member("another")}}},
		{"says nonsense", "", &Saved{ProtocolType: "consumer", Leader: "a", Members: []SavedMember{{ID: "a", Metadata: []byte{1}}}}},
	} {
		tab, c := fresh()
		if tc.saved != nil {
			tc.saved.Group = "g"
			if err := c.Restore(now, tc.saved); err != nil {
				t.Fatal(err)
			}
		}
		if got := expired(tab, c); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestOffsetDelete(t *testing.T) {
	c, _ := New(Config{})
	now := time.Unix(1, 0)
	restore := func(group, typ string, meta []byte) {
		s := &Saved{Group: group, ProtocolType: typ, Leader: "a", Members: []SavedMember{{ID: "a", Metadata: meta}}}
		if err := c.Restore(now, s); err != nil {
			t.Fatal(err)
		}
	}
	restore("reads t", "consumer", subscription("t"))
	restore("nonsense", "consumer", nil)
	restore("connect", "connect", nil)
	for _, tc := range []struct {
		group, topic string
		want         error
	}{
		{"unknown", "t", nil}, {"reads t", "u", nil}, {"reads t", "t", ErrGroupSubscribed},
		{"nonsense", "t", ErrGroupSubscribed}, {"connect", "t", ErrNonEmptyGroup},
	} {
		check, err := c.CheckOffsetDelete(tc.group)
		if err == nil {
			err = check(tc.topic)
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s of %s: %v, want %v", tc.topic, tc.group, err, tc.want)
		}
	}
}

func TestLimits(t *testing.T) {
	now := time.Unix(1, 0)
	cfg := Config{Limits: Limits{Groups: 1, ProtocolsPerMember: 2, MemberBytes: 40, GroupBytes: 60, TotalBytes: 100, IDBytes: 8}}
	ok := JoinRequest{Group: "g", ProtocolType: "consumer", SessionTimeout: 10 * time.Second, NewMemberID: "m", Protocols: []Protocol{{Name: "p", Metadata: make([]byte, 30)}}}
	for name, tc := range map[string]struct {
		change func(*JoinRequest)
		want   error
	}{
		"fits":          {func(*JoinRequest) {}, nil},
		"group id":      {func(r *JoinRequest) { r.Group = "123456789" }, ErrInvalidGroupID},
		"instance id":   {func(r *JoinRequest) { r.InstanceID = "123456789" }, ErrTooLarge},
		"member id":     {func(r *JoinRequest) { r.MemberID = strings.Repeat("m", 100) }, ErrUnknownMember},
		"no new id":     {func(r *JoinRequest) { r.NewMemberID = "" }, ErrInvalidCall},
		"protocols":     {func(r *JoinRequest) { r.Protocols = []Protocol{{Name: "a"}, {Name: "b"}, {Name: "c"}} }, ErrTooLarge},
		"member bytes":  {func(r *JoinRequest) { r.Protocols[0].Metadata = make([]byte, 40) }, ErrTooLarge},
		"second group":  {func(r *JoinRequest) { r.Group = "h" }, ErrTooManyGroups},
		"second member": {func(r *JoinRequest) { r.NewMemberID = "n" }, ErrTooLarge},
	} {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(name, "second") {
			c.Join(now, ok, 1)
		}
		req := ok
		req.Protocols = slices.Clone(ok.Protocols)
		tc.change(&req)
		var got error
		for _, e := range c.Join(now, req, 2) {
			if r, is := e.(*JoinReply); is && r.Token == 2 {
				got = r.Response.Err
			}
		}
		if !errors.Is(got, tc.want) || (tc.want == nil) != (got == nil) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
		if got != nil && !strings.HasPrefix(name, "second") && c.Len() != 0 {
			t.Errorf("%s: the refusal left a group behind", name)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{InitialRebalanceDelay: -1}, {SessionTimeoutMin: time.Hour}, {SessionTimeoutMin: -1}} {
		if _, err := New(cfg); !errors.Is(err, ErrInvalidCall) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if State(9).String() != "Unknown" || CompletingRebalance.String() != "CompletingRebalance" {
		t.Error("names of states")
	}
}
