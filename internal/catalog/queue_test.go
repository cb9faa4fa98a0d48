package catalog

import (
	"errors"
	"maps"
	"testing"
	"time"
)

func queueSpec(name, topic string) QueueSpec {
	return QueueSpec{Name: name, Topic: topic, Settings: DefaultQueueSettings(), Tags: map[string]string{"team": "우편"}}
}

func TestQueues(t *testing.T) {
	store := NewMem()
	c := open(t, store)
	own, topic, err := c.CreateQueue(queueSpec("mails", ""), 5)
	if err != nil || topic == nil || topic.Name != "mails" || !own.Owned {
		t.Fatalf("%+v %+v %v", own, topic, err)
	}
	if topic.Settings.RetentionMS != DefaultQueueRetention.Milliseconds() {
		t.Errorf("retention %d", topic.Settings.RetentionMS)
	}
	if q, _, err := c.CreateQueue(queueSpec("mails", ""), 6); !errors.Is(err, ErrQueueExists) || q != own {
		t.Errorf("created twice: %v", err)
	}
	view, topic, err := c.CreateQueue(queueSpec("copies", "mails"), 7)
	if err != nil || topic != nil || view.Owned || view.ID == own.ID {
		t.Fatalf("%+v %+v %v", view, topic, err)
	}
	if _, _, err := c.CreateQueue(queueSpec("x", "nowhere"), 7); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("a view on nothing: %v", err)
	}
	if _, err := c.Delete("mails"); !errors.Is(err, ErrTopicInUse) {
		t.Errorf("deleted a topic in use: %v", err)
	}

	altered, topic, err := c.AlterQueue("mails", 9, func(s *QueueSpec) error {
		s.Settings.Retention, s.Tags["n"] = time.Hour, "1"
		return nil
	})
	if err != nil || topic == nil || topic.Settings.RetentionMS != 3_600_000 || altered.ChangedAt != 9 || altered.CreatedAt != 5 {
		t.Fatalf("%+v %+v %v", altered, topic, err)
	}
	if len(own.Tags) != 1 {
		t.Error("an alteration changed the version before")
	}

	again, err := Open(Options{Store: store, Random: seeded(2)})
	if err != nil {
		t.Fatal(err)
	}
	q, err := again.Queue("mails")
	if err != nil || q.Settings != altered.Settings || !maps.Equal(q.Tags, altered.Tags) || q.ID != own.ID {
		t.Fatalf("%+v %v, want %+v", q, err, altered)
	}
	if _, err := again.DeleteQueue("mails"); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Topic("mails"); err != nil {
		t.Errorf("the topic went while another queue reads it: %v", err)
	}
	if _, err := again.DeleteQueue("copies"); err != nil {
		t.Fatal(err)
	}
	if next, _, err := again.CreateQueue(queueSpec("new", ""), 1); err != nil || next.ID <= view.ID {
		t.Errorf("id %d after %d: %v", next.ID, view.ID, err)
	}
	if _, err := again.DeleteQueue("new"); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Topic("new"); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("a topic of its own outlived its queue: %v", err)
	}
}

func TestQueueRules(t *testing.T) {
	c := open(t, NewMem())
	for name, change := range map[string]func(*QueueSettings){
		"lanes":         func(s *QueueSettings) { s.Lanes = 11 },
		"no lanes":      func(s *QueueSettings) { s.Lanes = 0 },
		"ordered lanes": func(s *QueueSettings) { s.Ordered, s.Lanes = true, 2 },
		"time":          func(s *QueueSettings) { s.Delay = -1 },
		"size":          func(s *QueueSettings) { s.MessageBytesMax = MessageBytesCap + 1 },
		"dedup":         func(s *QueueSettings) { s.Dedup = "all" },
		"stream lanes":  func(s *QueueSettings) { s.Stream, s.Lanes = true, 2 },
		"stream length": func(s *QueueSettings) { s.Stream, s.LengthMax = true, 2 },
	} {
		spec := queueSpec("q", "")
		change(&spec.Settings)
		if _, _, err := c.CreateQueue(spec, 1); !errors.Is(err, ErrInvalidQueue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := c.CreateQueue(queueSpec("q", ""), 1); err != nil {
		t.Fatal(err)
	}
	_, _, err := c.AlterQueue("q", 2, func(s *QueueSpec) error { s.Settings.Ordered = true; return nil })
	if !errors.Is(err, ErrInvalidQueue) {
		t.Errorf("the order was changed: %v", err)
	}
	if _, _, err := c.AlterQueue("none", 2, func(*QueueSpec) error { return nil }); !errors.Is(err, ErrUnknownQueue) {
		t.Errorf("%v", err)
	}
}

// A stored queue that contradicts the rest is damage, not a queue.
func TestDamagedQueues(t *testing.T) {
	for name, bad := range map[string]*Queue{
		"no topic":      {Name: "q", ID: 1, Topic: "gone", Settings: DefaultQueueSettings()},
		"id not given":  {Name: "q", ID: 99, Topic: "t", Settings: DefaultQueueSettings()},
		"id of another": {Name: "q", ID: 1, Topic: "t", Settings: DefaultQueueSettings()},
	} {
		store := NewMem()
		c := open(t, store)
		if _, _, err := c.CreateQueue(queueSpec("t", ""), 1); err != nil {
			t.Fatal(err)
		}
		if err := store.Apply([]Op{encodeQueue(bad)}); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Store: store, Random: seeded(1)}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQueueOfLongMessages: the topic of a queue takes its longest message, also after a change; that of a stream keeps what
// the stream says.
func TestQueueOfLongMessages(t *testing.T) {
	c := open(t, NewMem())
	spec := queueSpec("q", "")
	spec.Settings.Stream, spec.Settings.BytesMax = true, 5_000
	if _, _, err := c.CreateQueue(spec, 1); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int32{DefaultMessageBytesMax, MessageBytesCap, 100} {
		if _, _, err := c.AlterQueue("q", 2, func(s *QueueSpec) error { s.Settings.MessageBytesMax = size; return nil }); err != nil {
			t.Fatal(err)
		}
		topic, err := c.Topic("q")
		if err != nil || topic.Settings.MaxMessageBytes <= size || topic.Settings.RetentionBytes != 5_000 {
			t.Errorf("messages of %d bytes: %+v, %v", size, topic.Settings, err)
		}
	}
	_, _, err := c.AlterQueue("q", 2, func(s *QueueSpec) error { s.Settings.Stream = false; return nil })
	if !errors.Is(err, ErrInvalidQueue) {
		t.Errorf("a stream became a queue: %v", err)
	}
}
