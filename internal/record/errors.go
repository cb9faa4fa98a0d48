package record

import "github.com/narumq/naru/internal/fault"

var (
	// ErrCorrupt: the bytes are not those that somebody wrote. A wrong
	// checksum, a truncated batch, a length that disagrees with the bytes.
	ErrCorrupt = fault.New(fault.DataLoss, "record batch is corrupt")
	// ErrTooLarge: a size or count exceeds its limit.
	ErrTooLarge = fault.New(fault.ResourceExhausted, "record batch is too large")
	// ErrUnsupportedMagic: a message format other than v2 (magic 2). Kafka
	// clients since 0.11 write v2; KIP-724 retired the older ones.
	ErrUnsupportedMagic = fault.New(fault.InvalidArgument, "message format is not supported")
	// ErrInvalidRecord: intact, but not well-formed.
	ErrInvalidRecord = fault.New(fault.InvalidArgument, "invalid record")
	// ErrInvalidTimestamp: a timestamp that cannot be, or that is refused.
	ErrInvalidTimestamp = fault.New(fault.InvalidArgument, "invalid timestamp")
)
