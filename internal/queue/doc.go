// Package queue decides which record of a queue is delivered to whom, and when.
// It is pure: time is an argument, records are known by their metadata only, and
// what must be written comes out as commands.
//
// A queue is a view on the partitions of a topic, here called sources. Its state
// has two halves:
//
//	Ledger  durable: what is done, how often the rest was delivered, until when
//	        it is leased or held back. A state machine on the log: commands are
//	        applied once they are durable, and again after a restart.
//	Queue   volatile: a window of records that can be delivered, who holds which
//	        lease, what becomes due when. Made anew at start from the ledger.
//
// # The life of a record
//
//	not loaded ──Load──► ready ──Receive──► leased ──Ack──► settling ──Settled──► gone
//	               │       ▲ ▲                │ │               │
//	            (due later) │ └──lease ends, Release──┘         └─ not durable: leased again
//	               ▼        │
//	              held ─────┘ when due
//
// A record that has used up its attempts, or has expired, is handed out by Dead
// instead of being delivered, and is settling until Finish or Return.
//
// # Invariants
//
//   - A record is leased to at most one delivery at a time; a tag names exactly one
//     delivery of it.
//   - A record whose ack was confirmed is never delivered again: it is done in the
//     ledger before its entry goes.
//   - Of an ordered queue's group, nothing is delivered while a record of it is
//     leased or settling, and records go out in the order of their offsets.
//   - A record that comes back takes its old place: the lowest offset goes first.
//
// # Bounds
//
// WindowMax records per source are ready in memory, the rest waits in the log.
// At most DelayedMax are held back in memory; beyond that they are parked in the
// log as sorted runs of blocks, of which one block each is in memory. At most
// InFlightMax are leased or settling, which bounds the ledger's touched records
// too, because a record that comes back goes before one that is fresh.
package queue
