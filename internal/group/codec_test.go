package group

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"
)

func sampleSaved() *Saved {
	return &Saved{
		Group: "g", Generation: 7, ProtocolType: "consumer", Protocol: "range", Leader: "a", Since: time.UnixMilli(1_700_000_000_123),
		Members: []SavedMember{
			{
				ID: "a", ClientID: "c", ClientHost: "/127.0.0.1", SessionTimeout: 45 * time.Second,
				RebalanceTimeout: 5 * time.Minute, Metadata: subscription("t"), Assignment: []byte("p0"),
			},
			{ID: "b", InstanceID: "i", SessionTimeout: time.Second, RebalanceTimeout: time.Second, Metadata: []byte{}, Assignment: []byte{}},
		},
	}
}

func sampleCommitted() Committed {
	return Committed{
		Offset: 1 << 40, LeaderEpoch: -1, Metadata: "note",
		CommittedAt: time.UnixMilli(1_700_000_000_456), ExpiresAt: time.UnixMilli(1_700_000_001_000),
	}
}

// The bytes on disk may only change with the version.
func TestFormat(t *testing.T) {
	p := PartitionKey{"t", 3}
	for name, c := range map[string]struct {
		cmd        Command
		key, value string
	}{
		"offset":        {CommitOffset("g", p, sampleCommitted()), "020167017403", "0180808080804001" + "90a7abfef962" + "d0afabfef962" + "046e6f7465"},
		"forget offset": {ForgetOffset("g", p), "020167017403", ""},
		"forget topic":  {ForgetTopic("t"), "030174", ""},
		"forget group":  {ForgetGroup("g"), "010167", ""},
		"group": {
			SaveGroup(&Saved{Group: "g", Generation: 1, ProtocolType: "x", Since: time.UnixMilli(1), Members: []SavedMember{{ID: "a", SessionTimeout: time.Second}}}),
			"010167", "01020178000002010161000000e807000000",
		},
	} {
		value := hex.EncodeToString(c.cmd.Value)
		want := string(bytes.ReplaceAll([]byte(c.value), []byte(" "), nil))
		if key := hex.EncodeToString(c.cmd.Key); key != c.key || value != want {
			t.Errorf("%s: %s %s, want %s %s", name, key, value, c.key, want)
		}
	}
}

func TestSavedSurvives(t *testing.T) {
	tab, s := NewTable(), sampleSaved()
	cmd := SaveGroup(s)
	if err := tab.Apply(cmd.Key, cmd.Value); err != nil {
		t.Fatal(err)
	}
	got, err := tab.Saved("g")
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v %v\nwant %+v", got, err, s)
	}
}

// A table of the next version is refused as such, not misread.
func TestNextVersion(t *testing.T) {
	tab := NewTable()
	for _, cmd := range []Command{
		SaveGroup(sampleSaved()), CommitOffset("g", PartitionKey{"t", 0}, sampleCommitted()),
	} {
		cmd.Value[0] = valueVersion + 1
		if err := tab.Apply(cmd.Key, cmd.Value); !errors.Is(err, ErrNewerFormat) {
			t.Errorf("key %x: %v", cmd.Key, err)
		}
	}
	for _, cmd := range []Command{{Key: []byte{4, 1, 'x'}, Value: []byte{1}}, {Key: ForgetTopic("t").Key, Value: []byte{1}}} {
		if err := tab.Apply(cmd.Key, cmd.Value); !errors.Is(err, ErrNewerFormat) {
			t.Errorf("key %x: %v", cmd.Key, err)
		}
	}
	if tab.Len() != 0 {
		t.Errorf("the table took %v", tab.Groups())
	}
}

func FuzzTableApply(f *testing.F) {
	for _, cmd := range []Command{
		SaveGroup(sampleSaved()), ForgetGroup("g"), ForgetTopic("t"), ForgetOffset("g", PartitionKey{"t", 0}),
		CommitOffset("g", PartitionKey{"t", 0}, sampleCommitted()),
		{Key: groupKey("g"), Value: []byte{1, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}},
	} {
		f.Add(cmd.Key, cmd.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		var tab *Table
		var err error
		most := 4096 + 64*uint64(len(key)+len(value))
		if n := allocated(most, func() { tab = NewTable(); err = tab.Apply(key, value) }); n > most {
			t.Errorf("%d bytes allocated for %d", n, len(key)+len(value))
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) {
				t.Errorf("error of no kind: %v", err)
			}
			if tab.Len() != 0 {
				t.Error("an error changed the table")
			}
			return
		}
		// What was taken is given back, and is taken again.
		again := NewTable()
		tab.Snapshot(func(key, value []byte) {
			if err := again.Apply(key, value); err != nil {
				t.Errorf("snapshot of %x %x: %v", key, value, err)
			}
		})
		if !reflect.DeepEqual(tab, again) {
			t.Errorf("snapshot of %x %x differs", key, value)
		}
	})
}

// allocated is what f allocates. Other goroutines are counted too, so that a
// figure above most is measured again.
func allocated(most uint64, f func()) uint64 {
	least := uint64(math.MaxUint64)
	for try := 0; try < 10 && least > most; try++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

func FuzzSubscribedTopics(f *testing.F) {
	f.Add(subscription("topic"))
	f.Add([]byte{0, 3, 0, 0, 0, 2, 0, 1, 'a', 0, 1, 'b', 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0})
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var topics []string
		var err error
		most := 4096 + 16*uint64(len(b))
		if n := allocated(most, func() { topics, err = SubscribedTopics(b) }); n > most {
			t.Errorf("%d bytes allocated for %d", n, len(b))
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error of no kind: %v", err)
		}
		n := 6
		for _, topic := range topics {
			n += 2 + len(topic)
		}
		if err == nil && n > len(b) {
			t.Errorf("%d bytes of topics from %d", n, len(b))
		}
	})
}

func TestSubscribedTopics(t *testing.T) {
	two := []byte{0, 1, 0, 0, 0, 2, 0, 1, 'a', 0, 2, 'b', 'c', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	got, err := SubscribedTopics(two)
	if err != nil || !slices.Equal(got, []string{"a", "bc"}) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range [][]byte{nil, two[:5], two[:8], two[:11], {0, 0, 0x7f, 0, 0, 0}, {0, 0, 0xff, 0xff, 0xff, 0xff}} {
		if got, err := SubscribedTopics(bad); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v %v", bad, got, err)
		}
	}
}
