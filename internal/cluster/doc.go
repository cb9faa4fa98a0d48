// Package cluster is how brokers agree on who owns which slot: one broker at a time serves a slot, and every broker serves some.
//
//   - Core decides, and does nothing: time and answers are arguments, requests are values.
//   - Node sends what Core asks for, one request at a time, and runs a tenure while the broker is a member.
//   - Tenure is a membership under one lease. Its Run opens and closes slots by a Host.
//   - Identity ties a bucket and a coordinator together, so that neither is ever used with another.
//
// # Keys of the coordinator
//
//	cluster                 the cluster's identity, and how many slots it has; also an object of the bucket
//	live/member/0001        a broker that is up, under its lease; the number is its node id
//	live/slot/0000/owner    who owns a slot, under the owner's lease; its CreateRevision is compared by every commit
//	want/place/0000         the process at which an operator wants a slot; Forget removes this and the next when it is gone
//	want/drain/NAME         a process that is to own nothing while another can
//	slot/0000/head          where the slot's log ends
//	catalog/…               what exists
//
// # Who may serve
//
// A lease chooses who tries; the comparison in each transaction is what protects the log. Beyond that, an owner says nothing to
// anybody once its lease may have ended: it counts from the moment at which the last keep-alive that was answered was sent, by its
// own monotonic clock, and stops a margin before. It needs no message to learn that it lost, least of all a watch. Then it revokes the lease: what nobody
// serves under it others may take, also while its requests arrive and no answer does.
//
// An ownership that was dropped is never taken up again: the owner's key is deleted, and what comes next has another revision.
//
// # Who ought to
//
// All brokers that see the same agree on whom a slot belongs to: where an operator wants it, else by rendezvous hashing over the
// members that are ready, and have not failed to open it lately; drained ones come after all others. A slot without an owner is taken by whom it belongs
// to at once, and by the next in rank after a while. A slot that belongs to another broker than its owner is handed over: closed,
// then its key is deleted. A broker hands a few over at a time, and no more until those have been taken.
//
// # Goroutines
//
// Node.Run is one goroutine; a tenure's function is another. Run has one for each call of its Host. A timer of the tenure ends it
// when its time is over, whatever they do.
package cluster
