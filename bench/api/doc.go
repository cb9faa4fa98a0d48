// Command api measures what Naru's own API costs beside servers that do nothing: one
// of net/http that reads a body and answers a fixed one, and one of grpc-go. See the
// README of bench.
package main
