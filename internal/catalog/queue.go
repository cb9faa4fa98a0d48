package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Queue is one version of a queue. It never changes: an alteration makes another.
type Queue struct {
	Name string
	// ID names the queue's state on the log. It is never given out again.
	ID    uint64
	Topic string
	// Owned says that the topic was made for the queue, and goes with it.
	Owned    bool
	Settings QueueSettings
	Tags     map[string]string // the user's
	Labels   map[string]string // what front ends keep here for themselves
	// CreatedAt and ChangedAt are milliseconds since 1970.
	CreatedAt, ChangedAt int64
}

// Internal tells whether the queue is the broker's own: its name says so.
func (q *Queue) Internal() bool { return strings.HasPrefix(q.Name, InternalPrefix) }

// DedupScope is within what the id of a message is unique.
type DedupScope string

// Scopes. On disk: never rename.
const (
	DedupNone  DedupScope = ""
	DedupQueue DedupScope = "queue"
	DedupGroup DedupScope = "group"
)

// QueueSettings are a queue's settings. Zero means the default, if there is one.
type QueueSettings struct {
	Ordered         bool          `json:"ordered,omitempty"` // groups are delivered in order; never changes
	Lanes           int32         `json:"lanes,omitempty"`   // priority levels, 1 to 10; never changes
	Lease           time.Duration `json:"lease"`             // of a delivery
	Delay           time.Duration `json:"delay,omitempty"`   // of what is sent
	Wait            time.Duration `json:"wait,omitempty"`    // of a receive that does not say
	Retention       time.Duration `json:"retention"`
	MessageBytesMax int32         `json:"message_bytes_max"`
	AttemptsMax     int32         `json:"attempts_max,omitempty"` // deliveries of a message; 0 = no limit
	DeadLetter      string        `json:"dead_letter,omitempty"`  // the queue for what was delivered so often
	// DeadLetterExpired sends there what has expired, too.
	DeadLetterExpired bool `json:"dead_letter_expired,omitempty"`
	// ExpireUnwaited makes a message expire that nobody waits for when it is durable.
	ExpireUnwaited bool       `json:"expire_unwaited,omitempty"`
	Dedup          DedupScope `json:"dedup,omitempty"`
	DedupByContent bool       `json:"dedup_by_content,omitempty"`
	// PerGroupThroughput is remembered for clients that ask; there is no limit.
	PerGroupThroughput bool   `json:"per_group_throughput,omitempty"`
	Filter             string `json:"filter,omitempty"` // of a view

	// LengthMax and BytesMax bound what is ready; 0 = no bound, BoundNothing = nothing
	// may be. Past it Overflow says what happens.
	LengthMax int64    `json:"length_max,omitempty"`
	BytesMax  int64    `json:"bytes_max,omitempty"`
	Overflow  Overflow `json:"overflow,omitempty"`
	// Stream says that nothing is taken from the queue: it is its topic, read by offset, and BytesMax is retention.bytes
	// of that. It never changes.
	Stream bool `json:"stream,omitempty"`
	// DeadLetterRoute is where dead letters are published to, in place of DeadLetter.
	DeadLetterRoute *DeadLetterRoute `json:"dead_letter_route,omitempty"`
}

// Overflow is what happens to a queue that is too long.
type Overflow string

// Overflows. On disk: never rename.
const (
	OverflowDropHead         Overflow = "" // what would be delivered next is a dead letter
	OverflowReject           Overflow = "reject"
	OverflowRejectDeadLetter Overflow = "reject-dead-letter" // what is refused is a dead letter
)

// DeadLetterRoute is an exchange for dead letters.
type DeadLetterRoute struct {
	Namespace string  `json:"namespace"`
	Exchange  string  `json:"exchange"`
	Key       *string `json:"key,omitempty"` // nil: those that the message had
}

// Defaults and limits of queue settings.
const (
	DefaultLease           = 30 * time.Second
	DefaultQueueRetention  = 4 * 24 * time.Hour
	DefaultMessageBytesMax = 1 << 20
	LanesMax               = 10
	BoundNothing           = -1 // a bound of 0, as 0 is none
	QueuesMax              = 100_000
	// MessageBytesCap is the most that MessageBytesMax may be: the 16 MiB that AMQP 0-9-1 clients are used to, and headers.
	MessageBytesCap = 17 << 20
	// queueBatchBytesMax is max.message.bytes of topics made for queues, at least; queueBatchExtra is how much more it is
	// than one message, whose headers of the queue's own do not count.
	queueBatchBytesMax = 8 << 20
	queueBatchExtra    = 1 << 20
)

