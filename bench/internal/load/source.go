package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// SyntheticBytes is the value size of a synthetic record.
	SyntheticBytes  = 1024
	syntheticBlocks = 4096 // distinct contents before the sequence number is stamped in
)

// Source yields records. Fill may reuse the value's capacity.
type Source interface {
	Fill(r *kgo.Record)
}

// Synthetic yields 1 KiB values of random bytes without a key, each different.
type Synthetic struct {
	blocks []byte
	next   uint64
}

// NewSynthetic makes the same records for the same seed.
func NewSynthetic(seed uint64) *Synthetic {
	s := &Synthetic{blocks: make([]byte, syntheticBlocks*SyntheticBytes)}
	random := rand.NewPCG(seed, 0)
	for i := 0; i < len(s.blocks); i += 8 {
		binary.LittleEndian.PutUint64(s.blocks[i:], random.Uint64())
	}
	return s
}

// Fill sets the value to the next record's.
func (s *Synthetic) Fill(r *kgo.Record) {
	at := int(s.next%syntheticBlocks) * SyntheticBytes
	r.Value = append(r.Value[:0], s.blocks[at:at+SyntheticBytes]...)
	binary.LittleEndian.PutUint64(r.Value, s.next)
	s.next++
}

// Corpus yields the stanzas of Debian's package index over and over, keyed by
// the package's name.
type Corpus struct {
	stanzas []stanza
	next    int
}

type stanza struct{ key, value []byte }

// ErrNoCorpus means that this machine has no package index.
var ErrNoCorpus = errors.New("no package index: needs apt-cache, and `apt-get update` once")

// LoadCorpus reads the package index that apt keeps on this machine.
func LoadCorpus() (*Corpus, error) {
	out, err := exec.Command("apt-cache", "dumpavail").Output()
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoCorpus, err)
	}
	c := &Corpus{}
	for text := range bytes.SplitSeq(out, []byte("\n\n")) {
		rest, found := bytes.CutPrefix(text, []byte("Package: "))
		if !found {
			continue
		}
		name, _, _ := bytes.Cut(rest, []byte("\n"))
		c.stanzas = append(c.stanzas, stanza{key: name, value: text})
	}
	if len(c.stanzas) == 0 {
		return nil, ErrNoCorpus
	}
	return c, nil
}

// Len is the number of distinct records.
func (c *Corpus) Len() int { return len(c.stanzas) }

// MeanBytes is the mean size of key and value.
func (c *Corpus) MeanBytes() int {
	total := 0
	for _, s := range c.stanzas {
		total += len(s.key) + len(s.value)
	}
	return total / len(c.stanzas)
}

// Fill copies the next stanza: a record's memory is its own, because the
// client hands records back and they are used again.
func (c *Corpus) Fill(r *kgo.Record) {
	s := c.stanzas[c.next]
	c.next = (c.next + 1) % len(c.stanzas)
	r.Key = append(r.Key[:0], s.key...)
	r.Value = append(r.Value[:0], s.value...)
}

// Rewound is the same corpus from its first record.
func (c *Corpus) Rewound() *Corpus { return &Corpus{stanzas: c.stanzas} }
