package catalog

import (
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
	// Changed is called after a change of another broker was loaded, one call at a time; nil where nobody wants to know. It
	// may read, and neither change nor Refresh the catalog.
	Changed func()
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
	// startsRead says of which slots the log starts were read, where others store them too.
	startsRead map[int]bool

	shared   Shared        // the store, if others change it too; nil else
	asking   chan struct{} // of capacity 1: held by who asks it; guards what follows
	answered bool          // the last one that asked
	asks     atomic.Int64  // how many began
	loads    atomic.Int64  // of a shared store
	loaded   chan struct{} // of capacity 1: for who follows to tell
	telling  sync.Mutex    // held while Options.Changed runs; guards what follows
	told     int64         // loads that it was told of
}

// state is what changes need beyond the current snapshot.
type state struct {
	nextStream   uint64                   // never given out yet
	nextProducer uint64                   // never given out yet
	nextQueue    uint64                   // never given out yet
	starts       map[uint64]record.Offset // of the streams that exist; 0 is absent
	collisions   map[string]string        // collisionKey to name
	partitions   int                      // of all topics
	orphans      map[uint64]bool          // streams that have starts and no topic, where others store those
}

// Open reads the store, and gives the cluster its id if it has none. The
// catalog owns the store from then on and closes it, unless Open fails. One that is Shared it follows until then.
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
	c := &Catalog{opt: opt, rules: rules, asking: make(chan struct{}, 1), loaded: make(chan struct{}, 1), startsRead: map[int]bool{}}
	c.shared, _ = opt.Store.(Shared)
	if err := c.load(); err != nil {
		return nil, err
	}
	if err := c.name(); err != nil {
		return nil, err
	}
	if c.shared != nil {
		c.told = c.loads.Load()
		go c.follow(c.shared.News())
	}
	return c, nil
}

// name gives the cluster its id if it has none.
func (c *Catalog) name() error {
	_, err := changed(c, func() (id UUID, ch change, err error) {
		if !c.clusterID.IsZero() {
			return c.clusterID, ch, nil
		}
		if id, err = newUUID(c.opt.Random); err != nil {
			return id, ch, err
		}
		return id, change{[]Op{encodeCluster(id)}, func() { c.clusterID = id }}, nil
	})
	return err
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
