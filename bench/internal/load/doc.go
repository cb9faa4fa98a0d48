// Package load is the client side of the comparison: one and the same franz-go
// client drives every broker, with the same settings.
//
// Every scenario counts what was acknowledged and what was consumed, with an
// order-independent checksum over keys and values, and requires that each
// partition's offsets arrive without gap or repeat. A broker that loses,
// repeats or damages a record cannot show a figure at all.
//
// Times are taken on the monotonic clock of this one process, so a latency
// never compares two clocks.
package load
