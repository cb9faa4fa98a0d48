package catalog

import (
	"fmt"
	"strings"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

// loading gathers what the store holds before any of it is believed.
type loading struct {
	state
	rules     rules
	clusterID UUID
	topics    []*Topic
	queues    []*Queue          // in the order of their names
	users     []*user.User      // likewise
	streams   map[uint64]string // to the topic's name
	ids       map[UUID]string
}

func newLoading(r rules) loading {
	l := loading{rules: r, streams: map[uint64]string{}, ids: map[UUID]string{}}
	l.nextQueue = 1
	l.nextStream, l.starts, l.collisions = 1, map[uint64]record.Offset{}, map[string]string{}
	return l
}

// load replaces the state and the snapshot by what the store holds; c.mu is
// held, or nobody knows c yet.
func (c *Catalog) load() error {
	if c.shared != nil && !c.stale {
		c.stale = true // until it is loaded
		if few, err := c.loadChanges(); few {
			return err
		}
	}
	l := newLoading(c.rules)
	if err := c.opt.Store.Scan("", l.value); err != nil {
		return err
	}
	if c.shared != nil {
		l.takeStarts(&c.state)
	}
	if err := l.check(); err != nil {
		return err
	}
	for _, t := range l.topics {
		for i := range t.Partitions {
			t.Partitions[i].LogStart = l.starts[t.Partitions[i].Stream]
		}
	}
	// Numbers that were given out stay so even if the store forgot: a store
	// that goes back in time must not make two partitions one.
	l.nextStream = max(l.nextStream, c.nextStream)
	l.nextProducer = max(l.nextProducer, c.nextProducer)
	l.nextQueue = max(l.nextQueue, c.nextQueue)
	if c.clusterID.IsZero() {
		c.clusterID = l.clusterID // once, before anybody can read it
	} else if c.clusterID != l.clusterID {
		return fmt.Errorf("%w: key %q: the cluster was %s and is now %s", ErrDamaged, keyCluster, c.clusterID, l.clusterID)
	}
	c.state = l.state
	c.current.Store(newSnapshot(l.topics))
	c.queues.Store(&l.queues)
	c.users.Store(&l.users)
	c.isLoaded()
	return nil
}

// isLoaded ends a load that did not fail.
func (c *Catalog) isLoaded() {
	c.stale = false
	c.loads.Add(1)
	select {
	case c.loaded <- struct{}{}:
	default:
	}
}

// takeStarts makes the log starts of a store where others set them fit: those that were set from here may not be shown
// yet, and some may be left of topics that are gone.
func (l *loading) takeStarts(was *state) {
	l.orphans = map[uint64]bool{}
	for stream, o := range was.starts {
		l.starts[stream] = max(l.starts[stream], o)
	}
	for stream := range l.starts {
		if _, ok := l.streams[stream]; !ok {
			l.orphans[stream] = true
			delete(l.starts, stream)
		}
	}
}

// value takes one stored value in.
func (l *loading) value(key string, value []byte) error {
	payload, err := unwrap(key, value)
	if err != nil {
		return err
	}
	switch {
	case key == keyCluster:
		var s storedCluster
		if err := decodeJSON(key, payload, &s); err != nil {
			return err
		}
		if l.clusterID, err = ParseUUID(s.ID); err != nil || l.clusterID.IsZero() {
			return fmt.Errorf("%w: key %q: id %.40q", ErrDamaged, key, s.ID)
		}
	case key == keyNextStream:
		l.nextStream, err = decodeNumber(key, payload)
	case key == keyNextProducer:
		l.nextProducer, err = decodeNumber(key, payload)
	case key == keyNextQueue:
		l.nextQueue, err = decodeNumber(key, payload)
	case strings.HasPrefix(key, prefixQueue):
		err = l.queue(key, payload)
	case strings.HasPrefix(key, prefixStart):
		err = l.start(key, payload)
	case strings.HasPrefix(key, prefixTopic):
		err = l.topic(key, payload)
	case strings.HasPrefix(key, prefixUser):
		err = l.user(key, payload)
	default:
		return fmt.Errorf("%w: key %q is unknown to this version", ErrNewerVersion, key)
	}
	return err
}

func (l *loading) start(key string, payload []byte) error {
	stream, err := decodeStartKey(key)
	if err != nil {
		return err
	}
	o, err := decodeNumber(key, payload)
	if err != nil {
		return err
	}
	l.starts[stream] = record.Offset(o)
	return nil
}

func (l *loading) topic(key string, payload []byte) error {
	var s storedTopic
	if err := decodeJSON(key, payload, &s); err != nil {
		return err
	}
	t := &Topic{Name: strings.TrimPrefix(key, prefixTopic), Internal: s.Internal, Tags: s.Tags, Labels: s.Labels, CreatedAt: s.CreatedAt}
	if err := CheckTopicName(t.Name); err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrDamaged, key, err)
	}
	var err error
	if t.ID, err = ParseUUID(s.ID); err != nil || t.ID.IsZero() {
		return fmt.Errorf("%w: key %q: id %.40q", ErrDamaged, key, s.ID)
	}
	if other, taken := l.ids[t.ID]; taken {
		return fmt.Errorf("%w: key %q: id %s is that of %s", ErrDamaged, key, t.ID, other)
	}
	// A setting that this version refuses was valid to the one that stored it.
	if t.Settings, err = l.rules.settings(s.Settings); err != nil {
		return fmt.Errorf("%w of Naru, perhaps: key %q: %w", ErrNewerVersion, key, err)
	}
	if len(s.Streams) == 0 {
		return fmt.Errorf("%w: key %q: no partitions", ErrDamaged, key)
	}
	t.Partitions = make([]PartitionMeta, len(s.Streams))
	for i, stream := range s.Streams {
		if other, taken := l.streams[stream]; taken {
			return fmt.Errorf("%w: key %q: stream %d is that of %s", ErrDamaged, key, stream, other)
		}
		l.streams[stream] = t.Name
		t.Partitions[i].Stream = stream
	}
	if err := s.tree(t); err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrDamaged, key, err)
	}
	l.ids[t.ID] = t.Name
	l.collisions[collisionKey(t.Name)] = t.Name
	l.partitions += len(t.Partitions)
	l.topics = append(l.topics, t)
	return nil
}

