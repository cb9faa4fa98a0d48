package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/record"
)

// valueVersion is the version of stored values. On disk: never renumber.
const valueVersion = 1

// Keys. On disk: never rename.
const (
	keyCluster      = "cluster"
	keyNextProducer = "next/producer"
	keyNextQueue    = "next/queue"
	keyNextStream   = "next/stream"
	prefixQueue     = "queue/"
	prefixStart     = "start/"
	prefixTopic     = "topic/"
	prefixUser      = "user/"
)

const valueHeaderBytes = 5

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func startKey(stream uint64) string { return fmt.Sprintf("%s%016x", prefixStart, stream) }

func checksum(version byte, key string, payload []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte{version})
	sum = crc32.Update(sum, castagnoli, []byte(key))
	return crc32.Update(sum, castagnoli, payload)
}

// wrap puts the version and the checksum before a payload.
func wrap(key string, payload []byte) Op {
	v := make([]byte, valueHeaderBytes, valueHeaderBytes+len(payload))
	v[0] = valueVersion
	binary.BigEndian.PutUint32(v[1:], checksum(valueVersion, key, payload))
	return Op{key, append(v, payload...)}
}

// unwrap returns the payload of a stored value, which shares its memory.
func unwrap(key string, value []byte) ([]byte, error) {
	if len(value) < valueHeaderBytes {
		return nil, fmt.Errorf("%w: key %q: %d bytes", ErrDamaged, key, len(value))
	}
	version, payload := value[0], value[valueHeaderBytes:]
	if want, got := binary.BigEndian.Uint32(value[1:]), checksum(version, key, payload); want != got {
		return nil, fmt.Errorf("%w: key %q: checksum %08x, computed %08x", ErrDamaged, key, want, got)
	}
	if version > valueVersion {
		return nil, fmt.Errorf("%w of Naru: key %q has version %d, this one reads %d; use the newer one",
			ErrNewerVersion, key, version, valueVersion)
	}
	if version != valueVersion {
		return nil, fmt.Errorf("%w: key %q has version %d", ErrDamaged, key, version)
	}
	return payload, nil
}

type storedCluster struct {
	ID string `json:"id"`
}

type storedTopic struct {
	ID       string            `json:"id"`
	Streams  []uint64          `json:"streams"`
	Settings map[string]string `json:"settings,omitempty"`
	Internal bool              `json:"internal,omitempty"`

	Tree      []storedPartition `json:"tree,omitempty"` // of a topic that was resharded
	Tags      map[string]string `json:"tags,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	CreatedAt int64             `json:"created_at,omitempty"`
}

// storedPartition is what is kept of a partition beside its stream.
type storedPartition struct {
	First    string        `json:"first"` // hash keys: 32 hex digits
	Last     string        `json:"last"`
	Parents  []int32       `json:"parents,omitempty"`
	Closed   bool          `json:"closed,omitempty"`
	End      record.Offset `json:"end,omitempty"`
	OpenedAt int64         `json:"opened_at,omitempty"`
	ClosedAt int64         `json:"closed_at,omitempty"`
}

func encodeCluster(id UUID) Op { return encodeJSON(keyCluster, storedCluster{id.String()}) }

func encodeTopic(t *Topic) Op {
	s := storedTopic{ID: t.ID.String(), Settings: t.Settings.Explicit, Internal: t.Internal,
		Streams: make([]uint64, len(t.Partitions)), Tags: t.Tags, Labels: t.Labels, CreatedAt: t.CreatedAt}
	for i, p := range t.Partitions {
		s.Streams[i] = p.Stream
		if t.Resharded {
			s.Tree = append(s.Tree, storedPartition{
				First: p.Keys.First.hexadecimal(), Last: p.Keys.Last.hexadecimal(), Parents: p.Parents,
				Closed: p.Closed, End: p.End, OpenedAt: p.OpenedAt, ClosedAt: p.ClosedAt,
			})
		}
	}
	return encodeJSON(prefixTopic+t.Name, s)
}

func encodeNumber(key string, n uint64) Op { return wrap(key, strconv.AppendUint(nil, n, 10)) }

func encodeStart(stream uint64, o record.Offset) Op {
	return encodeNumber(startKey(stream), uint64(o))
}

func encodeJSON(key string, v any) Op {
	payload, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return wrap(key, payload)
}

// decodeJSON is strict: a field that it does not know must not be lost when
// the value is written again.
func decodeJSON(key string, payload []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("%w: key %q: %w", ErrDamaged, key, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%w: key %q: more than one value", ErrDamaged, key)
	}
	return nil
}

// decodeNumber reads a number that fits in int64, as all of ours do.
func decodeNumber(key string, payload []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(payload), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: key %q: %w", ErrDamaged, key, err)
	}
	return n, nil
}

func decodeStartKey(key string) (uint64, error) {
	digits := strings.TrimPrefix(key, prefixStart)
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || len(digits) != 16 || strings.ToLower(digits) != digits {
		return 0, fmt.Errorf("%w: key %q is not that of a stream", ErrDamaged, key)
	}
	return n, nil
}
