// Package peer starts, watches and stops the brokers that are compared: Naru
// and Apache Kafka, each as one process on loopback with a data directory of
// its own that is empty at the start of every run.
//
// A Spec says how one side is prepared and started; a Process is one that
// runs. Only processes that this program started are ever signalled, by their
// process id.
package peer
