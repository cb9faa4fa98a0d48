package catalog

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ConfigType is what the value of a setting is.
type ConfigType uint8

// The types, with the names that Kafka gives them.
const (
	TypeBoolean ConfigType = iota
	TypeString
	TypeInt
	TypeLong
	TypeList
)

// String returns the type's name.
func (t ConfigType) String() string {
	return [...]string{"BOOLEAN", "STRING", "INT", "LONG", "LIST"}[t]
}

// setting describes one topic setting that holds: a client may set it, if only
// to the value that it has.
type setting struct {
	name     string
	typ      ConfigType
	def      string
	min, max int64    // numbers
	oneOf    []string // strings and lists: what is allowed
	broker   string   // the broker-wide setting that gives its default; "" if none
	doc      string
	// fixed settings have one value, their default; only says why.
	fixed bool
	only  string
	set   func(s *Settings, v string) // nil if fixed; v is valid
}

func number(v string) int64 {
	n, _ := strconv.ParseInt(v, 10, 64)
	return n
}

// knownSettings are sorted by name. Names, defaults and ranges are those of
// Apache Kafka 4.2 ("Topic Configs"), narrowed where the text says so.
var knownSettings = []setting{
	{name: "cleanup.policy", typ: TypeList, def: "delete", broker: "log.cleanup.policy", fixed: true,
		only: "compaction is not supported yet",
		doc:  "What happens to old records. Only \"delete\": they go when retention says so."},
	{name: "compression.gzip.level", typ: TypeInt, def: "-1", broker: "compression.gzip.level", fixed: true,
		only: "the level of the broker's own compression cannot be chosen",
		doc:  "The level used where compression.type is gzip."},
	{name: "compression.lz4.level", typ: TypeInt, def: "9", broker: "compression.lz4.level", fixed: true,
		only: "the level of the broker's own compression cannot be chosen",
		doc:  "The level used where compression.type is lz4."},
	{name: "compression.type", typ: TypeString, def: "producer", broker: "compression.type",
		oneOf: []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"},
		doc:   "How stored batches are compressed. \"producer\" keeps them as they arrive.",
		set:   func(s *Settings, v string) { s.Compression = parseCompression(v) }},
	{name: "compression.zstd.level", typ: TypeInt, def: "3", broker: "compression.zstd.level", fixed: true,
		only: "the level of the broker's own compression cannot be chosen",
		doc:  "The level used where compression.type is zstd."},
	{name: "max.message.bytes", typ: TypeInt, def: "1048588", max: math.MaxInt32, broker: "message.max.bytes",
		doc: "The largest record batch in bytes, as stored, that a producer may write.",
		set: func(s *Settings, v string) { s.MaxMessageBytes = int32(number(v)) }},
	{name: "message.timestamp.after.max.ms", typ: TypeLong, def: "3600000", max: math.MaxInt64,
		broker: "log.message.timestamp.after.max.ms",
		doc:    "How far, in milliseconds, a record's timestamp may be ahead of the broker's clock. Not asked for LogAppendTime.",
		set:    func(s *Settings, v string) { s.TimestampAfterMaxMS = number(v) }},
	{name: "message.timestamp.before.max.ms", typ: TypeLong, def: "9223372036854775807", max: math.MaxInt64,
		broker: "log.message.timestamp.before.max.ms",
		doc:    "How far, in milliseconds, a record's timestamp may be behind the broker's clock. Not asked for LogAppendTime.",
		set:    func(s *Settings, v string) { s.TimestampBeforeMaxMS = number(v) }},
	{name: "message.timestamp.type", typ: TypeString, def: "CreateTime", broker: "log.message.timestamp.type",
		oneOf: []string{"CreateTime", "LogAppendTime"},
		doc:   "Whether a record keeps its producer's timestamp or gets the broker's at append.",
		set: func(s *Settings, v string) {
			s.TimestampType = CreateTime
			if v == "LogAppendTime" {
				s.TimestampType = LogAppendTime
			}
		}},
	{name: "min.insync.replicas", typ: TypeInt, def: "1", broker: "min.insync.replicas", fixed: true,
		only: "a partition has one replica; an acknowledged record is on stable storage",
		doc:  "How many replicas must have a record before it is acknowledged to acks=all."},
	{name: "preallocate", typ: TypeBoolean, def: "false", broker: "log.preallocate", fixed: true,
		only: "a topic has no files of its own; the journal's segments are always preallocated",
		doc:  "Whether the topic's segment files are preallocated."},
	{name: "remote.storage.enable", typ: TypeBoolean, def: "false", fixed: true,
		only: "tiered storage is not supported",
		doc:  "Whether older segments move to remote storage."},
	{name: "retention.bytes", typ: TypeLong, def: "-1", min: -1, max: math.MaxInt64, broker: "log.retention.bytes",
		doc: "How many bytes a partition keeps before its oldest records go. -1 is no limit.",
		set: func(s *Settings, v string) { s.RetentionBytes = number(v) }},
	{name: "retention.ms", typ: TypeLong, def: "604800000", min: -1, max: math.MaxInt64, broker: "log.retention.ms",
		doc: "How many milliseconds a record is kept at least. -1 is no limit.",
		set: func(s *Settings, v string) { s.RetentionMS = number(v) }},
	{name: "unclean.leader.election.enable", typ: TypeBoolean, def: "false", broker: "unclean.leader.election.enable",
		fixed: true,
		only:  "there are no other replicas to elect a leader from",
		doc:   "Whether a replica that lacks acknowledged records may become leader."},
}

