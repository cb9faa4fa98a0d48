// Package coord is the coordinator as a cluster sees it: a small key-value store
// that several machines agree on, with transactions, leases and watches. It is
// the little of etcd that Naru uses.
//
//   - Etcd is the real one.
//   - Fake is in memory. Its leases follow a test's clock, and with each call it
//     does what a test's gate says: at once, later, never, or done and not told.
//
// # What is assumed of the coordinator
//
// Everything above this package relies on these promises and on no others.
//
//  1. Get, Range and Txn are linearizable: each takes effect at one moment between
//     its call and its return, and all machines agree on the order.
//  2. Every change raises the revision of the whole store by one. A key remembers
//     the revisions at which it was created and last changed. Neither ever comes
//     again, also not after a key was deleted and created anew.
//  3. An error tells nothing about whether a change was made, or will be: a request
//     may arrive when its caller has long given up. Refused says which errors are
//     exceptions. What a transaction compares is the only protection.
//  4. A lease's keys stay at least as long as was promised from the moment at which
//     Grant or KeepAlive was called. They may stay much longer: a coordinator
//     that changed its leader begins all leases anew.
//  5. A watch shows every change from its first revision on, in order, a whole
//     transaction at a time, or ends with an error. It may be late by any time:
//     nothing may rely on it to learn in time that something was lost.
//
// # Locks and goroutines
//
// Fake has one mutex, which is not held while a gate runs, and starts no goroutine.
package coord
