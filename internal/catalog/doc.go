// Package catalog is what exists: topics, their partitions and settings, queues, users,
// the cluster's id, and the numbers that are never given out twice.
//
// A Catalog is a typed view, in memory, of a Store: a small ordered set of keys
// that changes atomically and durably. Bolt keeps it in a file; Mem, for tests,
// in memory, failing where it is told to.
//
// # Who owns what
//
// Changes are serialised by one mutex and reach the store before they become
// visible. Readers take the latest snapshot from an atomic pointer: no lock,
// and what they got never changes.
//
// Coord is a Store that several brokers change, a Shared one. Every change is then a plan on
// what there is, and is planned again where another broker was faster: see changed. Two
// goroutines follow the others until Close, one of the store that keeps a mirror up to date
// by a watch, and one of the catalog that loads what the mirror shows. Without such a store
// the package starts none.
//
// # Invariants
//
//   - A stream id (a partition's name in the journal), a producer id and a queue's
//     id are never given out twice, not even after a deletion or a crash.
//   - A change is visible only after the store said that it is durable. When
//     the store fails, it is unknown whether the change took place: it is
//     reported as failed, and the next change reads the store anew first.
//   - A log start never goes backwards.
//   - Stream modulo slots is the slot of a partition: the first one of a topic has that of the
//     topic's name, and each other one the next slot; all those of a queue have that of the
//     queue's name; partition i of an internal topic is in slot i.
//   - A damaged value is an error that names its key. So is one that a newer
//     version of Naru wrote: nothing is guessed and nothing is dropped.
//
// # On disk
//
// Keys are text. A value is
//
//	+---------+-----------------+---------+
//	| version | CRC-32C         | payload |
//	| 1 byte  | 4, big-endian   |         |
//	+---------+-----------------+---------+
//
// where the checksum covers the version, the key and the payload, because the
// file underneath has no checksums of its own. Version is 1 throughout.
//
//	key                payload
//	cluster            {"id": "<uuid>"}
//	next/producer      decimal: the first producer id that was never given out
//	next/stream        decimal: the first stream id that was never given out
//	next/queue         decimal: the first queue id that was never given out
//	queue/<name>       {"id": 1, "topic": "orders", "owned": true, "settings": {…},
//	                   "tags": {…}, "labels": {…}, "created_at": ms, "changed_at": ms}
//	start/<stream>     decimal: log start offset; <stream> has 16 hex digits.
//	                   Absent means 0.
//	topic/<name>       {"id": "<uuid>", "streams": [1, 2, …], "settings":
//	                   {"retention.ms": "1000", …}, "internal": true,
//	                   "tree": [{"first": "<hex>", "last": "<hex>", "parents": [0],
//	                   "closed": true, "end": 7, "opened_at": ms, "closed_at": ms}, …],
//	                   "tags": {…}, "labels": {…}, "created_at": ms}
//	user/<name>        {"hash": {"algorithm": "pbkdf2-sha512", "value": "<base64>"},
//	                   "tags": […], "permissions": {"/": {"configure": "", …}},
//	                   "topics": {"/": {"<exchange>": {"write": "", "read": ""}}}}
//
// streams[i] is the stream of partition i; what follows it may be absent. tree[i] is
// partition i of a topic that was resharded: its hash keys, in 32 hex digits, and those in whose
// place it is. UUIDs are written as Kafka writes them: 22 characters of unpadded
// base64url. Times in a queue's settings are nanoseconds. A queue and the topic that
// was made for it come and go in one change. Deleting a topic deletes its log starts with it.
package catalog
