package broker

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"path"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/statelog"
	"github.com/narumq/naru/internal/vfs"
)

// Config of a broker. A zero field takes the default.
type Config struct {
	Dir   string        // data directory; made if it does not exist
	FS    vfs.FS        // default vfs.OS()
	Store catalog.Store // default a file in Dir; tests may pass catalog.NewMem()
	// Locked says that the caller holds Dir's Lock, and gives it back after Close.
	Locked bool

	Journal journal.Options // Live and Sealed are the broker's own
	// OpenJournal opens the medium; default journal.Open in Dir. The broker closes it.
	OpenJournal func(journal.Options) (Medium, error)

	Groups GroupsConfig // hooks into the broker are filled in

	Slots   int     // how many the partitions are spread over; 0 is 1
	Cluster Cluster // nil: this broker is alone, and has all slots

	NodeID            int32 // default 1
	AutoCreate        bool  // EnsureTopic makes topics that do not exist
	DefaultPartitions int32
	TopicDefaults     map[string]string
	RetentionEvery    time.Duration // default 30 s; below 0: never
	ProducerRetention time.Duration // default 24 h
	PasswordRounds    int           // of PBKDF2 for new passwords; default 210,000
	Now               func() time.Time
	Logger            *slog.Logger
}

// Medium is where all partitions are.
type Medium interface {
	commitlog.Journal
	// Replay gives what was appended after a sealed segment; see journal.Journal.
	Replay(after journal.SegmentID, each func(journal.Replayed)) error
	Relocate(ctx context.Context) (more bool, err error)
	EntryBytesMax() int
	Stats() journal.Stats
	FreeBytes() (int64, error)
	Close() error
}

const (
	retentionEveryDefault    = 30 * time.Second
	producerRetentionDefault = 24 * time.Hour
	relocateEveryDefault     = 10 * time.Second
	relocateAfterDefault     = time.Minute
	passwordRoundsDefault    = 210_000 // a tenth of a second

	journalDir = "journal"
)

