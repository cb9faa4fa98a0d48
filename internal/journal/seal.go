package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/narumq/naru/internal/vfs"
)

// sealLoop is the sealer: it ends full segments with their footer.
func (j *Journal) sealLoop() {
	for s := range j.sealQ {
		if j.Err() != nil {
			continue // recovery will scan it
		}
		if err := j.seal(s); err != nil {
			j.fail(fmt.Errorf("seal %s: %w", s.path, err))
		}
	}
}

// seal writes the footer behind the last frame, cuts the file there and syncs
// it. A segment without frames is removed. Nobody appends to s any more.
func (j *Journal) seal(s *segment) error {
	if s.end == segmentHeaderBytes {
		return j.discard(s)
	}
	runs := s.runs
	footer, ranges := buildFooter(s.salt, s.end, runs, nil)
	if err := s.writeFooter(footer); err != nil {
		return err
	}
	j.index.mu.Lock()
	for i, r := range runs {
		r.footer, r.extents = ranges[i], nil
	}
	s.extents, s.dead = 0, nil
	s.frames = s.end
	s.sealedAt = time.Now()
	s.sealed.Store(true)
	j.index.mu.Unlock()
	if j.opt.Sealed != nil {
		j.opt.Sealed(s.id)
	}
	return nil
}

// writeFooter writes the trailer only when all that it vouches for is durable:
// a crash in between leaves a segment without a footer, not one with a bad one.
func (s *segment) writeFooter(footer []byte) error {
	body, trailer := footer[:len(footer)-trailerBytes], footer[len(footer)-trailerBytes:]
	if _, err := s.disk.WriteAt(body, s.end); err != nil {
		return err
	}
	if err := s.disk.Truncate(s.end + int64(len(footer))); err != nil {
		return err
	}
	if err := s.disk.Sync(); err != nil {
		return err
	}
	if _, err := s.disk.WriteAt(trailer, s.end+int64(len(body))); err != nil {
		return err
	}
	return s.disk.Sync()
}

// discard removes a segment that no stream needs.
func (j *Journal) discard(s *segment) error {
	j.segMu.Lock()
	delete(j.segments, s.id)
	j.segMu.Unlock()
	err := j.fs.Remove(s.path)
	s.release()
	return err
}

// noSpace gives a full disk its own error.
func noSpace(err error) error {
	if errors.Is(err, vfs.ErrNoSpace) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}
