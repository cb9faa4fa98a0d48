// Package objectstore is an object store as the journal sees it: objects that
// are written once, read in ranges, listed and deleted, and never changed.
//
//   - S3 is the real one: any server that speaks Amazon S3 and keeps its promise
//     about conditional writes. Probe finds out.
//   - Fake is in memory. It does what a test's gate says with each call: at once,
//     later, never, twice, or done and not told.
//
// # What is assumed of the store
//
// Everything above this package relies on these promises and on no others.
//
//  1. A Put that returned nil is durable, whole, and seen by every Get after it.
//  2. Of several Puts of one name exactly one succeeds, whoever makes them. The
//     others get ErrExists (or an error that tells nothing).
//  3. An object is there whole or not at all.
//  4. An error of Put other than ErrExists tells nothing: the object may be there,
//     may not be there, or may come later, when the caller has long given up. For
//     that reason names are unique to each attempt to store something else, and
//     a name whose fate is unknown is never used for other bytes.
//  5. ErrExists may speak of the caller's own earlier attempt, also of one that a
//     proxy repeated. Who has to know reads the object.
//
// List may lag behind Put and Delete: nothing may be decided by what a listing
// does not show. Delete of an object that is being read may fail that read.
//
// # Keys
//
// Keys are paths of small letters, digits and "-_.=" (CheckKey). No key may be
// another one with "/" and more behind it: servers that keep objects as files
// cannot have both.
//
// # Locks and goroutines
//
// Probe starts a few goroutines and waits for them; otherwise only net/http has its
// own. Fake has one mutex, which is not held while a gate runs.
package objectstore