// DefaultQueueSettings are those of a queue that says nothing.
func DefaultQueueSettings() QueueSettings {
	return QueueSettings{Lanes: 1, Lease: DefaultLease, Retention: DefaultQueueRetention, MessageBytesMax: DefaultMessageBytesMax}
}

// QueueSpec asks for a queue.
type QueueSpec struct {
	Name string
	// Topic is the one to view; "" = one of the queue's name, which is made unless
	// it exists.
	Topic    string
	Settings QueueSettings // start from DefaultQueueSettings
	Tags     map[string]string
	Labels   map[string]string
	Internal bool // the name has InternalPrefix
}

func (s *QueueSettings) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrInvalidQueue, fmt.Sprintf(format, args...))
	}
	switch {
	case s.Lanes < 1 || s.Lanes > LanesMax:
		return bad("%d lanes, 1 to %d are allowed", s.Lanes, LanesMax)
	case s.Lease < 0 || s.Delay < 0 || s.Wait < 0 || s.Retention < 0:
		return bad("negative time")
	case s.MessageBytesMax < 1 || s.MessageBytesMax > MessageBytesCap:
		return bad("messages of at most %d bytes, 1 to %d are allowed", s.MessageBytesMax, MessageBytesCap)
	case s.AttemptsMax < 0:
		return bad("%d attempts", s.AttemptsMax)
	case s.LengthMax < BoundNothing || s.BytesMax < BoundNothing:
		return bad("negative length")
	case !slices.Contains([]Overflow{OverflowDropHead, OverflowReject, OverflowRejectDeadLetter}, s.Overflow):
		return bad("overflow %q", s.Overflow)
	case s.DeadLetterRoute != nil && s.DeadLetter != "":
		return bad("dead letters go to a queue or to an exchange")
	case s.Ordered && s.Lanes > 1:
		return bad("an ordered queue has one lane")
	case s.Stream && (s.Ordered || s.Lanes > 1 || s.LengthMax > 0 || s.DeadLetter != "" || s.DeadLetterRoute != nil || s.Overflow != "" || s.Filter != ""):
		return bad("a stream has no order, lanes, length, dead letters, overflow or filter")
	case !slices.Contains([]DedupScope{DedupNone, DedupQueue, DedupGroup}, s.Dedup):
		return bad("dedup scope %q", s.Dedup)
	}
	return nil
}

// Queues returns all queues, sorted by name. Do not change the slice.
func (c *Catalog) Queues() []*Queue { return *c.queues.Load() }

// Queue returns the queue of that name, or ErrUnknownQueue.
func (c *Catalog) Queue(name string) (*Queue, error) {
	list := c.Queues()
	i, ok := slices.BinarySearchFunc(list, name, func(q *Queue, n string) int { return strings.Compare(q.Name, n) })
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownQueue, shown(name))
	}
	return list[i], nil
}

// CreateQueue makes a queue, and a topic for it if that is needed, in one change.
// now is in milliseconds.
//
// Errors: ErrQueueExists, with the queue that exists; ErrInvalidQueue,
// ErrUnknownTopic, ErrInternalTopic, those of Create for the topic.
func (c *Catalog) CreateQueue(spec QueueSpec, now int64) (*Queue, *Topic, error) {
	var made *Topic
	q, err := changed(c, func() (*Queue, change, error) {
		made = nil
		if err := c.checkNewQueue(&spec); err != nil {
			exists, _ := c.Queue(spec.Name)
			return exists, change{}, err
		}
		q := &Queue{
			Name: spec.Name, ID: c.nextQueue, Topic: spec.Topic, Settings: spec.Settings,
			Tags: maps.Clone(spec.Tags), Labels: maps.Clone(spec.Labels), CreatedAt: now, ChangedAt: now,
		}
		t, nextStream, ops, err := c.queueTopic(q, spec.Internal)
		if err != nil {
			return nil, change{}, err
		}
		made = t
		return q, change{append(ops, encodeQueue(q), encodeNumber(keyNextQueue, q.ID+1)), func() {
			c.nextQueue++
			if made != nil {
				c.added(made, nextStream)
			}
			c.putQueue(q)
		}}, nil
	})
	if err != nil {
		return q, nil, err
	}
	return q, made, nil
}

