// Package history judges what clients of a partitioned log saw.
//
// Clients record events as they happen: a send that was acknowledged (or whose
// fate is unknown), a record that a poll delivered, an assignment, a committed
// offset that was confirmed or read back. Check looks at all of them together
// and reports every anomaly it can prove, in the manner of Jepsen's workload
// for Kafka (https://jepsen.io/analyses/bufstream-0.1.0 describes the kinds):
//
//	lost write            acknowledged, the log was read past it, and it is not there
//	phantom               read, and never sent
//	duplicate             one sent value at two offsets
//	inconsistent offset   one offset, two values (or read ≠ acknowledged)
//	poll skip             a consumer jumped over a record that exists
//	non-monotonic poll    a consumer went backwards without a new assignment
//	non-monotonic send    a producer's later send was given an earlier offset
//	commit regression     a committed offset was read back lower than confirmed
//	re-read               a group delivered a record again after its commit
//	undelivered           acknowledged, and no member of the group ever saw it
//
// Invariants that callers keep: sent values are unique over the whole history;
// the events of one process are in the order in which they happened to it;
// times are from one clock, in nanoseconds.
//
// The package is pure: no clock, no I/O, no goroutines.
package history
