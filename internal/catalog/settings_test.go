package catalog

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/record"
)

func testRules(t testing.TB, broker map[string]string) rules {
	t.Helper()
	r, err := newRules(broker, record.DefaultBatchBytesMax)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKnownSettingsAreSortedAndValid(t *testing.T) {
	if !slices.IsSortedFunc(knownSettings, func(a, b setting) int { return strings.Compare(a.name, b.name) }) {
		t.Fatal("not sorted: lookups miss")
	}
	for _, d := range knownSettings {
		if v, err := d.normalize(d.def, record.DefaultBatchBytesMax); err != nil || v != d.def {
			t.Errorf("%s: default %q becomes %q, %v", d.name, d.def, v, err)
		}
		if d.doc == "" || d.fixed != (d.set == nil) || d.fixed != (d.only != "") {
			t.Errorf("%s: incomplete", d.name)
		}
		if refusedSettings[d.name] != "" {
			t.Errorf("%s is both known and refused", d.name)
		}
	}
}

func TestDefaults(t *testing.T) {
	s, err := testRules(t, nil).settings(nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.RetentionMS != 7*24*3600*1000 || s.RetentionBytes != -1 || s.MaxMessageBytes != 1048588 ||
		s.TimestampType != CreateTime || s.TimestampBeforeMaxMS != 1<<63-1 || s.TimestampAfterMaxMS != 3600000 ||
		s.Compression != (Compression{Producer: true}) {
		t.Fatalf("%+v", s)
	}
}

func TestSetting(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		stored      string // "" if refused
		text        string // in the error
	}{
		{"retention.ms", "1000", "1000", ""},
		{"retention.ms", " +5 ", "5", ""},
		{"retention.ms", "-1", "-1", ""},
		{"retention.ms", "-2", "", "must be at least -1"},
		{"retention.ms", "9223372036854775808", "", "not a number of type LONG"},
		{"retention.ms", "7 days", "", "Invalid value 7 days for configuration retention.ms: not a number of type LONG"},
		{"retention.ms", "", "", "not a number"},
		{"retention.bytes", "-1", "-1", ""},
		{"retention.bytes", "-2", "", "at least -1"},
		{"max.message.bytes", "0", "0", ""},
		{"max.message.bytes", "33554432", "33554432", ""},
		{"max.message.bytes", "33554433", "", "at most 33554432"},
		{"max.message.bytes", "2147483648", "", "type INT"},
		{"max.message.bytes", "-1", "", "at least 0"},
		{"message.timestamp.type", "LogAppendTime", "LogAppendTime", ""},
		{"message.timestamp.type", "logappendtime", "", "one of CreateTime, LogAppendTime"},
		{"message.timestamp.before.max.ms", "0", "0", ""},
		{"message.timestamp.before.max.ms", "-1", "", "at least 0"},
		{"message.timestamp.after.max.ms", "60000", "60000", ""},
		{"message.timestamp.difference.max.ms", "1", "", "Unknown topic config name: message.timestamp.difference.max.ms"},
		{"compression.type", "zstd", "zstd", ""},
		{"compression.type", "uncompressed", "uncompressed", ""},
		{"compression.type", "none", "", "one of uncompressed"},
		{"compression.gzip.level", "-1", "-1", ""},
		{"compression.gzip.level", "9", "", "cannot be chosen"},
		{"compression.lz4.level", "9", "9", ""},
		{"compression.zstd.level", "4", "", "only 3 is possible"},
		{"min.insync.replicas", "1", "1", ""},
		{"min.insync.replicas", "2", "", "one replica"},
		{"cleanup.policy", "delete", "delete", ""},
		{"cleanup.policy", "delete, delete,", "delete", ""},
		{"cleanup.policy", "compact", "", "compaction is not supported yet"},
		{"cleanup.policy", "compact,delete", "", "compaction is not supported yet"},
		{"cleanup.policy", "", "", "only delete"},
		{"unclean.leader.election.enable", "False", "false", ""},
		{"unclean.leader.election.enable", "true", "", "only false"},
		{"unclean.leader.election.enable", "maybe", "", "true or false"},
		{"preallocate", "false", "false", ""},
		{"preallocate", "true", "", "always preallocated"},
		{"remote.storage.enable", "false", "false", ""},
		{"remote.storage.enable", "true", "", "tiered storage"},
		{"segment.bytes", "1073741824", "", "share one journal"},
		{"segment.ms", "604800000", "", "share one journal"},
		{"flush.messages", "1", "", "--sync"},
		{"min.cleanable.dirty.ratio", "0.5", "", "compaction is not supported yet"},
		{"leader.replication.throttled.replicas", "", "", "not replicated"},
		{"local.retention.ms", "-2", "", "tiered storage"},
		{"no.such.thing", "1", "", "Unknown topic config name: no.such.thing"},
		{strings.Repeat("x", 10_000), "1", "", "Unknown topic config name: xxx"},
	} {
		s, err := testRules(t, nil).settings(map[string]string{tc.name: tc.value})
		if tc.stored == "" {
			wantErr(t, err, ErrInvalidConfig, tc.text)
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d characters", len(err.Error()))
			}
			continue
		}
		if err != nil || s.Explicit[tc.name] != tc.stored {
			t.Errorf("%s=%s: stored %q, %v", tc.name, tc.value, s.Explicit[tc.name], err)
		}
	}
}

