package broker

import (
	"cmp"
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
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
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
	// BatchBytesMax is the longest batch that the cluster's medium takes. A broker that is
	// alone asks its own.
	BatchBytesMax int

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

	waits waits
}

// waits are how long things wait at most; tests wait less.
type waits struct {
	owner   time.Duration // default ownerWaitMax
	lookUp  time.Duration // default lookUpMax
	redrive time.Duration // default redrivePause
}

// Medium is where all partitions are.
type Medium interface {
	commitlog.Journal
	// Replay gives what was appended after a sealed segment; see journal.Journal.
	Replay(after journal.SegmentID, each func(journal.Replayed)) error
	Relocate(ctx context.Context) (more bool, err error)
	EntryBytesMax() int
	Stats() journal.Stats
	Counters() journal.Stats
	FreeBytes() (int64, error)
	Close() error
}

// epochs are of a Medium that has had several owners.
type epochs interface{ Epoch() int32 }

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
	c.waits.owner = cmp.Or(c.waits.owner, ownerWaitMax)
	c.waits.lookUp = cmp.Or(c.waits.lookUp, lookUpMax)
	c.waits.redrive = cmp.Or(c.waits.redrive, redrivePause)
}

// Broker serves the slots that it owns: all of one data directory, or some of a
// cluster's. What there is once for all slots is here, and the handles of everything
// that the catalog has; see slot for the rest.
type Broker struct {
	cfg     Config
	log     *slog.Logger
	catalog *catalog.Catalog
	topics  topics
	queues  queueTable
	slots   slots
	peers   peerSessions
	letters asker // of those that go to exchanges elsewhere
	limits  record.Limits

	producerIDs producerIDs
	elsewhere   *routing // stands in for the exchanges where they are not here
	triggering  triggering
	following   following
	users       users
	turn        atomic.Uint32 // of Produce, for records without a key
	resharding  turnstile

	lock   io.Closer       // nil: the caller's
	ctx    context.Context // ends when the broker closes
	cancel context.CancelFunc
	work   sync.WaitGroup
	once   sync.Once
}

// Open recovers the data directory and starts the broker. Close it when done.
func Open(cfg Config) (*Broker, error) {
	cfg.setDefaults()
	b := &Broker{cfg: cfg, log: cfg.Logger, resharding: make(turnstile, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.limits.BatchBytesMax = cfg.BatchBytesMax
	b.following.init()
	if err := b.open(); err != nil {
		b.abandon()
		return nil, err
	}
	if cfg.Cluster != nil {
		b.work.Go(b.follow)
	}
	if cfg.RetentionEvery > 0 {
		b.work.Go(func() { b.retentionLoop(b.ctx) })
	}
	return b, nil
}

func (b *Broker) open() error {
	if err := b.openDir(); err != nil {
		return err
	}
	if err := b.openCatalog(); err != nil {
		return err
	}
	b.slots.init(b.catalog.Slots())
	b.peers.init()
	b.letters.b, b.letters.slot = b, HomeSlot
	b.elsewhere = newRouting(b, nil)
	b.users.init()
	b.topics.init(b.catalog.Topics())
	b.topics.openAll(b, b.catalog.Topics())
	b.queues.init(b, b.catalog.Queues())
	if b.cfg.Cluster != nil {
		return nil
	}
	if err := b.OpenSlot(HomeSlot, b.openJournal); err != nil {
		return err
	}
	// Recovery reads segments whole; nothing later needs as much memory.
	debug.FreeOSMemory()
	return nil
}

func (b *Broker) openJournal(opt journal.Options) (Medium, error) {
	if open := b.cfg.OpenJournal; open != nil {
		return open(opt)
	}
	j, err := journal.Open(b.cfg.FS, path.Join(b.cfg.Dir, journalDir), opt)
	if err != nil {
		return nil, err // no nil of another type
	}
	return j, nil
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
		Changed: b.following.changed,
	})
	if err != nil {
		store.Close()
	}
	return err
}

func (b *Broker) nowMS() int64 { return b.cfg.Now().UnixMilli() }

// abandon gives back what a failed open had taken.
func (b *Broker) abandon() {
	b.cancel()
	b.work.Wait()
	if b.catalog != nil {
		b.closeSlots()
		b.catalog.Close()
	}
	if b.lock != nil {
		b.lock.Close()
	}
}

// Close ends the broker: appends that were accepted are committed, the journals
// are sealed. It returns the error that made a journal fail, if one did.
func (b *Broker) Close() (err error) {
	b.once.Do(func() {
		b.cancel()
		b.work.Wait()
		err = b.closeSlots()
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

// Ready is nil while records can be appended to all slots that are open here; else it
// says why not.
func (b *Broker) Ready() error {
	for _, s := range b.slots.all() {
		if err := s.journal.Err(); err != nil {
			return err
		}
	}
	return nil
}

// JournalStats looks at the journals of all slots that are open here.
func (b *Broker) JournalStats() (out journal.Stats) {
	for _, s := range b.slots.all() {
		out = out.Plus(s.journal.Stats())
	}
	return out
}

// JournalCounters is JournalStats without the look at what there is, which takes as long as there is much.
func (b *Broker) JournalCounters() (out journal.Stats) {
	for _, s := range b.slots.all() {
		out = out.Plus(s.journal.Counters())
	}
	return out
}

// FreeBytes is what the disk still has room for. Without a slot there is none, and a bucket has no bound that anybody knows of
// (errors.ErrUnsupported).
func (b *Broker) FreeBytes() (int64, error) {
	for _, s := range b.slots.all() {
		return s.journal.FreeBytes()
	}
	return 0, ErrNotOwner
}

// DescribeSettings lists the broker-wide settings, the server's own values
// among them.
func (b *Broker) DescribeSettings(values map[string]string) []catalog.Described {
	return b.catalog.DescribeBroker(values)
}

// Waiter wakes a reader; see commitlog.Waiter.
type Waiter = commitlog.Waiter

// NewWaiter returns a waiter that watches nothing.
func NewWaiter() *Waiter { return commitlog.NewWaiter() }