// refusedSettings exist in Kafka 4.2 but mean nothing here, or something that
// is not built. They are refused at any value: none is in effect.
var refusedSettings = map[string]string{
	"delete.retention.ms":       whyCompaction,
	"max.compaction.lag.ms":     whyCompaction,
	"min.cleanable.dirty.ratio": whyCompaction,
	"min.compaction.lag.ms":     whyCompaction,

	"segment.bytes":        whySegment,
	"segment.index.bytes":  whySegment,
	"segment.jitter.ms":    whySegment,
	"segment.ms":           whySegment,
	"index.interval.bytes": whySegment,
	"file.delete.delay.ms": whySegment,

	"flush.messages": whyFlush,
	"flush.ms":       whyFlush,

	"leader.replication.throttled.replicas":   whyReplica,
	"follower.replication.throttled.replicas": whyReplica,

	"local.retention.bytes":        whyRemote,
	"local.retention.ms":           whyRemote,
	"remote.log.copy.disable":      whyRemote,
	"remote.log.delete.on.disable": whyRemote,
}

const (
	whyCompaction = "compaction is not supported yet"
	whySegment    = "partitions share one journal, whose segments and index are the server's; a topic has none of its own"
	whyFlush      = "when records reach stable storage is decided for the whole server, by its --sync option"
	whyReplica    = "partitions are not replicated, so there is no replication to throttle"
	whyRemote     = "tiered storage is not supported"
)

func findSetting(name string) (*setting, bool) {
	i, ok := slices.BinarySearchFunc(knownSettings, name, func(s setting, n string) int {
		return strings.Compare(s.name, n)
	})
	if !ok {
		return nil, false
	}
	return &knownSettings[i], true
}

// lookup returns the setting of that name, or an error that says why a client
// cannot set it.
func lookup(name string) (*setting, error) {
	if d, ok := findSetting(name); ok {
		return d, nil
	}
	if why, ok := refusedSettings[name]; ok {
		return nil, fmt.Errorf("%w: %s cannot be set for a topic: %s", ErrInvalidConfig, name, why)
	}
	return nil, unknownSetting(name)
}

func unknownSetting(name string) error {
	return fmt.Errorf("%w: Unknown topic config name: %s", ErrInvalidConfig, shown(name))
}

// normalize returns v as it is stored, or an error that says what is allowed.
// bytesMax bounds max.message.bytes.
func (d *setting) normalize(v string, bytesMax int) (string, error) {
	v = strings.TrimSpace(v)
	switch d.typ {
	case TypeBoolean:
		if v = strings.ToLower(v); v != "true" && v != "false" {
			return "", d.invalid(v, "must be true or false")
		}
	case TypeInt, TypeLong:
		var err error
		if v, err = d.normalizeNumber(v, bytesMax); err != nil {
			return "", err
		}
	case TypeList:
		v = strings.Join(splitList(v), ",")
	}
	if d.fixed && v != d.def {
		return "", d.invalid(v, fmt.Sprintf("only %s is possible: %s", d.def, d.only))
	}
	if d.oneOf != nil && !slices.Contains(d.oneOf, v) {
		return "", d.invalid(v, "must be one of "+strings.Join(d.oneOf, ", "))
	}
	return v, nil
}

func (d *setting) normalizeNumber(v string, bytesMax int) (string, error) {
	bits := 64
	if d.typ == TypeInt {
		bits = 32
	}
	n, err := strconv.ParseInt(v, 10, bits)
	switch {
	case err != nil:
		return "", d.invalid(v, "not a number of type "+d.typ.String())
	case d.fixed:
	case n < d.min:
		return "", d.invalid(v, fmt.Sprintf("must be at least %d", d.min))
	case n > d.max:
		return "", d.invalid(v, fmt.Sprintf("must be at most %d", d.max))
	case d.name == "max.message.bytes" && n > int64(bytesMax):
		return "", d.invalid(v, fmt.Sprintf("must be at most %d, the largest batch that the journal stores", bytesMax))
	}
	return strconv.FormatInt(n, 10), nil
}

func (d *setting) invalid(v, why string) error {
	return fmt.Errorf("%w: Invalid value %s for configuration %s: %s", ErrInvalidConfig, shown(v), d.name, why)
}

// shownMax bounds what of a client's text goes into an error.
const shownMax = 100

func shown(v string) string {
	if len(v) > shownMax {
		return strings.ToValidUTF8(v[:shownMax], "?") + "…"
	}
	return strings.ToValidUTF8(v, "?")
}

// splitList cuts a comma-separated list into its entries without blanks and
// repetitions.
func splitList(v string) []string {
	var out []string
	for e := range strings.SplitSeq(v, ",") {
		if e = strings.TrimSpace(e); e != "" && !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	return out
}
