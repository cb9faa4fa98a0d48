// Package api is Naru's own API: one set of functions, defined in api/naru/v1, that
// answers gRPC, gRPC-Web, Connect, plain JSON over REST paths, Server-Sent Events
// and WebSocket.
//
// The handlers of a service are methods of Server, in a file for each subject; they
// know nothing of how they were called. Around them:
//
//   - guard.go: who may call;
//   - rest.go: from a REST path to a handler and back, by the google.api.http options
//     of the definition, so that a path exists once;
//   - errors.go: the one place where an error of the core becomes one of gRPC, and a
//     status of HTTP;
//   - records.go: how a record is written in the API.
//
// # Who may call it
//
// There is no authentication yet, so unless Config.Remote says otherwise it answers
// only those on the same machine: the peer's address is loopback, no proxy has passed
// the request on, the host is named by an address or as localhost (a web page cannot
// make a browser send that from a name of its own). A browser's request has to come
// from the same origin in any case.
//
// # Limits
//
// A request has at most requestBytesMax, and bodyTimeout to come. Of requests that are
// larger than smallBytesMax, largeRequestsMax are in memory at once. Streams and long
// polls hold no body. When the server stops, clients that do not read have stopTimeout.
package api
