// Package commitlog is a partition: it assigns offsets, remembers what
// idempotent producers sent, and reads by offset and by time. Its bytes are in
// the journal.
//
// # Invariants
//
//   - Offsets are dense and assigned under the partition's lock, in the order
//     in which the journal gets the batches.
//
//   - The high watermark is one past the last durable record. It never goes
//     back. Readers see nothing above it.
//
//   - A batch of an idempotent producer is appended at most once, as far as
//     its last five batches reach back, also across a restart.
//
//   - Nothing is appended to a partition after Close returned where it ends.
//
// A partition starts no goroutine. Its lock is held while a batch is enqueued,
// never while anything waits.
package commitlog