// tree fills in the partitions' hash keys, and which are closed.
func (s *storedTopic) tree(t *Topic) error {
	if len(s.Tree) == 0 {
		shareEqually(t.Partitions)
		for i := range t.Partitions {
			t.Partitions[i].OpenedAt = t.CreatedAt
		}
		return nil
	}
	if len(s.Tree) != len(t.Partitions) {
		return fmt.Errorf("%d partitions, and %d streams", len(s.Tree), len(t.Partitions))
	}
	t.Resharded = true
	for i := range s.Tree {
		from, p := &s.Tree[i], &t.Partitions[i]
		var first, last bool
		p.Keys.First, first = parseHexadecimal(from.First)
		p.Keys.Last, last = parseHexadecimal(from.Last)
		if !first || !last || from.End < 0 {
			return fmt.Errorf("partition %d has hash keys %.40q to %.40q", i, from.First, from.Last)
		}
		p.Parents, p.Closed, p.End, p.OpenedAt, p.ClosedAt = from.Parents, from.Closed, from.End, from.OpenedAt, from.ClosedAt
	}
	return checkTree(t.Partitions)
}

// check holds the values against each other.
func (l *loading) check() error {
	if err := l.checkStreams(); err != nil {
		return err
	}
	for stream := range l.starts {
		if _, ok := l.streams[stream]; !ok {
			return fmt.Errorf("%w: key %q: no topic has stream %d", ErrDamaged, startKey(stream), stream)
		}
	}
	if l.clusterID.IsZero() && (len(l.topics) > 0 || l.nextStream > 1 || l.nextProducer > 0) {
		return fmt.Errorf("%w: key %q is missing", ErrDamaged, keyCluster)
	}
	return l.checkQueues()
}

func (l *loading) checkStreams() error {
	for stream, name := range l.streams {
		if stream == 0 || stream >= l.nextStream {
			return fmt.Errorf("%w: key %q: stream %d was never given out, the next one is %d",
				ErrDamaged, prefixTopic+name, stream, l.nextStream)
		}
	}
	return nil
}
