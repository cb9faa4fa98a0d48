// Package group decides who is a member of a consumer group, when a new
// generation begins, and whose commits count. It also holds committed offsets.
//
// The package is pure: the time is an argument, member ids are given, nothing
// blocks and nothing runs by itself. A call that cannot be answered at once is
// named by a Token; its answer comes out later as an Effect, from whichever
// call made it possible, or from Advance when a deadline passed. The shell
// (internal/broker) owns the lock, the clock, the timer and the storage.
//
// # A generation
//
//	Empty ──join──► PreparingRebalance ──all joined, or timeout──► CompletingRebalance
//	  ▲                 ▲    │ nobody left                               │ leader's sync,
//	  └─────────────────┼────┘                                           ▼ stored
//	                    └───────── join, leave, expiry ──────────────  Stable
//
// A join waits until every known member has joined or the longest rebalance
// timeout of the members has passed; whoever has not joined by then is dropped
// (static members stay until their session ends). One of those who joined is
// the leader: it alone learns who the members are, and its sync brings what
// each of them shall do. The assignment is stored before anybody is told.
//
// # Invariants
//
//   - Every call that was given a Token is answered exactly once.
//   - The generation of a group never decreases while the process lives, and a
//     generation whose assignment was handed out is never handed out again with
//     another, not even after a restart.
//   - A group has at most one leader, who is one of its members.
//   - Only a current member that names the current generation may commit; a
//     sender without generation may commit only while the group is empty.
//   - An instance id belongs to at most one member; the one that it was taken
//     from is fenced for good.
//   - What peers can make the package hold is bounded by Limits.
//
// # Stored form
//
// See codec.go for the bytes of saved groups and committed offsets.
//
// Sources: the group coordinator of Apache Kafka 4 for behaviour that no KIP
// describes; KIP-62 (rebalance timeout), KIP-134 (initial delay), KIP-345
// (static members), KIP-389 (group size), KIP-394 (member id first), KIP-429
// (cooperative rebalancing, which asks nothing new of the coordinator),
// KIP-559 (protocol in sync), KIP-814 (skipped assignment).
package group
