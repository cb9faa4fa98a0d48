package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// Slice is a piece of a stream: whole payloads in offset order. Its bytes are
// valid until Release.
type Slice struct {
	Payloads [][]byte
	Bytes    int           // of all payloads
	Next     record.Offset // one past the last payload

	chunks []*chunk
	cache  *cache
	cold   bool // some of it was not in the cache
}

// Release gives the bytes back. It may be called more than once.
func (s *Slice) Release() {
	for _, k := range s.chunks {
		s.cache.release(k)
	}
	s.chunks = nil
	s.Payloads = nil
}

func isMissing(err error) bool { return errors.Is(err, objectstore.ErrNotFound) }

// goneMax is how often a read looks again for an object that is not there any more.
const goneMax = 3

// readBytesMax bounds one read from disk.
const readBytesMax = 1 << 20

// Read returns the payloads from offset `from` on, up to maxBytes; with
// atLeastOne the first comes even if it is longer. The first payload may begin
// below `from`. At the end of the stream the slice is empty. ErrDamaged means
// that the very first payload cannot be had.
func (v *view) Read(id StreamID, from record.Offset, maxBytes int, atLeastOne bool) (Slice, error) {
	r := reader{
		v: v, max: maxBytes, atLeastOne: atLeastOne,
		out: Slice{Next: from, cache: v.cache},
	}
	for gone := 0; !r.full; {
		at := r.out.Next
		piece, ok, err := v.locate(id, at)
		if err == nil && ok {
			err = r.readPiece(piece)
			if err == nil && !r.full && r.out.Next == at {
				err = fmt.Errorf("%w: %s lists extents for stream %d offset %d that do not hold it", ErrDamaged, piece.run.seg.path, id, at)
			}
			piece.run.seg.release()
		}
		if isMissing(err) {
			if gone++; gone < goneMax {
				continue // merged with others meanwhile: the index tells where it is now
			}
			err = fmt.Errorf("%w: %w", ErrGone, err)
		}
		if err != nil {
			if len(r.out.Payloads) > 0 {
				break // served up to the damage; the next read reports it
			}
			r.out.Release()
			return Slice{}, err
		}
		if !ok {
			break
		}
	}
	return r.out, nil
}

// piece is where reading goes on: a run, and its extents from the one that
// holds the wanted offset.
type piece struct {
	run        *run
	base, last record.Offset // of the run, when the index was asked
	extents    []extent
}

// locate finds the piece that holds offset o and takes a reference to its
// segment. ok is false at the end of the stream.
func (v *view) locate(id StreamID, o record.Offset) (p piece, ok bool, err error) {
	x := v.index
	x.mu.RLock()
	s := x.streams[id]
	if s == nil || o >= s.next {
		x.mu.RUnlock()
		return p, false, nil
	}
	i := s.find(o)
	if i == len(s.runs) || s.runs[i].base > o {
		next := s.next
		if i < len(s.runs) {
			next = s.runs[i].base
		}
		x.mu.RUnlock()
		return p, false, fmt.Errorf("%w: stream %d offsets %d to %d are missing", ErrDamaged, id, o, next-1)
	}
	p.run = s.runs[i]
	p.base, p.last = p.run.base, p.run.last
	p.run.seg.acquire()
	if p.run.extents != nil {
		p.extents = extentsFrom(p.run.extents, o, true)
		x.mu.RUnlock()
		return p, true, nil
	}
	foot := p.run.footer
	x.mu.RUnlock()

	all, err := v.footerExtents(p.run.seg, id, p.base, p.last, foot)
	if err != nil {
		p.run.seg.release()
		return p, false, err
	}
	p.extents = extentsFrom(all, o, false)
	if len(p.extents) == 0 {
		p.run.seg.release()
		return p, false, fmt.Errorf("%w: %s lists no extent for stream %d offset %d", ErrDamaged, p.run.seg.path, id, o)
	}
	return p, true, nil
}

// locateExtentsMax bounds the extents copied for one step of a read.
const locateExtentsMax = 256

// extentsFrom returns the extents from the one that holds o; a copy when the
// last of them may still grow.
func extentsFrom(all []extent, o record.Offset, growing bool) []extent {
	i := sort.Search(len(all), func(i int) bool { return all[i].last() >= o })
	part := all[i:min(len(all), i+locateExtentsMax)]
	if growing {
		return slices.Clone(part)
	}
	return part
}

// reader gathers payloads.
type reader struct {
	v          *view
	max        int
	atLeastOne bool
	full       bool
	out        Slice
}

// readPiece reads along the extents of one run.
func (r *reader) readPiece(p piece) error {
	for i := 0; i < len(p.extents) && !r.full; {
		e := p.extents[i]
		pos, end := int64(e.pos), e.end()
		n := 1
		for i+n < len(p.extents) && int64(p.extents[i+n].pos) == end && end-pos < readBytesMax {
			end = p.extents[i+n].end()
			n++
		}
		if err := r.readRange(p, pos, end); err != nil {
			return err
		}
		i += n
	}
	return nil
}

