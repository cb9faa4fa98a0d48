package catalog

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/user"
)

// Topic is one version of a topic. It never changes: an alteration makes
// another.
type Topic struct {
	Name       string
	ID         UUID
	Partitions []PartitionMeta
	Settings   Settings
	Internal   bool
	// Resharded says that partitions were closed: the hash keys of all are as they
	// were given. Else they are equal shares.
	Resharded bool
	Tags      map[string]string // the user's
	Labels    map[string]string // what front ends keep here for themselves
	CreatedAt int64             // milliseconds since 1970; 0 = not known
}

// PartitionMeta is what the catalog knows of a partition.
type PartitionMeta struct {
	// Stream is the partition's name in the journal, from 1.
	Stream uint64
	// LogStart is what was stored when the catalog was opened. The log itself
	// knows what it is now.
	LogStart record.Offset

	// Keys are the hash keys of what is appended here by hash key.
	Keys    KeyRange
	Parents []int32 // in whose place it is: none, one or two
	// A closed partition gets no more records; End is one past its last.
	Closed bool
	End    record.Offset
	// OpenedAt and ClosedAt are milliseconds since 1970, 0 if not known.
	OpenedAt, ClosedAt int64
}

// TopicSpec asks for a topic.
type TopicSpec struct {
	Name       string
	Partitions int32 // -1: Options.DefaultPartitions
	Settings   map[string]string
	Internal   bool // the name has InternalPrefix
	Tags       map[string]string
	Labels     map[string]string
	CreatedAt  int64 // milliseconds since 1970
}

// Limits of a catalog. A zero field means its default.
type Limits struct {
	TopicsMax             int   // default 100,000
	PartitionsPerTopicMax int32 // default 10,000
	PartitionsMax         int   // of all topics together; default 200,000
}

func (l Limits) withDefaults() Limits {
	if l.TopicsMax == 0 {
		l.TopicsMax = 100_000
	}
	if l.PartitionsPerTopicMax == 0 {
		l.PartitionsPerTopicMax = 10_000
	}
	if l.PartitionsMax == 0 {
		l.PartitionsMax = 200_000
	}
	return l
}

// Options of a catalog.
type Options struct {
	Store  Store     // required
	Random io.Reader // required: crypto/rand.Reader but for tests
	// Slots is how many slots the streams are spread over; 0 means 1. It never changes.
	Slots int
	// DefaultPartitions is for topics whose creator does not say; 0 means 1.
	DefaultPartitions int32
	// Defaults are settings for topics that do not set them, by topic setting's
	// name; nil means Kafka's defaults.
	Defaults map[string]string
	// BatchBytesMax bounds max.message.bytes; 0 means record's default.
	BatchBytesMax int
	Limits        Limits
}

// Catalog is the typed view of a store. Its methods may be called concurrently.
type Catalog struct {
	opt       Options
	rules     rules
	clusterID UUID
	current   atomic.Pointer[Snapshot]
	queues    atomic.Pointer[[]*Queue]     // sorted by name
	users     atomic.Pointer[[]*user.User] // sorted by name

	mu sync.Mutex // serialises changes; guards what follows
	state
	// stale: a change failed, so the store may be ahead of the state.
	stale  bool
	closed bool
}

// state is what changes need beyond the current snapshot.
type state struct {
	nextStream   uint64                   // never given out yet
	nextProducer uint64                   // never given out yet
	nextQueue    uint64                   // never given out yet
	starts       map[uint64]record.Offset // of the streams that exist; 0 is absent
	collisions   map[string]string        // collisionKey to name
	partitions   int                      // of all topics
}

// Open reads the store, and gives the cluster its id if it has none. The
// catalog owns the store from then on and closes it, unless Open fails.
//
// Errors: ErrDamaged, ErrNewerVersion, ErrInvalidConfig for the defaults, those
// of the store.
func Open(opt Options) (*Catalog, error) {
	opt.Limits = opt.Limits.withDefaults()
	if opt.BatchBytesMax == 0 {
		opt.BatchBytesMax = record.DefaultBatchBytesMax
	}
	if opt.DefaultPartitions == 0 {
		opt.DefaultPartitions = 1
	}
	if opt.DefaultPartitions < 0 || opt.DefaultPartitions > opt.Limits.PartitionsPerTopicMax {
		return nil, fmt.Errorf("%w: default of %d, at most %d are allowed",
			ErrInvalidPartitions, opt.DefaultPartitions, opt.Limits.PartitionsPerTopicMax)
	}
	rules, err := newRules(opt.Defaults, opt.BatchBytesMax)
	if err != nil {
		return nil, err
	}
	c := &Catalog{opt: opt, rules: rules}
	if err := c.load(); err != nil {
		return nil, err
	}
	if c.clusterID.IsZero() {
		id, err := newUUID(opt.Random)
		if err != nil {
			return nil, err
		}
		if err := opt.Store.Apply([]Op{encodeCluster(id)}); err != nil {
			return nil, err
		}
		c.clusterID = id
	}
	return c, nil
}

// ClusterID returns the id that was drawn when the store was new.
func (c *Catalog) ClusterID() string { return c.clusterID.String() }

// Snapshot returns what exists now.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// Topics returns all topics, sorted by name. Do not change the slice.
func (c *Catalog) Topics() []*Topic { return c.Snapshot().Topics() }

// Topic returns the topic of that name, or ErrUnknownTopic.
func (c *Catalog) Topic(name string) (*Topic, error) { return c.Snapshot().Topic(name) }

// TopicByID returns the topic with that id, or ErrUnknownTopic.
func (c *Catalog) TopicByID(id UUID) (*Topic, error) { return c.Snapshot().TopicByID(id) }

// Close ends changes, and closes the store. What was read stays readable.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.opt.Store.Close()
}

// begin starts a change; c.mu is held.
func (c *Catalog) begin() error {
	if c.closed {
		return ErrClosed
	}
	if !c.stale {
		return nil
	}
	if err := c.load(); err != nil {
		return fmt.Errorf("reading the catalog anew after a failed change: %w", err)
	}
	c.stale = false
	return nil
}

// apply makes a change durable; c.mu is held.
func (c *Catalog) apply(ops []Op) error {
	err := c.opt.Store.Apply(ops)
	if err != nil {
		c.stale = true
		// Whatever the store is, its errors are coded by the time they leave.
		if !errors.Is(err, ErrStorage) && !errors.Is(err, ErrDiskFull) &&
			!errors.Is(err, ErrDamaged) && !errors.Is(err, ErrClosed) {
			err = fmt.Errorf("%w: %w", ErrStorage, err)
		}
	}
	return err
}
