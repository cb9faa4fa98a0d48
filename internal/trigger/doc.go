// Package trigger decides when a queue's state starts work, and keeps what has to
// survive of that: definitions, what each condition has fired for, and the runs
// that did not end. It is pure: time is an argument, effects are values.
//
// A Table is a state machine on a log. Its state changes by Apply alone, with
// commands that came back durable; a Round reads it and decides on commands:
//
//	what is ready ──► Round.Look ──┐
//	what came     ──► Round.Read ──┼─► commands ──► log ──► Table.Apply
//	what ended    ──► Round.Ended ─┘                             │
//	                                    work ◄── Trigger.Start ◄─┘
//
// # Invariants
//
//   - Work starts only after its firing is durable. What was not confirmed as ended
//     before a crash starts again under the same run id.
//   - A firing and the condition's new state (disarmed, or the place that was read
//     up to) are in one append: neither is durable without the other.
//   - A condition that has fired is armed again by what is seen in the queue, never
//     by time or by a restart alone.
//   - At most RunsWaitingMax runs of a trigger have not ended; while there are so
//     many nothing fires, and nothing is read past.
//
// Commands say what is, not what changes: a snapshot is the same commands, and
// changes nothing when it is applied to the state that it was taken from. The
// caller guards a Table.
package trigger
