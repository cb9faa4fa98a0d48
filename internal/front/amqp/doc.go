// Package amqp serves AMQP 0-9-1 as RabbitMQ speaks it: connections, channels, exchanges, queues, publishing with confirms or
// in transactions, and consumers.
//
// # Who owns what
//
// A connection has two goroutines. The reader takes frames in order and carries methods out, one after the other, as RabbitMQ
// does on one channel; what it waits for (a queue that is made durable, a transaction that is committed) the connection's
// other channels wait for too. It never waits for a message to become durable: confirms come back from the committer. The
// writer sends what has been put into the output, all of it with one write, and makes acks of the confirms that have gathered
// since its last one.
//
// A queue with consumers here has a mailbox, and that one goroutine. It receives as many messages as its consumers have
// credit for, and deals them out in turn. There is none for a consumer, and none for a message.
//
//	reader ──► publication ──► broker.Publish ──► done: confirms, returns ──► output ──► writer
//	reader ──► acks, credit ──► mailbox ◄── broker.Queue.Receive
//	                             └── deliveries ──────────────────────────► output
//
// Locks, in this order: Server.mail, mailbox.mu, channel.mu, output.mu, confirms.mu.
//
// # What always holds
//
//   - A confirm is sent when the message is durable in every queue it was routed to, after its return if it goes back.
//   - A delivery is leased until it is settled, or until its channel or connection ends, which gives it back.
//   - Nothing is delivered to a consumer after its cancel-ok.
//   - What a peer sends is bounded before it is kept: see Limits. An output that a peer does not read stops deliveries first, and
//     then its own requests.
//
// docs/amqp.md says what is served, and how a message is a record.
package amqp
