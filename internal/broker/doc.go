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
// # Goroutines and locks
//
// The broker runs one goroutine for retention, one for saving producers' state
// when a segment is sealed, and the coordinator's timer. topics.mu guards the
// tables of partitions; it is never held during I/O.
package broker
