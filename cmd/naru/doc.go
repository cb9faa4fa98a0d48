// Command naru is the broker and the tool to work with it. See README.md.
//
// Every command is one file, built by a function that takes the app: what the
// process has of the outside world, so that tests run commands in process.
// Commands other than serve and check speak the Kafka protocol to --server
// and work with any broker that does.
//
// Standard output carries what was asked for and nothing else; progress,
// summaries and errors go to standard error. With --json, standard output is
// JSON: one document, or one per line where records stream.
package main
