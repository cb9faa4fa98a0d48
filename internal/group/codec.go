package group

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/narumq/naru/internal/record"
)

// What groups keep is a set of keys and values, changed one key at a time.
//
//	key of a group     0x01 | str group
//	key of an offset   0x02 | str group | str topic | uvarint partition
//	key of a topic     0x03 | str topic
//
//	group     0x01 | varint generation | str protocol type | str protocol | str leader |
//	          varint since | uvarint count | count × member
//	member    str id | str instance | str client id | str client host |
//	          uvarint session timeout | uvarint rebalance timeout | str metadata | str assignment
//	offset    0x01 | varint offset | varint leader epoch | varint committed at |
//	          varint expires at (0 = never stated) | str metadata
//
//	str = uvarint length | bytes. Times are Unix milliseconds, timeouts milliseconds;
//	a time that is not set is 0.
//
// A key without a value deletes. Deleting a group's key deletes its offsets too,
// and a topic's key is only ever deleted, which deletes all groups' offsets in
// it: both happen in one step, and to commits that were under way before.

// On disk: never renumber.
const (
	keyGroup     = 0x01
	keyOffset    = 0x02
	keyTopic     = 0x03
	valueVersion = 0x01
)

// Command changes one key of a Table. Value nil deletes the key.
type Command = record.Command

func appendStr[S string | []byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func groupKey(group string) []byte { return appendStr([]byte{keyGroup}, group) }

func offsetKey(group string, p PartitionKey) []byte {
	b := appendStr(make([]byte, 0, 8+len(group)+len(p.Topic)), group)
	b = appendStr(append([]byte{keyOffset}, b...), p.Topic)
	return binary.AppendUvarint(b, uint64(uint32(p.Partition)))
}

// SaveGroup returns the command that stores a group.
func SaveGroup(s *Saved) Command { return Command{Key: groupKey(s.Group), Value: encodeSaved(s)} }

// ForgetGroup returns the command that deletes a group and all its offsets.
func ForgetGroup(group string) Command { return Command{Key: groupKey(group)} }

// CommitOffset returns the command that stores a committed offset.
func CommitOffset(group string, p PartitionKey, c Committed) Command {
	return Command{Key: offsetKey(group, p), Value: encodeCommitted(c)}
}

// ForgetOffset returns the command that deletes a committed offset.
func ForgetOffset(group string, p PartitionKey) Command { return Command{Key: offsetKey(group, p)} }

// GroupOf is the group that a command is about; "" if it is about a topic, or none of ours.
func GroupOf(key []byte) string {
	kind, group, _, err := decodeKey(key)
	if err != nil || kind == keyTopic {
		return ""
	}
	return group
}

// ForgetTopic returns the command that deletes all groups' offsets in a topic.
func ForgetTopic(topic string) Command { return Command{Key: appendStr([]byte{keyTopic}, topic)} }

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func encodeCommitted(c Committed) []byte {
	b := append(make([]byte, 0, 32+len(c.Metadata)), valueVersion)
	b = binary.AppendVarint(b, int64(c.Offset)) // some clients commit -1 and -2, and resolve them later
	b = binary.AppendVarint(b, int64(c.LeaderEpoch))
	b = binary.AppendVarint(b, millis(c.CommittedAt))
	b = binary.AppendVarint(b, millis(c.ExpiresAt))
	return appendStr(b, c.Metadata)
}

func decodeCommitted(b []byte) (Committed, error) {
	r := reader{b: b}
	r.version()
	c := Committed{
		Offset:      record.Offset(r.varint(math.MinInt64, math.MaxInt64)),
		LeaderEpoch: int32(r.varint(math.MinInt32, math.MaxInt32)),
		CommittedAt: fromMillis(r.varint(math.MinInt64, math.MaxInt64)),
		ExpiresAt:   fromMillis(r.varint(math.MinInt64, math.MaxInt64)),
		Metadata:    r.str(),
	}
	return c, r.end("committed offset")
}

func encodeSaved(s *Saved) []byte {
	b := binary.AppendVarint([]byte{valueVersion}, int64(s.Generation))
	b = appendStr(appendStr(appendStr(b, s.ProtocolType), s.Protocol), s.Leader)
	b = binary.AppendVarint(b, millis(s.Since))
	b = binary.AppendUvarint(b, uint64(len(s.Members)))
	for i := range s.Members {
		m := &s.Members[i]
		b = appendStr(appendStr(appendStr(appendStr(b, m.ID), m.InstanceID), m.ClientID), m.ClientHost)
		b = binary.AppendUvarint(b, uint64(m.SessionTimeout.Milliseconds()))
		b = binary.AppendUvarint(b, uint64(m.RebalanceTimeout.Milliseconds()))
		b = appendStr(appendStr(b, m.Metadata), m.Assignment)
	}
	return b
}

// memberBytesMin is the length of a member whose every field is empty.
const memberBytesMin = 8

func decodeSaved(group string, b []byte) (*Saved, error) {
	r := reader{b: b}
	r.version()
	s := &Saved{
		Group:        group,
		Generation:   int32(r.varint(0, math.MaxInt32)),
		ProtocolType: r.str(), Protocol: r.str(), Leader: r.str(),
		Since: fromMillis(r.varint(math.MinInt64, math.MaxInt64)),
	}
	n := r.uvarint(uint64(len(r.b) / memberBytesMin))
	if r.err == nil {
		s.Members = make([]SavedMember, n)
	}
	for i := range s.Members {
		s.Members[i] = SavedMember{
			ID: r.str(), InstanceID: r.str(), ClientID: r.str(), ClientHost: r.str(),
			SessionTimeout: r.timeout(), RebalanceTimeout: r.timeout(),
			Metadata: []byte(r.str()), Assignment: []byte(r.str()),
		}
	}
	return s, r.end("group")
}

// decodeKey returns the kind of a key and what it names.
func decodeKey(b []byte) (kind byte, group string, p PartitionKey, err error) {
	r := reader{b: b}
	kind = r.byte()
	switch kind {
	case keyGroup:
		group = r.str()
	case keyTopic:
		p.Topic = r.str()
	case keyOffset:
		group, p.Topic = r.str(), r.str()
		p.Partition = int32(r.uvarint(math.MaxInt32))
	default:
		if r.err == nil {
			return kind, "", p, fmt.Errorf("%w: key of kind %#x", ErrNewerFormat, kind)
		}
	}
	return kind, group, p, r.end("key")
}

// reader takes values off a slice and keeps the first error. Nothing that it
// returns is longer than the slice.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("no bytes left")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) version() {
	if v := r.byte(); r.err == nil && v != valueVersion {
		r.b, r.err = nil, fmt.Errorf("%w: format %d, this one knows %d", ErrNewerFormat, v, valueVersion)
	}
}

func (r *reader) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.fail("number %d (%d bytes), at most %d", v, n, most)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint(least, most int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < least || v > most {
		r.fail("number %d (%d bytes), must be from %d to %d", v, n, least, most)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) str() string {
	n := r.uvarint(uint64(len(r.b)))
	if r.err != nil || n > uint64(len(r.b)) {
		r.fail("%d bytes, %d left", n, len(r.b))
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) timeout() time.Duration {
	return time.Duration(r.uvarint(uint64(math.MaxInt32))) * time.Millisecond
}

// end reports the first error; bytes that are left over are one.
func (r *reader) end(what string) error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return fmt.Errorf("%s: %w", what, r.err)
	}
	return nil
}
