// Package leases judges what producers and consumers of queues saw.
//
// Clients record sends, deliveries, deletions and changes of a lease as they
// happen, each with the time before its request and the time after its answer.
// Check reports every broken promise that these times prove:
//
//	lost                   acknowledged, and neither deleted nor left in any queue
//	phantom                delivered, and never sent
//	duplicate              one sent value under two message ids
//	redelivered            asked for after its deletion was confirmed, and delivered
//	resurrected            delivered from its queue after it was seen dead-lettered
//	shared lease           delivered to a consumer while another's lease ran
//	out of order           delivered while an earlier record of its group was due
//	attempts went back     an attempt's number that is not above an earlier one's
//
// A server that is killed may forget a delivery that nothing durable followed:
// such a delivery proves nothing about leases and attempts in the server's next
// life. One that was followed, in the same life, by a confirmed deletion from its
// queue that began after it must be remembered, because a queue's changes are durable
// in their order.
//
// Invariants that callers keep: sent values are unique; a group has one producer,
// which sends the next value when the last was acknowledged; times are from one
// clock, in nanoseconds.
//
// The package is pure: no clock, no I/O, no goroutines.
package leases
