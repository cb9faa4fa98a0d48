// Package kafka speaks the Kafka protocol to clients: it takes requests off
// connections, asks the broker, and answers.
//
// # A connection
//
//	socket ──► reader ──────────────► queue of calls ──────► writer ──► socket
//	           frame, decode, start    in order, bounded     await, encode, writev
//	               │                                           ▲
//	               └──► broker: append, join, commit … ────────┘ done
//
// The reader takes frames one after another, decodes them and starts them. A
// call that is not finished at once (a produce that waits for its commit, a
// join that waits for the others) is a future: the writer takes calls in the
// order of their requests, waits for each, and sends its answer. A fetch that
// has to wait for records waits in the writer, which has nothing else to do
// before it is answered. So a connection has two goroutines and no more.
//
// # Order
//
// Requests of one connection behave as if they were carried out one after
// another, as in Apache Kafka. Produce requests alone overlap: their batches are
// enqueued in order, and those that are on their way together share a commit.
// Any other request starts when all before it are answered, and what follows it
// starts when it is. So a connection has one answer at a time in memory, produce
// answers apart, which are small.
//
// # Memory
//
// A frame's bytes are taken from a budget that all connections share before the
// frame is read; when there is none, the connection is not read, which TCP tells
// the client. Requests other than Produce are decoded into several times their
// size, and their answers can be as large: they count for more, and until they
// are answered. Buffers grow as bytes arrive. Records are not copied out of the
// frame: it is recycled when the last batch in it is durable or refused, whether
// or not anybody waits for an answer. What fetches hold of the journal between
// read and write has a budget of its own.
//
// # Errors
//
// Each error of the broker has one code (errors.go). What has no code of its own
// closes the connection, as Kafka does: a frame of a wrong size, a request that
// cannot be decoded, a key or a version that is not served.
//
// # Who owns what
//
// A call belongs to the reader until it is queued, then to the writer; whoever
// finishes it touches only its answer, before finish. A fetch session belongs to
// the call that took it (busy) until that call gives it back. Server.mu guards
// the table of connections.
package kafka
