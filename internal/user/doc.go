// Package user is who may do what: names, password hashes, tags, and permissions by
// namespace. It is pure: salts are arguments, and nothing is stored here.
//
// A User never changes; a change makes another. Check says whether it can be stored.
// Rights is what one user may do in one namespace, with its patterns compiled.
//
// A permission is a regular expression (RE2) that is looked for anywhere in the name of
// a queue or an exchange; the empty one matches the empty name alone:
//
//	configure   to make or delete it, or to change what it is
//	write       to publish or to bind to it
//	read        to consume, purge, or bind from it
//
// # Invariants
//
//   - No password and no pattern costs without bound: see limits.go.
//   - Hashes are compared in constant time.
package user
