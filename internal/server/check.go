package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/record"
	"github.com/narumq/naru/internal/vfs"
)

// Finding is something wrong in a data directory.
type Finding struct {
	File string `json:"file"`
	Text string `json:"text"` // for people; has the file, the byte and the offsets
}

// CheckSummary counts what was read.
type CheckSummary struct {
	Journal journal.CheckSummary
	Topics  int
}

const journalDir = "journal"

// ErrInUse is a data directory that another process has open.
var ErrInUse = broker.ErrInUse

// CheckDir reads every byte of a data directory that no process has open,
// changes no data in it, and reports what is wrong. The error says why the
// check could not be done.
func CheckDir(dir string, report func(Finding)) (CheckSummary, error) {
	var sum CheckSummary
	journalPath := filepath.Join(dir, journalDir)
	catalogPath := filepath.Join(dir, catalog.BoltFile)
	if missing(journalPath) && missing(catalogPath) {
		return sum, fmt.Errorf("%s has neither %s nor %s: it is no data directory", dir, catalog.BoltFile, journalDir)
	}
	lock, err := broker.Lock(vfs.OS(), filepath.ToSlash(dir))
	if err != nil {
		return sum, err
	}
	defer lock.Close()
	known, err := checkCatalog(catalogPath, &sum, report)
	if err != nil {
		return sum, err
	}
	if missing(journalPath) {
		report(Finding{journalPath, journalPath + " is missing: the topics have no records"})
		return sum, nil
	}
	sum.Journal, err = journal.CheckLive(vfs.OS(), filepath.ToSlash(journalPath), known.live(), func(f journal.Finding) {
		report(Finding{f.File, known.text(f)})
	})
	return sum, err
}

func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, os.ErrNotExist)
}

// partitions are what a catalog knows of the journal's streams; nil if there is
// no catalog to ask.
type partitions map[journal.StreamID]knownPartition

type knownPartition struct {
	topic    string
	index    int
	logStart record.Offset
}

func partitionsOf(topics []*catalog.Topic) partitions {
	known := make(partitions)
	for _, t := range topics {
		for i, p := range t.Partitions {
			known[journal.StreamID(p.Stream)] = knownPartition{t.Name, i, p.LogStart}
		}
	}
	return known
}

// live is what journal.CheckLive asks.
func (p partitions) live() func(journal.StreamID) (record.Offset, bool) {
	if p == nil {
		return nil
	}
	return func(id journal.StreamID) (record.Offset, bool) {
		known, ok := p[id]
		return known.logStart, ok
	}
}

// text names the partition in the words of people.
func (p partitions) text(f journal.Finding) string {
	if known, ok := p[f.Stream]; ok && f.Stream != 0 {
		return fmt.Sprintf("%s (topic %q partition %d)", f, known.topic, known.index)
	}
	return f.String()
}

// readOnly is a store that a catalog can be opened on without a change.
type readOnly struct{ catalog.Store }

func (readOnly) Apply([]catalog.Op) error { return nil }

func checkCatalog(name string, sum *CheckSummary, report func(Finding)) (partitions, error) {
	if missing(name) {
		report(Finding{name, name + " is missing: without it no topic is known"})
		return nil, nil
	}
	store, err := catalog.OpenBolt(name)
	if err == nil {
		var c *catalog.Catalog
		if c, err = catalog.Open(catalog.Options{Store: readOnly{store}, Random: rand.Reader}); err == nil {
			topics := c.Topics()
			sum.Topics = len(topics)
			return partitionsOf(topics), c.Close()
		}
		store.Close()
	}
	if errors.Is(err, catalog.ErrDamaged) {
		report(Finding{name, err.Error()})
		return nil, nil
	}
	return nil, err
}
