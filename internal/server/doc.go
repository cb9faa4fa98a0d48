// Package server is the process around a broker: its configuration, listeners,
// metrics, health and shutdown.
//
// # Order of things
//
// Start goes bottom up: data directory and its lock, recovery, listeners, and
// only then does Start return, so that a port that accepts is a broker that
// answers. Shutdown goes top down: /readyz says no, listeners close, requests
// in flight get their answers, the journal syncs and seals, and the lock goes
// last. Shutdown is bounded by Config.ShutdownTimeout; what has been
// acknowledged is durable already and does not depend on it.
//
// # Invariants
//
//   - A setting has one name: --cache-bytes, NARU_CACHE_BYTES and cache-bytes
//     in the file are the same row of Settings. Flags win over the
//     environment, the environment over the file, the file over the default.
//   - An address that is not loopback is never a default.
//   - Metrics have bounded cardinality: per-topic and per-group series stop at
//     a limit and what is beyond it is counted, not listed.
//
// # Goroutines and locks
//
// Each HTTP server has its own goroutine; the Kafka front has its own.
// Server.Close may be called from any goroutine and more than once.
package server
