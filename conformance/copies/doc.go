// Package copies judges what publishers and consumers saw of messages that exchanges
// copied into queues.
//
// A message that is routed to three queues is three copies; each has a life of its
// own. Clients note publishes, deliveries and what they did with them. Check reports
// every broken promise that these notes prove:
//
//	lost               confirmed, routed to a queue, and never settled there, nor in a queue where it went
//	phantom            delivered from a queue to which it was not routed
//	returned           confirmed as unroutable, though queues are bound
//	redelivered        delivered after the end of an earlier delivery was certain
//	resurrected        delivered from its queue after it was seen where it went as a dead letter
//	shared             out to two consumers at once
//	not marked         delivered again in one life of the server, and not marked so
//	deaths went back   a count of x-death that is below an earlier one's
//	deaths are wrong   a count of x-death that is not what consumers made it
//	topology           a queue or an exchange that is not as it was declared
//
// When is the end of a delivery certain? AMQP confirms no acks, so there are two times:
//
//   - Committed: the end was part of a transaction, and commit-ok came. It holds for ever.
//   - Synchronised: a method that came after it on its channel was answered. It holds as
//     long as the server lives, and beyond only if the server was stopped in order.
//
// When is a delivery later than something? Deliveries are pushed, and may wait in a client.
// So one is later only if its channel was opened later, or is the same channel.
//
// Dead letters are moved at least once: a kill while one is on its way may leave two, and one more for each
// time that it was moved on in that life. Each has to be settled then.
//
// Invariants that callers keep: published values are unique, and are published once; times are
// from one clock, in nanoseconds; all queues are read to their end, and what comes is acked.
//
// The package is pure: no clock, no I/O, no goroutines.
package copies
