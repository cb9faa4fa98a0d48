package journal

import (
	"context"
	"time"
)

// A block of a preallocated file that was never written costs the file system
// a change of its metadata with the first sync, which doubles the time of a
// small commit. So a standby is filled with zeros while it waits; not when
// segments fill so fast that the bandwidth is worth more than the latency.
const (
	zeroBytes         = 1 << 20
	zeroSyncBytes     = 8 << 20
	zeroRollEveryMin  = 2 * time.Second
	standbyShareStart = 2 // ask for a standby when 1/2 of the active one is left
)

var zeros [zeroBytes]byte

// prepareLoop is the preparer: it makes a standby when one is wanted.
func (j *Journal) prepareLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			j.space.prepared(j.space.takeStandby(), ErrClosed) // Close removes it
			return
		case <-j.space.wanted:
		}
		s, err := j.prepareStandby()
		j.space.prepared(s, err)
		if err != nil {
			continue
		}
		if time.Since(time.Unix(0, j.rolled.Load())) >= zeroRollEveryMin {
			if err := s.fillZeros(ctx); err != nil {
				j.fail(err)
			}
		}
		s.release()
	}
}

func (j *Journal) prepareStandby() (*segment, error) {
	s, err := j.newSegment("", 0, j.opt.SegmentBytes)
	if err != nil {
		return nil, noSpace(err)
	}
	if err := j.fs.SyncDir(j.dir); err != nil {
		s.file.Close()
		return nil, err
	}
	s.acquire() // the preparer's, while it fills zeros
	return s, nil
}

// fillZeros writes the whole segment, until commits go to it.
func (s *segment) fillZeros(ctx context.Context) error {
	for pos := int64(segmentHeaderBytes); pos < s.capacity && ctx.Err() == nil; {
		n, err := s.zero(pos)
		if err != nil || n == 0 {
			return err
		}
		pos += n
		if pos/zeroSyncBytes != (pos-n)/zeroSyncBytes {
			if err := s.disk.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// zero writes one piece; none once the segment is taken.
func (s *segment) zero(pos int64) (int64, error) {
	s.zeroing.Lock()
	defer s.zeroing.Unlock()
	if s.taken {
		return 0, nil
	}
	n := min(zeroBytes, s.capacity-pos)
	_, err := s.disk.WriteAt(zeros[:n], pos)
	return n, err
}

// awaitStandby waits for the preparer. Admission has seen to it that there is
// a standby or will be one.
func (m *spaceman) awaitStandby(failed func() error) (*segment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.standby == nil {
		m.requestLocked()
		m.change.Wait()
		if err := failed(); err != nil {
			return nil, err
		}
		if m.standby == nil && !m.preparing && m.err != nil {
			return nil, m.err
		}
	}
	s := m.standby
	m.standby = nil
	return s, nil
}
