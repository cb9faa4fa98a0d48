package record

// Limits bound what one batch may cost. A zero field means its default.
type Limits struct {
	// BatchBytesMax is the largest batch, header included, as stored.
	BatchBytesMax int
	// DecompressedBytesMax is the most that a batch's records may fill once
	// decompressed.
	DecompressedBytesMax int
	// RecordsMax is the most records in a batch.
	RecordsMax int
	// HeadersMax is the most headers of one record.
	HeadersMax int
}

// Defaults of Limits. A batch has to fit in a journal segment; it may expand to
// a multiple of that when it is read.
const (
	DefaultBatchBytesMax        = 32 << 20
	DefaultDecompressedBytesMax = 128 << 20
	DefaultRecordsMax           = 4 << 20
	DefaultHeadersMax           = 64 << 10
)

// DefaultLimits returns the limits that a zero Limits stands for.
func DefaultLimits() Limits { return Limits{}.withDefaults() }

func (l Limits) withDefaults() Limits {
	if l.BatchBytesMax == 0 {
		l.BatchBytesMax = DefaultBatchBytesMax
	}
	if l.DecompressedBytesMax == 0 {
		l.DecompressedBytesMax = DefaultDecompressedBytesMax
	}
	if l.RecordsMax == 0 {
		l.RecordsMax = DefaultRecordsMax
	}
	if l.HeadersMax == 0 {
		l.HeadersMax = DefaultHeadersMax
	}
	return l
}