func TestSettingsReachTheirFields(t *testing.T) {
	s, err := testRules(t, nil).settings(map[string]string{
		"retention.ms": "1", "retention.bytes": "2", "max.message.bytes": "3", "message.timestamp.type": "LogAppendTime",
		"message.timestamp.before.max.ms": "4", "message.timestamp.after.max.ms": "5", "compression.type": "snappy",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.RetentionMS != 1 || s.RetentionBytes != 2 || s.MaxMessageBytes != 3 || s.TimestampType != LogAppendTime ||
		s.TimestampBeforeMaxMS != 4 || s.TimestampAfterMaxMS != 5 || s.Compression != (Compression{Codec: record.Snappy}) {
		t.Fatalf("%+v", s)
	}
}

func TestCompression(t *testing.T) {
	for value, want := range map[string]record.Codec{"producer": record.LZ4, "uncompressed": record.None,
		"gzip": record.Gzip, "snappy": record.Snappy, "lz4": record.LZ4, "zstd": record.Zstd} {
		c := parseCompression(value)
		if got := c.Of(record.LZ4); got != want || c.String() != value {
			t.Errorf("%s: %s, %s", value, got, c)
		}
	}
}

func TestAlter(t *testing.T) {
	p := func(s string) *string { return &s }
	base := map[string]string{"retention.ms": "1000", "cleanup.policy": "delete"}
	for _, tc := range []struct {
		name    string
		changes []Change
		want    map[string]string // nil if refused
		text    string
	}{
		{"nothing", nil, base, ""},
		{"set", []Change{{"retention.ms", p("5"), Set}}, map[string]string{"retention.ms": "5", "cleanup.policy": "delete"}, ""},
		{"delete", []Change{{"retention.ms", nil, Delete}}, map[string]string{"cleanup.policy": "delete"}, ""},
		{"set to null", []Change{{"retention.ms", nil, Set}}, map[string]string{"cleanup.policy": "delete"}, ""},
		{"delete what is not set", []Change{{"retention.bytes", nil, Delete}}, base, ""},
		{"delete what cannot be set", []Change{{"segment.bytes", nil, Delete}}, base, ""},
		{"delete what does not exist", []Change{{"nonsense", nil, Delete}}, nil, "Unknown topic config name: nonsense"},
		{"append what is there", []Change{{"cleanup.policy", p("delete"), Append}}, base, ""},
		{"append what cannot be", []Change{{"cleanup.policy", p("compact"), Append}}, nil, "compaction"},
		{"subtract what is not there", []Change{{"cleanup.policy", p("compact"), Subtract}}, base, ""},
		{"subtract the last", []Change{{"cleanup.policy", p("delete"), Subtract}}, nil, "only delete"},
		{"append to a number", []Change{{"retention.ms", p("5"), Append}}, nil, "not a list"},
		{"unknown operation", []Change{{"retention.ms", p("5"), 9}}, nil, "op(9)"},
		{"twice", []Change{{"retention.ms", p("5"), Set}, {"retention.ms", p("6"), Set}}, nil, "changed twice"},
		{"all or none", []Change{{"retention.ms", p("5"), Set}, {"flush.ms", p("6"), Set}}, nil, "--sync"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := testRules(t, nil)
			s, err := r.settings(base)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.alter(s, tc.changes)
			if tc.want == nil {
				wantErr(t, err, ErrInvalidConfig, tc.text)
				got = s
			} else if err != nil || !maps.Equal(got.Explicit, tc.want) {
				t.Fatalf("%v, %v", got.Explicit, err)
			}
			if !maps.Equal(s.Explicit, base) {
				t.Fatalf("the old settings changed: %v", s.Explicit)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	r := testRules(t, map[string]string{"retention.ms": "77", "retention.bytes": "88"})
	s, err := r.settings(map[string]string{"retention.ms": "5"})
	if err != nil {
		t.Fatal(err)
	}
	if s.RetentionMS != 5 || s.RetentionBytes != 88 {
		t.Fatalf("%+v", s)
	}
	all := map[string]Described{}
	for _, d := range s.Describe() {
		all[d.Name] = d
	}
	if len(all) != len(knownSettings) {
		t.Fatalf("%d settings of %d", len(all), len(knownSettings))
	}
	d := all["retention.ms"]
	if d.Value != "5" || d.Source != FromTopic || d.Default() || d.Type != TypeLong || d.ReadOnly ||
		!slices.Equal(d.Synonyms, []Synonym{{"retention.ms", "5", FromTopic}, {"log.retention.ms", "77", FromBroker},
			{"log.retention.ms", "604800000", FromDefault}}) {
		t.Fatalf("%+v", d)
	}
	d = all["retention.bytes"]
	if d.Value != "88" || d.Source != FromBroker || d.Default() {
		t.Fatalf("%+v", d)
	}
	d = all["min.insync.replicas"]
	if d.Value != "1" || d.Source != FromDefault || !d.Default() || !d.ReadOnly {
		t.Fatalf("%+v", d)
	}
}

func TestDescribeBroker(t *testing.T) {
	c, err := Open(Options{Store: NewMem(), Random: seeded(1), Defaults: map[string]string{"retention.ms": "77"}})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Described{}
	list := c.DescribeBroker(map[string]string{"num.partitions": "6", "naru.sync": "always"})
	for _, d := range list {
		all[d.Name] = d
		if !d.ReadOnly {
			t.Errorf("%s is not read only", d.Name)
		}
	}
	if !slices.IsSortedFunc(list, func(a, b Described) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted")
	}
	if d := all["num.partitions"]; d.Value != "6" || d.Type != TypeInt || d.Doc == "" {
		t.Errorf("%+v", d)
	}
	if d := all["log.retention.ms"]; d.Value != "77" || d.Source != FromBroker || len(d.Synonyms) != 2 {
		t.Errorf("%+v", d)
	}
	if d := all["naru.sync"]; d.Value != "always" || d.Type != TypeString {
		t.Errorf("%+v", d)
	}
	if _, err := Open(Options{Store: NewMem(), Random: seeded(1), Defaults: map[string]string{"segment.ms": "1"}}); err == nil {
		t.Error("a default that cannot be set is accepted")
	}
}