func (c *Catalog) checkNewQueue(spec *QueueSpec) error {
	if _, err := c.Queue(spec.Name); err == nil {
		return fmt.Errorf("%w: %s", ErrQueueExists, spec.Name)
	}
	if len(c.Queues()) >= QueuesMax {
		return fmt.Errorf("%w: %d queues", ErrLimit, QueuesMax)
	}
	if err := CheckTopicName(spec.Name); err != nil {
		return err
	}
	return spec.Settings.check()
}

// queueTopic finds the topic that q views, or prepares one.
func (c *Catalog) queueTopic(q *Queue, internal bool) (made *Topic, nextStream uint64, ops []Op, err error) {
	name := q.Topic
	if name == "" {
		name = q.Name
	}
	t, err := c.Topic(name)
	switch {
	case err == nil && t.Internal:
		return nil, 0, nil, fmt.Errorf("%w: %s", ErrInternalTopic, name)
	case err == nil && q.Settings.Lanes > 1:
		return nil, 0, nil, fmt.Errorf("%w: a view on a topic that exists has no lanes", ErrInvalidQueue)
	case err == nil:
		q.Topic = name
		return nil, 0, nil, nil
	case q.Topic != "" || !errors.Is(err, ErrUnknownTopic):
		return nil, 0, nil, err
	}
	q.Topic, q.Owned = name, true
	spec := TopicSpec{Name: name, Partitions: q.Settings.Lanes, Settings: queueTopicSettings(&q.Settings), Internal: internal}
	made, nextStream, err = c.newTopic(spec, true)
	if err != nil {
		return nil, 0, nil, err
	}
	return made, nextStream, []Op{encodeTopic(made), encodeNumber(keyNextStream, nextStream)}, nil
}

func queueTopicSettings(s *QueueSettings) map[string]string {
	out := map[string]string{"max.message.bytes": batchBytesMax(s), "retention.ms": retentionMS(s)}
	if s.Stream && s.BytesMax > 0 {
		out["retention.bytes"] = fmt.Sprint(s.BytesMax)
	}
	return out
}

func batchBytesMax(s *QueueSettings) string {
	return fmt.Sprint(max(queueBatchBytesMax, int(s.MessageBytesMax)+queueBatchExtra))
}

func retentionMS(s *QueueSettings) string {
	if s.Retention == 0 {
		return "-1"
	}
	return fmt.Sprint(s.Retention.Milliseconds())
}