// readRange reads the frames of [pos, end), from memory where it can.
func (r *reader) readRange(p piece, pos, end int64) error {
	run := p.run
	for pos < end && !r.full {
		k := r.v.cache.get(run.seg.id, pos)
		fresh := k == nil
		if fresh {
			var err error
			if k, err = r.v.readChunk(run.seg, pos, r.want(end-pos)); err != nil {
				return err
			}
		}
		next, err := r.takeFrames(p, k, pos, end, fresh)
		if err != nil {
			return err
		}
		if next == pos && !r.full {
			return fmt.Errorf("%w: %s at byte %d: frame cut short", ErrDamaged, run.seg.path, pos)
		}
		pos = next
	}
	return nil
}

// want is how much to read from disk: what the caller can still take and the
// headers between, at least one small read.
func (r *reader) want(left int64) int {
	return int(min(left, max(int64(r.max-r.out.Bytes)+extentBytesMax, extentBytesMax), readBytesMax))
}

// readChunk reads up to n bytes at pos; more if the first frame is longer.
func (v *view) readChunk(seg *segment, pos int64, n int) (*chunk, error) {
	k := v.cache.buffer(n, false)
	k.seg, k.start = seg.id, pos
	if err := k.fill(seg, n); err != nil {
		v.cache.release(k)
		return nil, err
	}
	if n < frameHeaderBytes {
		v.cache.release(k)
		return nil, fmt.Errorf("%w: %s at byte %d: %d bytes are no frame", ErrDamaged, seg.path, pos, n)
	}
	f, ok := decodeFrame(k.mem)
	if !ok || f.size() <= int64(n) {
		return k, nil
	}
	v.cache.release(k)
	if pos+f.size() > seg.capacity {
		return nil, fmt.Errorf("%w: %s at byte %d: frame reaches past the segment", ErrDamaged, seg.path, pos)
	}
	k = v.cache.buffer(int(f.size()), false)
	k.seg, k.start = seg.id, pos
	if err := k.fill(seg, int(f.size())); err != nil {
		v.cache.release(k)
		return nil, err
	}
	return k, nil
}

func (k *chunk) fill(seg *segment, n int) error {
	m, err := seg.file.ReadAt(k.mem[:n], k.start)
	k.n = m
	k.close()
	switch {
	case err == nil || err == io.EOF && m >= frameHeaderBytes:
		return nil
	case seg.disk == nil:
		return fmt.Errorf("%s at byte %d: %w", seg.path, k.start, err) // a request failed, which proves nothing
	default:
		return fmt.Errorf("%w: %s at byte %d: %w", ErrDamaged, seg.path, k.start, err)
	}
}

// takeFrames adds the frames of k from pos on to the output and returns where
// it stopped. It keeps k's reference if it used any byte of it. Bytes from
// disk are checked; bytes from memory were checked when they were written.
func (r *reader) takeFrames(p piece, k *chunk, pos, end int64, fresh bool) (int64, error) {
	limit := min(end, k.end())
	used, bytes, err := 0, r.out.Bytes, error(nil)
	for pos+frameHeaderBytes <= limit {
		b := k.mem[pos-k.start:]
		if fresh {
			problem := p.verify(b[:limit-pos], r.out.Next)
			if problem == errBadHeader && pos > k.start {
				break // read on from here, so that all of the extent comes
			}
			if problem == errBadHeader {
				if next, ok := p.resync(b[:limit-pos], r.out.Next); ok {
					r.v.reportDamage(p, pos, b[:next], problem)
					pos += next
					continue
				}
			}
			if problem == errShort {
				break
			}
			if problem != nil {
				err = r.v.reportDamage(p, pos, b[:limit-pos], problem)
				break
			}
		}
		f := readFrame(b)
		if pos+f.size() > limit {
			break // the frame goes on in the next chunk read
		}
		if f.last() >= r.out.Next {
			if r.out.Bytes+int(f.length) > r.max && (len(r.out.Payloads) > 0 || !r.atLeastOne) {
				r.full = true
				break
			}
			payload := b[frameHeaderBytes : frameHeaderBytes+int(f.length)]
			r.out.Payloads = append(r.out.Payloads, payload[:len(payload):len(payload)])
			r.out.Bytes += int(f.length)
			r.out.Next = f.last() + 1
			used++
		}
		pos += f.size()
	}
	if used > 0 {
		r.out.chunks = append(r.out.chunks, k)
		r.count(fresh, int64(r.out.Bytes-bytes))
	} else {
		r.v.cache.release(k)
	}
	return pos, err
}

// count adds a piece with so many bytes of payloads.
func (r *reader) count(fresh bool, bytes int64) {
	if fresh {
		r.out.cold = true
		r.v.stats.readsMissed.Add(1)
		r.v.stats.bytesMissed.Add(bytes)
	} else {
		r.v.stats.readsHit.Add(1)
		r.v.stats.bytesHit.Add(bytes)
	}
}
