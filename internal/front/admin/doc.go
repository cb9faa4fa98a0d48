// Package admin is Naru's own JSON over HTTP, as far as the command line needs
// it for queues: what no other protocol can say, such as lanes, views, filters
// and peeking. It is small on purpose, and no promise to anyone but the naru
// command of the same version.
//
//	GET    /v1/queues                        all queues
//	POST   /v1/queues                        create (CreateQueue)
//	GET    /v1/queues/NAME                   one queue
//	DELETE /v1/queues/NAME
//	POST   /v1/queues/NAME/purge
//	GET    /v1/queues/NAME/messages?max=N    peek, without a lease
//	POST   /v1/queues/NAME/messages          send (SendRequest)
//	POST   /v1/queues/NAME/receive           lease (ReceiveRequest)
//	POST   /v1/queues/NAME/ack               (AckRequest)
//	POST   /v1/queues/NAME/nack              (NackRequest)
//	GET    /v1/queues/NAME/redrives          the newest first
//	POST   /v1/queues/NAME/redrives          start (RedriveRequest)
//	DELETE /v1/redrives/ID                   cancel
//
// An error is {"error":{"code":"not_found","message":"…"}}, where the code is
// one of package fault.
//
// # Who may call it
//
// There is no authentication yet, so it answers only those on the same machine:
// the peer's address is loopback, no proxy has passed the request on, the host
// is named by an address or as localhost (a web page cannot make a browser send
// that from a name of its own), and a browser's request comes from no other
// origin.
//
// # Limits
//
// A request's body has at most requestBytesMax, and so many of them as
// requestsAtOnceMax are in memory at once. Requests that wait for messages hold
// no body.
package admin
