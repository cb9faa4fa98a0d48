package kinesis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// tokens makes and reads what clients hand back: shard iterators and the tokens of
// pages. They are opaque, of this broker and of one kind, and good for a time.
//
//	0         1      2              10                n       n+16
//	+---------+------+--------------+-----------------+--------+
//	| version | kind | made at      | what it is about| check  |
//	| = 1     |      | ms           |                 |        |
//	+---------+------+--------------+-----------------+--------+
//
// in base64. The check is half an HMAC-SHA256 under the cluster's id. It keeps one
// from being mistaken for another, and is no secret.
type tokens struct{ key []byte }

const (
	tokenVersion = 1
	tokenHead    = 10
	tokenCheck   = 16
	// tokenLife is how long a token is good.
	tokenLife = 5 * time.Minute

	kindIterator = 'i'
	kindShards   = 's'
	kindStreams  = 'n'
	kindConsumer = 'c'
)

func newTokens(clusterID string) tokens { return tokens{[]byte("naru kinesis " + clusterID)} }

func (t tokens) check(b []byte) []byte {
	mac := hmac.New(sha256.New, t.key)
	mac.Write(b)
	return mac.Sum(nil)[:tokenCheck]
}

func (t tokens) seal(kind byte, now time.Time, about []byte) string {
	b := make([]byte, 0, tokenHead+len(about)+tokenCheck)
	b = append(b, tokenVersion, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixMilli()))
	b = append(b, about...)
	return base64.StdEncoding.EncodeToString(append(b, t.check(b)...))
}

// open reads a token. It may be too old. Only the text that seal wrote is good: line
// breaks, which base64 skips, make it longer.
func (t tokens) open(kind byte, token string) (about []byte, made time.Time, ok bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < tokenHead+tokenCheck || base64.StdEncoding.EncodedLen(len(b)) != len(token) {
		return nil, made, false
	}
	body := b[:len(b)-tokenCheck]
	if !hmac.Equal(t.check(body), b[len(body):]) || body[0] != tokenVersion || body[1] != kind {
		return nil, made, false
	}
	return body[tokenHead:], time.UnixMilli(int64(binary.BigEndian.Uint64(body[2:]))), true
}

// iterator is where a reader is in a shard.
type iterator struct {
	topic  catalog.UUID
	shard  int32
	offset record.Offset
	stream string // its name, for errors
}

func (t tokens) iterator(it iterator, now time.Time) string {
	b := append([]byte(nil), it.topic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(it.shard))
	b = binary.BigEndian.AppendUint64(b, uint64(it.offset))
	return t.seal(kindIterator, now, append(b, it.stream...))
}

const iteratorBytes = 16 + 4 + 8

func (t tokens) parseIterator(token string) (it iterator, made time.Time, ok bool) {
	b, made, ok := t.open(kindIterator, token)
	if !ok || len(b) < iteratorBytes {
		return it, made, false
	}
	copy(it.topic[:], b)
	it.shard = int32(binary.BigEndian.Uint32(b[16:]))
	it.offset = record.Offset(binary.BigEndian.Uint64(b[20:]))
	it.stream = string(b[iteratorBytes:])
	return it, made, it.shard >= 0 && it.offset >= 0
}
