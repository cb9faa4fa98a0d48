package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// TimestampType is whose clock a topic's timestamps are of.
type TimestampType uint8

// The timestamp types.
const (
	CreateTime    TimestampType = iota // the producer's
	LogAppendTime                      // the broker's, at append
)

// String returns the type's name in a topic's settings.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// Compression is how a topic's batches are stored.
type Compression struct {
	Producer bool         // as they arrive; Codec is not used
	Codec    record.Codec // None is uncompressed
}

// Of returns the codec in which a batch that came with codec c is stored.
func (c Compression) Of(arrived record.Codec) record.Codec {
	if c.Producer {
		return arrived
	}
	return c.Codec
}

// String returns the value of compression.type.
func (c Compression) String() string {
	switch {
	case c.Producer:
		return "producer"
	case c.Codec == record.None:
		return "uncompressed"
	}
	return c.Codec.String()
}

// parseCompression reads a valid value of compression.type.
func parseCompression(v string) Compression {
	if v == "producer" {
		return Compression{Producer: true}
	}
	c, err := record.ParseCodec(v)
	if err != nil {
		c = record.None // "uncompressed"
	}
	return Compression{Codec: c}
}

// Settings are what holds for a topic: what it sets itself, else the broker's
// defaults. They never change; an alteration makes new ones.
type Settings struct {
	RetentionMS          int64 // -1: for ever
	RetentionBytes       int64 // of a partition; -1: no limit
	MaxMessageBytes      int32 // of a batch as stored
	TimestampType        TimestampType
	TimestampBeforeMaxMS int64 // how far a timestamp may be behind the broker's clock
	TimestampAfterMaxMS  int64 // and ahead
	Compression          Compression

	// Explicit is what the topic sets itself, by name. Do not change it.
	Explicit map[string]string
	// broker is what the server sets for all topics, by topic setting's name.
	broker map[string]string
}

// ChangeOp is what a Change does.
type ChangeOp uint8

// The operations of a Change (KIP-339).
const (
	Set ChangeOp = iota
	Delete
	Append   // add to a list
	Subtract // take out of a list
)

// String returns the operation's name.
func (o ChangeOp) String() string {
	if o > Subtract {
		return fmt.Sprintf("op(%d)", uint8(o))
	}
	return [...]string{"set", "delete", "append", "subtract"}[o]
}

// Change is one alteration of a topic's settings.
type Change struct {
	Name  string
	Value *string // nil: back to the default, whatever Op says
	Op    ChangeOp
}

// rules are what a catalog's settings are made with.
type rules struct {
	broker   map[string]string // normalized
	bytesMax int
}

func newRules(broker map[string]string, bytesMax int) (rules, error) {
	r := rules{bytesMax: bytesMax}
	normal, err := r.normalizeAll(broker)
	if err != nil {
		return r, fmt.Errorf("defaults of topics: %w", err)
	}
	r.broker = normal
	return r, nil
}

// normalizeAll checks every value; errors come in order of names.
func (r rules) normalizeAll(values map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		d, err := lookup(name)
		if err != nil {
			return nil, err
		}
		if out[name], err = d.normalize(values[name], r.bytesMax); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// settings returns what holds where a topic sets explicit itself.
func (r rules) settings(explicit map[string]string) (Settings, error) {
	own, err := r.normalizeAll(explicit)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Explicit: own, broker: r.broker}
	for i := range knownSettings {
		if d := &knownSettings[i]; d.set != nil {
			v, _ := s.value(d)
			d.set(&s, v)
		}
	}
	return s, nil
}

// value returns what holds for d, and where it comes from.
func (s *Settings) value(d *setting) (string, Source) {
	if v, ok := s.Explicit[d.name]; ok {
		return v, FromTopic
	}
	if v, ok := s.broker[d.name]; ok {
		return v, FromBroker
	}
	return d.def, FromDefault
}

// alter returns the settings after the changes: all of them or an error.
func (r rules) alter(s Settings, changes []Change) (Settings, error) {
	explicit := maps.Clone(s.Explicit)
	if explicit == nil {
		explicit = map[string]string{}
	}
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if seen[c.Name] {
			return s, fmt.Errorf("%w: %s is changed twice", ErrInvalidConfig, shown(c.Name))
		}
		seen[c.Name] = true
		if err := s.change(explicit, c); err != nil {
			return s, err
		}
	}
	return r.settings(explicit)
}

func (s *Settings) change(explicit map[string]string, c Change) error {
	if c.Value == nil || c.Op == Delete {
		// What cannot be set has its default already, if it exists at all.
		if _, refused := refusedSettings[c.Name]; !refused {
			if _, err := lookup(c.Name); err != nil {
				return err
			}
		}
		delete(explicit, c.Name)
		return nil
	}
	d, err := lookup(c.Name)
	if err != nil {
		return err
	}
	if c.Op == Set {
		explicit[c.Name] = *c.Value
		return nil
	}
	if d.typ != TypeList || c.Op > Subtract {
		return fmt.Errorf("%w: %s is not allowed for %s, which is not a list", ErrInvalidConfig, c.Op, c.Name)
	}
	current, _ := s.value(d)
	list, arg := splitList(current), splitList(*c.Value)
	if c.Op == Append {
		list = append(list, arg...)
	} else {
		list = slices.DeleteFunc(list, func(e string) bool { return slices.Contains(arg, e) })
	}
	explicit[c.Name] = strings.Join(list, ",")
	return nil
}
