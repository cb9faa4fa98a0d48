// Package journal is the one shared, append-only storage under all partitions
// of a broker. Appends that arrive while a commit runs are committed together
// by the next one: one write, one fdatasync, then every waiter gets the same
// result.
//
// To the journal a partition is a stream: a number, a dense sequence of
// offsets, and frames that each carry some of them. What a frame's payload
// means is not the journal's business.
//
// # Files
//
// A directory holds segments, named by their number in hexadecimal. A segment
// is preallocated, so that a commit can neither meet a full disk nor wait for
// the file system to grow a file.
//
//	segment:  header(64) frame frame … frame [ footer ]
//
//	frame:    0   4  CRC32C of bytes 4..55
//	          4   4  CRC32C of the payload
//	          8   4  payload length in bytes
//	         12   4  position at which this frame's commit began
//	         16   8  stream
//	         24   8  base offset
//	         32   4  count: offsets that the frame spans
//	         36   4  salt of the segment
//	         40   8  greatest timestamp in the payload, milliseconds
//	         48   1  frame version (1)
//	         49   7  zero
//	         56   n  payload, then zeros up to a multiple of 8
//
// All integers are little endian. See docs/format.md for headers and footers.
//
// # Invariants
//
//   - A frame is visible to readers only after its commit: written, and synced
//     as the sync policy says.
//   - A commit begins only after the one before it was durable (with
//     SyncAlways). So a frame whose commit began after position P proves that
//     everything before P was once durable: a bad frame at P is then damage and
//     is reported; without such a proof it is the torn tail of a commit that
//     nobody was told of, and is cut.
//   - The first error of a write or a sync is final: the journal refuses
//     appends until it is opened again. Reads go on.
//   - Space is found before an append is accepted, so a full disk refuses new
//     appends without harm to those accepted.
//
// # Goroutines and locks
//
//   - The committer owns the active segment's tail and the queue's head.
//   - The preparer makes the standby segment; the sealer writes footers; the
//     relocator reclaims space. Each is one goroutine.
//   - index.mu guards streams, runs and extents; queue.mu guards the queue and
//     the space accounting; cache.mu the chunks. None is held during I/O, and
//     no two are held at once but queue.mu inside nothing.
package journal
