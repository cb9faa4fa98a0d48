package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/narumq/naru/internal/record"
)

var (
	// errShort says that a frame is sound as far as it was read.
	errShort      = errors.New("frame not read whole")
	errBadHeader  = errors.New("frame header does not match its checksum")
	errBadPayload = errors.New("payload does not match its checksum")
)

// verify checks the frame at the start of b, and that it is one of this piece's
// run. The payload counts only if it reaches offset want: what lies before the
// wanted record may be damaged.
func (p *piece) verify(b []byte, want record.Offset) error {
	f, ok := decodeFrame(b)
	switch {
	case !ok || f.salt != p.run.seg.salt:
		return errBadHeader
	case f.stream != p.run.stream || f.base < p.base || f.last() > p.last:
		return fmt.Errorf("frame of stream %d offsets %d to %d where stream %d was expected", f.stream, f.base, f.last(), p.run.stream)
	case f.size() > int64(len(b)):
		return errShort
	case f.last() >= want && checksum(b[frameHeaderBytes:frameHeaderBytes+int(f.length)]) != f.payloadCRC:
		return errBadPayload
	}
	return nil
}

// resync finds the first sound frame behind a bad header at the start of b. ok
// says that it begins at or below offset want, which is then not damaged.
func (p *piece) resync(b []byte, want record.Offset) (next int64, ok bool) {
	for at := frameAlign; at+frameHeaderBytes <= len(b); at += frameAlign {
		if err := p.verify(b[at:], 0); err == nil || err == errShort {
			f := readFrame(b[at:])
			return int64(at), f.base <= want
		}
	}
	return 0, false
}

// reportDamage tells of what verify found in b, which was read from pos.
func (v *view) reportDamage(p piece, pos int64, b []byte, problem error) error {
	finding := Finding{File: p.run.seg.path, Position: pos, Stream: p.run.stream, Base: p.base, Last: p.last, Problem: problem.Error()}
	if f, ok := decodeFrame(b); ok {
		finding.Bytes, finding.Base, finding.Last = f.size(), f.base, f.last()
	}
	v.damage.report(finding)
	if o, ok := p.run.seg.file.(*bucketObject); ok {
		o.blocks.forget(o)
	}
	return fmt.Errorf("%w: %s", ErrDamaged, finding)
}

// damageLog tells of each damaged place once.
type damageLog struct {
	mu   sync.Mutex
	seen map[damagedPlace]bool
	opt  Options
	log  *slog.Logger
}

type damagedPlace struct {
	file     string
	position int64
}

// damagedPlacesMax bounds what is remembered; past it, places are told again.
const damagedPlacesMax = 4096

func (d *damageLog) init(opt Options) {
	d.seen, d.opt, d.log = make(map[damagedPlace]bool), opt, opt.Logger
}

func (d *damageLog) report(f Finding) {
	place := damagedPlace{f.File, f.Position}
	d.mu.Lock()
	known := d.seen[place]
	if !known && len(d.seen) < damagedPlacesMax {
		d.seen[place] = true
	}
	d.mu.Unlock()
	if known {
		return
	}
	d.log.Error("damage on disk", "file", f.File, "position", f.Position, "bytes", f.Bytes,
		"stream", f.Stream, "base", f.Base, "last", f.Last, "problem", f.Problem)
	if d.opt.Observer.Damage != nil {
		d.opt.Observer.Damage(f)
	}
}

// count is the number of damaged places known.
func (d *damageLog) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}
