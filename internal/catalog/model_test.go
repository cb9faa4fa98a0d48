package catalog

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/narumq/naru/internal/record"
	"pgregory.net/rapid"
)

// model is what a catalog should hold, in the plainest form.
type model struct {
	topics   map[string]modelTopic
	starts   map[uint64]record.Offset
	streams  map[uint64]bool // every one that was ever given out
	producer int64
}

type modelTopic struct {
	id       UUID
	streams  []uint64
	settings map[string]string
}

// machine drives a catalog and its model through the same changes.
type machine struct {
	model
	c      *Catalog
	reopen func(t *rapid.T) *Catalog
	fail   func(applied bool) // nil if the store cannot be made to fail
}

var modelNames = []string{"a", "b", "a.b", "a_b", "나루"}

func (m *machine) Create(t *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	n := rapid.Int32Range(-1, 4).Draw(t, "partitions")
	settings := map[string]string{}
	if rapid.Bool().Draw(t, "settings") {
		settings["retention.ms"] = fmt.Sprint(rapid.Int64Range(-1, 9).Draw(t, "retention"))
	}
	topic, err := m.c.Create(TopicSpec{Name: name, Partitions: n, Settings: settings}, false)
	_, taken := m.topics[name]
	if name == "a.b" || name == "a_b" {
		_, dot := m.topics["a.b"]
		_, line := m.topics["a_b"]
		taken = dot || line
	}
	switch {
	case name == "나루":
		wantErr(t, err, ErrInvalidTopicName)
	case taken:
		wantErr(t, err, ErrTopicExists)
	case n == 0:
		wantErr(t, err, ErrInvalidPartitions)
	case err != nil:
		t.Fatal(err)
	default:
		m.topics[name] = modelTopic{topic.ID, m.take(t, topic, 0), settings}
	}
}

// take notes the streams of a topic from the partition on as given out.
func (m *machine) take(t *rapid.T, topic *Topic, from int) []uint64 {
	var streams []uint64
	for i, p := range topic.Partitions {
		if i >= from {
			if m.streams[p.Stream] || p.LogStart != 0 {
				t.Fatalf("new partition %s-%d has stream %d from %d", topic.Name, i, p.Stream, p.LogStart)
			}
			m.streams[p.Stream] = true
		}
		streams = append(streams, p.Stream)
	}
	return streams
}

