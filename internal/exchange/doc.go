// Package exchange decides which queues a message goes to: exchanges, the bindings
// between them and queues, and the history of messages that were dead-lettered. It is
// pure: no clock, no I/O, effects are values.
//
// A Table is one namespace. A mutation is planned, made durable, and applied:
//
//	Declare, Delete, Bind, Unbind, RemoveQueue ──► []Change ──► store ──► Apply
//	                                                (the durable ones)
//
// so that nothing routes by what might be forgotten. A change says what is, by a key:
// it can be kept in a log or under its key in a store, and applying it twice is
// applying it once. A binding is durable if both its ends are.
//
// Route follows bindings between exchanges, each exchange once, so that cycles end:
//
//	message ──► exchange ──► matcher ──► queues
//	               ▲            │ nothing matched: the alternate exchange
//	               └── exchanges┘
//
// What is behind a delayed exchange goes later, if the message asks for it, unless it
// is also reached without a delay. A queue is named once.
//
// # Invariants
//
//   - Planning changes nothing; Apply alone does, and a malformed command changes
//     nothing.
//   - A snapshot makes a table that routes as this one does after a restart.
//   - No key, pattern or topology makes Route work without bound: see limits.go.
//
// The caller guards a Table: mutations exclude all else, from planning to Apply
// mutations exclude each other, Routes run side by side, each with its own Routing.
package exchange
