// Package broker is the only door for front ends: topics, partitions, groups.
// It ties the catalog (what exists) to the journal (what is stored), keeps
// retention, reads the clock and passes `now` down.
//
// # Order of things
//
// What exists is durable in the catalog before a record can refer to it. A log
// start is durable in the catalog before the journal may drop what lies below.
// A deleted topic is gone from the catalog before its bytes are dropped. A partition
// refuses appends, and has none on their way, before the catalog says where it ends;
// those that take its place exist when that is durable.
//
// # Slots
//
// A broker opens and closes slots while it serves others; one that is alone has slot 0
// from beginning to end. What a slot has (slot) is made from its journal alone: the logs
// of its partitions, producers, groups, the queues and triggers whose home it is, and in
// HomeSlot the exchanges. Partitions and queues that front ends see are handles
// (backend.go), on every broker, for all that the catalog has. A slot that is opened
// shows its partitions when their producers are known, and its queues when all of them
// are open; it waits for no other slot meanwhile.
//
// # Goroutines and locks
//
// The broker runs one goroutine for retention, and one that follows the catalog where
// others change it. Each slot runs one for saving producers' state when a segment is
// sealed, one that tells queues of records, the coordinator's timer and what triggers
// need. They end with the slot. topics.mu guards the tables of partitions; it is never
// held during I/O. Locks are taken in this order: a slot's admin, admin of routing,
// following.mu, admin of queues, topics.changing, a queue's mu, a log's.
package broker
