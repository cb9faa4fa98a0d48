// Package runner does the work of triggers: it runs a program, or posts to a URL.
//
// One call of Run is one try. It ends with ctx: a program's process group gets
// SIGTERM and a little later SIGKILL, a request is given up. Run starts no goroutine
// that outlives it, and keeps nothing: what is tried again, and when, is decided in
// package trigger.
package runner