// AlterQueue changes a queue: edit gets a spec of it as it is, and may change
// settings, tags and labels; it is called again where another broker changed
// something meanwhile. now is in milliseconds. A topic that the queue owns is
// altered with it and returned.
//
// Errors: ErrUnknownQueue, ErrInvalidQueue, what edit returns.
func (c *Catalog) AlterQueue(name string, now int64, edit func(*QueueSpec) error) (*Queue, *Topic, error) {
	var altered *Topic
	q, err := changed(c, func() (_ *Queue, p change, err error) {
		old, err := c.Queue(name)
		if err != nil {
			return nil, p, err
		}
		q, err := old.edited(edit)
		if err != nil {
			return nil, p, err
		}
		q.ChangedAt = now
		if altered, err = c.alteredTopic(old, q); err != nil {
			return nil, p, err
		}
		p.ops = []Op{encodeQueue(q)}
		if altered != nil {
			p.ops = append(p.ops, encodeTopic(altered))
		}
		p.done = func() {
			if altered != nil {
				c.put(altered, c.nextStream)
			}
			c.putQueue(q)
		}
		return q, p, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return q, altered, nil
}

// edited is the queue as edit makes it.
func (q *Queue) edited(edit func(*QueueSpec) error) (*Queue, error) {
	spec := QueueSpec{Name: q.Name, Topic: q.Topic, Settings: q.Settings, Tags: cloneMap(q.Tags), Labels: cloneMap(q.Labels)}
	if err := edit(&spec); err != nil {
		return nil, err
	}
	switch s, old := &spec.Settings, &q.Settings; {
	case s.Ordered != old.Ordered || s.Lanes != old.Lanes || s.Filter != old.Filter || s.Stream != old.Stream:
		return nil, fmt.Errorf("%w: order, lanes and filter of a queue, and whether it is a stream, cannot be changed", ErrInvalidQueue)
	case spec.Name != q.Name || spec.Topic != q.Topic:
		return nil, fmt.Errorf("%w: name and topic of a queue cannot be changed", ErrInvalidQueue)
	}
	if err := spec.Settings.check(); err != nil {
		return nil, err
	}
	edited := *q
	edited.Settings, edited.Tags, edited.Labels = spec.Settings, spec.Tags, spec.Labels
	return &edited, nil
}

// alteredTopic is the queue's own topic with other settings, or nil.
func (c *Catalog) alteredTopic(old, q *Queue) (*Topic, error) {
	was, want := queueTopicSettings(&old.Settings), queueTopicSettings(&q.Settings)
	if !q.Owned || maps.Equal(was, want) {
		return nil, nil
	}
	t, err := c.Topic(q.Topic)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value := want[name]; value != was[name] {
			changes = append(changes, Change{Name: name, Value: &value, Op: Set})
		}
	}
	settings, err := c.rules.alter(t.Settings, changes)
	if err != nil {
		return nil, err
	}
	altered := *t
	altered.Settings = settings
	return &altered, nil
}

// DeleteQueue removes a queue and returns what it was. The topic that it owns goes
// with it, unless another queue reads it.
func (c *Catalog) DeleteQueue(name string) (*Queue, error) {
	return changed(c, func() (_ *Queue, p change, err error) {
		q, err := c.Queue(name)
		if err != nil {
			return nil, p, err
		}
		p.ops = []Op{{Key: prefixQueue + name}}
		var t *Topic
		if q.Owned && len(c.viewers(q.Topic)) == 1 {
			if t, err = c.Topic(q.Topic); err == nil {
				p.ops = append(p.ops, c.deletion(t)...)
			}
		}
		p.done = func() {
			if t != nil {
				c.removed(t)
			}
			c.dropQueue(name)
		}
		return q, p, nil
	})
}

// viewers returns the queues on a topic.
func (c *Catalog) viewers(topic string) (names []string) {
	for _, q := range c.Queues() {
		if q.Topic == topic {
			names = append(names, q.Name)
		}
	}
	return names
}

// putQueue shows a version of a queue.
func (c *Catalog) putQueue(q *Queue) {
	list := slices.Clone(c.Queues())
	i, ok := slices.BinarySearchFunc(list, q.Name, func(x *Queue, n string) int { return strings.Compare(x.Name, n) })
	if ok {
		list[i] = q
	} else {
		list = slices.Insert(list, i, q)
	}
	c.queues.Store(&list)
}

// dropQueue shows that there is no queue of that name.
func (c *Catalog) dropQueue(name string) {
	list := slices.DeleteFunc(slices.Clone(c.Queues()), func(q *Queue) bool { return q.Name == name })
	c.queues.Store(&list)
}

func cloneMap(m map[string]string) map[string]string {
	if m == nil {
		return make(map[string]string)
	}
	return maps.Clone(m)
}

type storedQueue struct {
	ID        uint64            `json:"id"`
	Topic     string            `json:"topic"`
	Owned     bool              `json:"owned,omitempty"`
	Settings  QueueSettings     `json:"settings"`
	Tags      map[string]string `json:"tags,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	CreatedAt int64             `json:"created_at"`
	ChangedAt int64             `json:"changed_at"`
}

func encodeQueue(q *Queue) Op {
	return encodeJSON(prefixQueue+q.Name, storedQueue{q.ID, q.Topic, q.Owned, q.Settings, q.Tags, q.Labels, q.CreatedAt, q.ChangedAt})
}

func (l *loading) queue(key string, payload []byte) error {
	var s storedQueue
	if err := decodeJSON(key, payload, &s); err != nil {
		return err
	}
	q := &Queue{strings.TrimPrefix(key, prefixQueue), s.ID, s.Topic, s.Owned, s.Settings, s.Tags, s.Labels, s.CreatedAt, s.ChangedAt}
	if err := CheckTopicName(q.Name); err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrDamaged, key, err)
	}
	if err := q.Settings.check(); err != nil {
		return fmt.Errorf("%w of Naru, perhaps: key %q: %w", ErrNewerVersion, key, err)
	}
	l.queues = append(l.queues, q)
	return nil
}

// checkQueues holds the queues against the topics.
func (l *loading) checkQueues() error {
	ids := make(map[uint64]bool)
	for _, q := range l.queues {
		if q.ID == 0 || q.ID >= l.nextQueue || ids[q.ID] {
			return fmt.Errorf("%w: key %q: id %d is another's, or was never given out", ErrDamaged, prefixQueue+q.Name, q.ID)
		}
		ids[q.ID] = true
		if l.collisions[collisionKey(q.Topic)] != q.Topic {
			return fmt.Errorf("%w: key %q: topic %q does not exist", ErrDamaged, prefixQueue+q.Name, q.Topic)
		}
	}
	return nil
}
