package broker

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
)

// routingTables are the exchanges by namespace.
type routingTables map[string]*exchange.Table

func newRoutingTables() routingTables {
	return routingTables{DefaultNamespace: exchange.NewTable()}
}

// A command's key is a kind, and the namespace's length and name. What follows is
// the key of a command of exchange.Table. On disk: never change.
const (
	keyNamespace = 'n' // no value: it is gone
	keyTable     = 't'
	keyLink      = 'l' // another layout: see linkName
)

func namespaceKey(ns string) []byte {
	key := binary.AppendUvarint([]byte{keyNamespace}, uint64(len(ns)))
	return append(key, ns...)
}

func routingKey(ns string, command []byte) []byte {
	key := namespaceKey(ns)
	key[0] = keyTable
	return append(key, command...)
}

// routingMachine is the durable part of routing: a statelog.Machine.
type routingMachine struct{ r *routing }

// Apply implements statelog.Machine.
func (m *routingMachine) Apply(rec record.Record) error {
	if len(rec.Key) < 2 {
		return fmt.Errorf("%w: key of %d bytes", exchange.ErrMalformed, len(rec.Key))
	}
	if rec.Key[0] == keyLink {
		m.r.mu.Lock()
		defer m.r.mu.Unlock()
		return m.r.applyLink(rec.Key, rec.Value)
	}
	n, size := binary.Uvarint(rec.Key[1:])
	if size <= 0 || n > uint64(len(rec.Key)-1-size) {
		return fmt.Errorf("%w: name cut short", exchange.ErrMalformed)
	}
	ns, rest := string(rec.Key[1+size:1+size+int(n)]), rec.Key[1+size+int(n):]
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	t := m.r.table[ns]
	switch rec.Key[0] {
	case keyNamespace:
		if rec.Value == nil {
			delete(m.r.table, ns)
		} else if t == nil {
			m.r.table[ns] = exchange.NewTable()
		}
		return nil
	case keyTable:
		if t == nil {
			return nil // the namespace was deleted
		}
		return t.Apply(exchange.Command{Key: rest, Value: rec.Value})
	}
	return fmt.Errorf("%w: kind %q", exchange.ErrMalformed, rec.Key[0])
}

// Snapshot implements statelog.Machine.
func (m *routingMachine) Snapshot(emit func(key, value []byte)) {
	m.r.mu.RLock()
	defer m.r.mu.RUnlock()
	for ns, t := range m.r.table {
		emit(namespaceKey(ns), []byte{})
		t.Snapshot(func(key, value []byte) { emit(routingKey(ns, key), value) })
	}
	for name, l := range m.r.links {
		l.mu.Lock()
		value := l.state.encode(linkMade)
		l.mu.Unlock()
		emit(name.key(), value)
	}
}

// madeNamePrefix begins the names that are made for queues.
const madeNamePrefix = "q-"

// madeNameShown is how much of the user's name is in a made one.
const madeNameShown = 60

// madeName is a name that a topic may have: what it can have of the user's, and a
// digest that makes it one of its own.
func madeName(ns, name string) string {
	sum := sha256.Sum256([]byte(ns + "\x00" + name))
	shown := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, name)
	shown = shown[:min(len(shown), madeNameShown)]
	return madeNamePrefix + shown + "-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:15]))
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
