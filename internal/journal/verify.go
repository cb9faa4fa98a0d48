package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// errShort says that a frame is sound as far as it was read.
var errShort = errors.New("frame not read whole")

// verify checks the frame at the start of b, which was read from pos of the
// run's segment, and that it is one of this run's.
func (j *Journal) verify(run *run, b []byte, pos int64) error {
	f, ok := decodeFrame(b)
	problem := ""
	switch {
	case !ok || f.salt != run.seg.salt:
		problem = "frame header does not match its checksum"
	case f.stream != run.stream || f.base < run.base || f.last() > run.last:
		problem = fmt.Sprintf("frame of stream %d offsets %d to %d where stream %d was expected", f.stream, f.base, f.last(), run.stream)
	case f.size() > int64(len(b)):
		return errShort
	case checksum(b[frameHeaderBytes:frameHeaderBytes+int(f.length)]) != f.payloadCRC:
		problem = "payload does not match its checksum"
	default:
		return nil
	}
	finding := Finding{File: run.seg.path, Position: pos, Stream: run.stream, Base: run.base, Last: run.last, Problem: problem}
	if ok {
		finding.Bytes, finding.Base, finding.Last = f.size(), f.base, f.last()
	}
	j.damage.report(finding)
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