func (c *Config) setDefaults() {
	if c.FS == nil {
		c.FS = vfs.OS()
	}
	if c.NodeID == 0 {
		c.NodeID = 1
	}
	if c.PasswordRounds == 0 {
		c.PasswordRounds = passwordRoundsDefault
	}
	if c.RetentionEvery == 0 {
		c.RetentionEvery = retentionEveryDefault
	}
	if c.ProducerRetention == 0 {
		c.ProducerRetention = producerRetentionDefault
	}
	if c.Journal.RelocateEvery == 0 {
		c.Journal.RelocateEvery = relocateEveryDefault
	}
	if c.Journal.RelocateAfter == 0 {
		c.Journal.RelocateAfter = relocateAfterDefault
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Journal.Logger = c.Logger
}

// Broker serves one data directory.
type Broker struct {
	*Groups
	cfg     Config
	log     *slog.Logger
	catalog *catalog.Catalog
	journal Medium
	topics  topics
	limits  record.Limits

	groupsLog   *statelog.Log
	producers   *producersMachine
	producerIDs producerIDs
	queues      *queues
	triggers    *triggers
	routing     *routing
	users       users
	turn        atomic.Uint32 // of Produce, for records without a key
	resharding  turnstile

	lock    io.Closer       // nil: the caller's
	ctx     context.Context // ends when the broker closes
	cancel  context.CancelFunc
	serving chan struct{} // closed once everything is open
	work    sync.WaitGroup
	once    sync.Once
}

// Open recovers the data directory and starts the broker. Close it when done.
func Open(cfg Config) (*Broker, error) {
	cfg.setDefaults()
	b := &Broker{cfg: cfg, log: cfg.Logger, serving: make(chan struct{}), resharding: make(turnstile, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if err := b.open(); err != nil {
		b.abandon()
		return nil, err
	}
	// Recovery reads segments whole; nothing later needs as much memory.
	debug.FreeOSMemory()
	b.start()
	return b, nil
}

func (b *Broker) open() error {
	if err := b.openDir(); err != nil {
		return err
	}
	if err := b.openCatalog(); err != nil {
		return err
	}
	b.users.init()
	b.topics.init(b.catalog.Topics())
	b.producers = newProducersMachine(b)
	opt := b.cfg.Journal
	opt.Live = b.topics.live
	opt.Sealed = b.producers.sealed
	if err := b.openJournal(opt); err != nil {
		return err
	}
	b.limits.BatchBytesMax = b.journal.EntryBytesMax()
	b.topics.openAll(b, b.catalog.Topics())
	if err := b.openProducers(); err != nil {
		return err
	}
	if err := b.openGroups(); err != nil {
		return err
	}
	if err := b.openQueues(); err != nil {
		return err
	}
	if err := b.openTriggers(); err != nil {
		return err
	}
	return b.openRouting()
}

func (b *Broker) openJournal(opt journal.Options) (err error) {
	if open := b.cfg.OpenJournal; open != nil {
		b.journal, err = open(opt)
		return err
	}
	j, err := journal.Open(b.cfg.FS, path.Join(b.cfg.Dir, journalDir), opt)
	if err == nil {
		b.journal = j
	}
	return err
}

// openDir makes the data directory, and its lock is the first thing in it.
func (b *Broker) openDir() error {
	if b.cfg.OpenJournal != nil {
		return nil // nothing of it is in a directory
	}
	if err := b.cfg.FS.MkdirAll(b.cfg.Dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !b.cfg.Locked {
		lock, err := Lock(b.cfg.FS, b.cfg.Dir)
		if err != nil {
			return err
		}
		b.lock = lock
	}
	if err := b.cfg.FS.MkdirAll(path.Join(b.cfg.Dir, journalDir)); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

func (b *Broker) openCatalog() error {
	store := b.cfg.Store
	if store == nil {
		bolt, err := catalog.OpenBolt(path.Join(b.cfg.Dir, catalog.BoltFile))
		if err != nil {
			return err
		}
		store = bolt
	}
	var err error
	b.catalog, err = catalog.Open(catalog.Options{
		Store: store, Random: rand.Reader, Slots: b.cfg.Slots, DefaultPartitions: b.cfg.DefaultPartitions, Defaults: b.cfg.TopicDefaults,
	})
	if err != nil {
		store.Close()
	}
	return err
}

func (b *Broker) openGroups() error {
	cfg := b.cfg.Groups
	cfg.CheckPartition = func(topic string, index int32) error {
		_, err := b.Partition(topic, index)
		return err
	}
	cfg.EndOffset = func(topic string, index int32) (record.Offset, bool) {
		p, err := b.Partition(topic, index)
		if err != nil {
			return 0, false
		}
		return p.LastStable(), true
	}
	cfg.Now, cfg.Log = b.cfg.Now, b.log
	if cfg.Group == (group.Config{}) {
		cfg.Group = group.Defaults()
	}
	groups, err := NewGroups(cfg)
	if err != nil {
		return err
	}
	b.groupsLog, err = b.openState("__naru_offsets", groups.Machine())
	if err != nil {
		return err
	}
	groups.Start(b.groupsLog)
	b.Groups = groups
	groups.RetainTopicOffsets(func(name string) bool {
		_, err := b.catalog.Topic(name)
		return err == nil
	})
	return nil
}

// openState opens a state machine on an internal topic, made if it is new.
func (b *Broker) openState(topic string, m statelog.Machine) (*statelog.Log, error) {
	if _, err := b.catalog.Topic(topic); err != nil {
		if _, err := b.CreateTopic(catalog.TopicSpec{Name: topic, Partitions: 1, Internal: true}, false); err != nil {
			return nil, fmt.Errorf("make %s: %w", topic, err)
		}
	}
	p, err := b.Partition(topic, 0)
	if err != nil {
		return nil, err
	}
	own, err := p.local()
	if err != nil {
		return nil, err
	}
	trim := func(to record.Offset) error { return b.trim(own, to) }
	log, err := statelog.Open(own, trim, m, statelog.Options{Logger: b.log, Now: b.nowMS})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", topic, err)
	}
	return log, nil
}

func (b *Broker) nowMS() int64 { return b.cfg.Now().UnixMilli() }

func (b *Broker) start() {
	ctx := b.ctx
	close(b.serving)
	b.work.Go(func() { b.producers.saveLoop(ctx) })
	b.work.Go(func() { b.queues.pump(ctx) })
	if err := b.unbindLost(); err != nil {
		b.log.Warn("bindings of queues that are gone stay", "err", err)
	}
	b.startLinks()
	if b.cfg.RetentionEvery > 0 {
		b.work.Go(func() { b.retentionLoop(ctx) })
	}
}

// abandon gives back what a failed open had taken.
func (b *Broker) abandon() {
	if b.Groups != nil {
		b.CloseGroups()
	}
	b.cancel()
	if b.queues != nil {
		b.queues.close()
	}
	if b.triggers != nil {
		b.triggers.log.Close()
	}
	if b.routing != nil {
		b.routing.log.Close()
	}
	if b.groupsLog != nil {
		b.groupsLog.Close()
	}
	if b.producers != nil && b.producers.log != nil {
		b.producers.close()
	}
	if b.journal != nil {
		b.journal.Close()
	}
	if b.catalog != nil {
		b.catalog.Close()
	}
	if b.lock != nil {
		b.lock.Close()
	}
}

// Close ends the broker: appends that were accepted are committed, the journal
// is sealed. It returns the error that made the journal fail, if one did.
func (b *Broker) Close() (err error) {
	b.once.Do(func() {
		b.CloseGroups()
		b.cancel()
		b.work.Wait()
		b.queues.close()
		b.triggers.log.Close()
		b.routing.log.Close()
		b.groupsLog.Close()
		b.producers.close()
		err = b.journal.Close()
		if cerr := b.catalog.Close(); err == nil {
			err = cerr
		}
		if b.lock != nil {
			b.lock.Close()
		}
	})
	return err
}

// ClusterID identifies the data directory.
func (b *Broker) ClusterID() string { return b.catalog.ClusterID() }

// NodeID is this broker's number.
func (b *Broker) NodeID() int32 { return b.cfg.NodeID }

// Ready is nil while records can be appended; else it says why not.
func (b *Broker) Ready() error { return b.journal.Err() }

// JournalStats looks at the journal.
func (b *Broker) JournalStats() journal.Stats { return b.journal.Stats() }

// FreeBytes is what the disk still has room for.
func (b *Broker) FreeBytes() (int64, error) { return b.journal.FreeBytes() }

// DescribeSettings lists the broker-wide settings, the server's own values
// among them.
func (b *Broker) DescribeSettings(values map[string]string) []catalog.Described {
	return b.catalog.DescribeBroker(values)
}

// Waiter wakes a reader; see commitlog.Waiter.
type Waiter = commitlog.Waiter

// NewWaiter returns a waiter that watches nothing.
func NewWaiter() *Waiter { return commitlog.NewWaiter() }
