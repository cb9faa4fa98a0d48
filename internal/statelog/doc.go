// Package statelog keeps a small state machine on a partition: commands are
// appended as records, applied in order once they are durable, and from time
// to time the whole state is written again as commands, so that what came
// before can be trimmed. One mechanism serves committed offsets, producer
// state and whatever else must fail over and survive a crash exactly as
// records do.
//
//	log:  … old commands … | snapshot: commands that rebuild the state | newer commands …
//	                       ^ log start, once the snapshot is durable
//
// # Invariants
//
//   - Apply sees the records of the log in offset order, each once per life of
//     the process, and only after they are durable.
//   - A snapshot holds exactly the effect of all commands before it: it is taken
//     while none is on its way.
//   - A crash in the middle of a snapshot is harmless: its commands change
//     nothing when they are applied to the state that they were taken from.
//
// The machine's state is guarded by the log: Apply and Snapshot run under its
// lock, and readers go through Read.
package statelog
