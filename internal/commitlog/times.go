package commitlog

import (
	"github.com/narumq/naru/internal/record"
)

// timeReadBytes is how much is read at once while looking for a timestamp.
const timeReadBytes = 256 << 10

// OffsetForTime returns the first record whose timestamp is at least ms, and
// that timestamp; (-1, -1) if there is none.
func (p *Partition) OffsetForTime(ms int64) (record.Offset, int64, error) {
	from := p.LogStart()
	for {
		base, ok, err := p.journal.SeekTime(p.id, from, ms)
		if err != nil || !ok {
			return -1, -1, err
		}
		from = max(from, base)
		off, stamp, next, err := p.scanTime(from, ms)
		if err != nil || off >= 0 {
			return off, stamp, err
		}
		if next <= from {
			return -1, -1, nil
		}
		from = next
	}
}

// scanTime looks for ms in one read from `from` on.
func (p *Partition) scanTime(from record.Offset, ms int64) (off record.Offset, stamp int64, next record.Offset, err error) {
	s, err := p.Read(from, timeReadBytes, true)
	if err != nil {
		return -1, -1, from, err
	}
	defer s.Release()
	for _, batch := range s.Payloads {
		h, err := record.ParseHeader(batch)
		if err != nil {
			return -1, -1, from, err
		}
		if h.MaxTimestamp < ms {
			continue
		}
		r, err := record.NewReader(batch, record.Limits{})
		if err != nil {
			return -1, -1, from, err
		}
		for rec, ok := r.Next(); ok; rec, ok = r.Next() {
			if rec.Timestamp >= ms && rec.Offset >= from {
				return rec.Offset, rec.Timestamp, s.Next, nil
			}
		}
		if err := r.Err(); err != nil {
			return -1, -1, from, err
		}
	}
	return -1, -1, s.Next, nil
}

// OffsetOfMaxTime returns the first record that has the greatest timestamp of
// the log (KIP-734); (-1, -1) if it is empty.
func (p *Partition) OffsetOfMaxTime() (record.Offset, int64, error) {
	ms, ok := p.journal.MaxTimestamp(p.id)
	if !ok {
		return -1, -1, nil
	}
	off, stamp, err := p.OffsetForTime(ms)
	if off >= 0 || err != nil {
		return off, stamp, err
	}
	// The log start has moved past the record with that timestamp, inside a
	// piece that still counts it: look for the greatest one that is left.
	return p.scanMaxTime()
}

// scanMaxTime reads the whole log for its greatest timestamp.
func (p *Partition) scanMaxTime() (best record.Offset, stamp int64, err error) {
	best, stamp = -1, -1
	for from := p.LogStart(); from < p.HighWatermark(); {
		s, err := p.Read(from, timeReadBytes, true)
		if err != nil {
			return -1, -1, err
		}
		for _, batch := range s.Payloads {
			r, err := record.NewReader(batch, record.Limits{})
			if err != nil {
				s.Release()
				return -1, -1, err
			}
			for rec, ok := r.Next(); ok; rec, ok = r.Next() {
				if rec.Offset >= from && rec.Timestamp > stamp {
					best, stamp = rec.Offset, rec.Timestamp
				}
			}
		}
		if s.Next <= from {
			s.Release()
			break
		}
		from = s.Next
		s.Release()
	}
	return best, stamp, nil
}

// Available is how many bytes can be read from offset `from` on, counted up to
// about max.
func (p *Partition) Available(from record.Offset, max int) int {
	return p.journal.Available(p.id, from, max)
}