func (m *machine) Delete(t *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	_, err := m.c.Delete(name)
	topic, ok := m.topics[name]
	if !ok {
		wantErr(t, err, ErrUnknownTopic)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range topic.streams {
		delete(m.starts, s)
	}
	delete(m.topics, name)
}

func (m *machine) AddPartitions(t *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	total := rapid.Int32Range(0, 8).Draw(t, "total")
	grown, err := m.c.AddPartitions(name, total, false)
	topic, ok := m.topics[name]
	switch {
	case !ok:
		wantErr(t, err, ErrUnknownTopic)
	case int(total) <= len(topic.streams):
		wantErr(t, err, ErrInvalidPartitions)
	case err != nil:
		t.Fatal(err)
	default:
		all := m.take(t, grown, len(topic.streams))
		if !slices.Equal(all[:len(topic.streams)], topic.streams) {
			t.Fatalf("streams %v became %v", topic.streams, all)
		}
		topic.streams = all
		m.topics[name] = topic
	}
}

func (m *machine) Alter(t *rapid.T) {
	name := rapid.SampledFrom(modelNames).Draw(t, "name")
	setting := rapid.SampledFrom([]string{"retention.ms", "retention.bytes"}).Draw(t, "setting")
	v := fmt.Sprint(rapid.Int64Range(-2, 5).Draw(t, "value"))
	change := Change{Name: setting, Value: &v}
	if rapid.Bool().Draw(t, "back to default") {
		change.Value = nil
	}
	_, err := m.c.Alter(name, []Change{change}, false)
	topic, ok := m.topics[name]
	switch {
	case !ok:
		wantErr(t, err, ErrUnknownTopic)
	case change.Value != nil && v == "-2":
		wantErr(t, err, ErrInvalidConfig)
	case err != nil:
		t.Fatal(err)
	default:
		topic.settings = maps.Clone(topic.settings)
		if topic.settings == nil {
			topic.settings = map[string]string{}
		}
		if topic.settings[setting] = v; change.Value == nil {
			delete(topic.settings, setting)
		}
		m.topics[name] = topic
	}
}

func (m *machine) SetLogStarts(t *rapid.T) {
	starts := rapid.MapOfN(rapid.Uint64Range(0, 30), rapid.Map(rapid.Int64Range(-1, 100),
		func(o int64) record.Offset { return record.Offset(o) }), 0, 5).Draw(t, "starts")
	if err := m.c.SetLogStarts(starts); err != nil {
		t.Fatal(err)
	}
	for _, topic := range m.topics {
		for _, s := range topic.streams {
			if o, ok := starts[s]; ok && o > m.starts[s] {
				m.starts[s] = o
			}
		}
	}
}

func (m *machine) ProducerIDs(t *rapid.T) {
	first, n, err := m.c.NextProducerIDBlock()
	if err != nil || first != m.producer {
		t.Fatalf("block from %d, want %d: %v", first, m.producer, err)
	}
	m.producer += int64(n)
}

// Fail makes a creation fail; if it took place all the same, the next change,
// which finds nothing to do here, brings it to light.
func (m *machine) Fail(t *rapid.T) {
	if m.fail == nil {
		t.Skip()
	}
	if _, exists := m.topics["b"]; exists {
		t.Skip()
	}
	applied := rapid.Bool().Draw(t, "applied")
	m.fail(applied)
	_, err := m.c.Create(TopicSpec{Name: "b", Partitions: 2}, false)
	wantErr(t, err, ErrStorage)
	if err := m.c.SetLogStarts(nil); err != nil {
		t.Fatal(err)
	}
	topic, err := m.c.Topic("b")
	if (err == nil) != applied {
		t.Fatalf("applied=%v: %v", applied, err)
	}
	if applied {
		m.topics["b"] = modelTopic{topic.ID, m.take(t, topic, 0), nil}
	}
}

func (m *machine) Reopen(t *rapid.T) {
	before := dump(m.c)
	if err := m.c.Close(); err != nil {
		t.Fatal(err)
	}
	m.c = m.reopen(t)
	if after := dump(m.c); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
	for _, topic := range m.c.Topics() {
		for _, p := range topic.Partitions {
			if p.LogStart != m.starts[p.Stream] {
				t.Fatalf("%s: stream %d starts at %d, want %d", topic.Name, p.Stream, p.LogStart, m.starts[p.Stream])
			}
		}
	}
}

func (m *machine) Check(t *rapid.T) {
	topics := m.c.Topics()
	if len(topics) != len(m.topics) || !slices.IsSortedFunc(topics, func(a, b *Topic) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		t.Fatalf("%d topics, want %d, sorted", len(topics), len(m.topics))
	}
	for name, want := range m.topics {
		got, err := m.c.Topic(name)
		if err != nil || got.ID != want.id || !maps.Equal(got.Settings.Explicit, want.settings) || len(got.Partitions) != len(want.streams) {
			t.Fatalf("%s: %+v, %v; want %+v", name, got, err, want)
		}
		if byID, err := m.c.TopicByID(want.id); err != nil || byID != got {
			t.Fatalf("%s by id: %v, %v", name, byID, err)
		}
	}
	if _, err := m.c.TopicByID(UUID{1}); !errors.Is(err, ErrUnknownTopic) {
		t.Fatal(err)
	}
}

func newModel() model {
	return model{topics: map[string]modelTopic{}, starts: map[uint64]record.Offset{}, streams: map[uint64]bool{}}
}

func TestModelMem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, random := NewMem(), seeded(rapid.Uint64().Draw(t, "seed"))
		m := &machine{model: newModel(), fail: func(applied bool) { s.FailNext(errors.New("injected"), applied) },
			reopen: func(t *rapid.T) *Catalog {
				c, err := Open(Options{Store: s, Random: random})
				if err != nil {
					t.Fatal(err)
				}
				return c
			}}
		m.c = m.reopen(t)
		t.Repeat(rapid.StateMachineActions(m))
	})
}

func TestModelCoord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		quorum, random := newQuorum(), seeded(rapid.Uint64().Draw(rt, "seed"))
		m := &machine{model: newModel(), reopen: func(rt *rapid.T) *Catalog {
			c, err := Open(Options{Store: NewCoord(owned(t, quorum)), Random: random})
			if err != nil {
				rt.Fatal(err)
			}
			return c
		}}
		m.c = m.reopen(rt)
		rt.Repeat(rapid.StateMachineActions(m))
	})
}

func TestModelBolt(t *testing.T) {
	dir, files := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		files++
		if files > 8 {
			return // every change waits for the disk
		}
		path, random := filepath.Join(dir, fmt.Sprint(files)), seeded(rapid.Uint64().Draw(t, "seed"))
		m := &machine{model: newModel(), reopen: func(t *rapid.T) *Catalog {
			s, err := OpenBolt(path)
			if err != nil {
				t.Fatal(err)
			}
			c, err := Open(Options{Store: s, Random: random})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}}
		m.c = m.reopen(t)
		defer func() { m.c.Close() }()
		t.Repeat(rapid.StateMachineActions(m))
	})
}
