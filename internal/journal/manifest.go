package journal

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/record"
)

// A manifest lists all that a slot's log consists of, up to one of its sequences. What came after is found along the chain of
// objects. Integers are little endian, keys have two bytes of length in front.
//
//	0  8  "naru.man"       per object: key, 8 size, 8 end of frames, 4 salt, 8 newest sequence in it, 8 bytes of the slot at first
//	8  4  version          per stream: 8 stream, 8 next offset, 4 runs,
//	12 4  slot                         per run: 4 object, 56 as in a footer
//	16 8  sequence         end: 4 CRC-32C of all before
//	24 4  objects
//	28 4  streams
const (
	manifestMagic       = "naru.man"
	manifestVersion     = 2
	manifestHeaderBytes = 32
	manifestBytesMax    = 256 << 20
	manifestsBytesMax   = 32 << 20 // of an object with several
	objectKeyBytesMax   = 1 << 10
)

// manifest is a slot's log at one sequence.
type manifest struct {
	slot     SlotID
	sequence uint64
	objects  []manifestObject
	streams  []manifestStream
}

type manifestObject struct {
	key       string
	size, end int64
	salt      uint32
	newest    uint64
	held      int64 // bytes of the slot's frames when it was made
}

type manifestStream struct {
	stream StreamID
	next   record.Offset
	runs   []manifestRun
}

type manifestRun struct {
	object uint32
	runEntry
}

func (m *manifest) encode() []byte {
	b := append(make([]byte, 0, manifestHeaderBytes), manifestMagic...)
	b = le.AppendUint32(b, manifestVersion)
	b = le.AppendUint32(b, uint32(m.slot))
	b = le.AppendUint64(b, m.sequence)
	b = le.AppendUint32(b, uint32(len(m.objects)))
	b = le.AppendUint32(b, uint32(len(m.streams)))
	for _, o := range m.objects {
		b = le.AppendUint16(b, uint16(len(o.key)))
		b = append(b, o.key...)
		b = le.AppendUint64(b, uint64(o.size))
		b = le.AppendUint64(b, uint64(o.end))
		b = le.AppendUint32(b, o.salt)
		b = le.AppendUint64(b, o.newest)
		b = le.AppendUint64(b, uint64(o.held))
	}
	for _, s := range m.streams {
		b = le.AppendUint64(b, uint64(s.stream))
		b = le.AppendUint64(b, uint64(s.next))
		b = le.AppendUint32(b, uint32(len(s.runs)))
		for i := range s.runs {
			b = le.AppendUint32(b, s.runs[i].object)
			b = append(b, make([]byte, runBytes)...)
			s.runs[i].encode(b[len(b)-runBytes:])
		}
	}
	return le.AppendUint32(b, checksum(b))
}

var errManifest = fmt.Errorf("%w: manifest", ErrDamaged)

func decodeManifest(b []byte) (m manifest, err error) {
	if len(b) < manifestHeaderBytes+4 || string(b[:8]) != manifestMagic || checksum(b[:len(b)-4]) != le.Uint32(b[len(b)-4:]) {
		return m, fmt.Errorf("%w: not whole", errManifest)
	}
	if v := le.Uint32(b[8:]); v != manifestVersion {
		return m, fmt.Errorf("%w: manifest version %d, this program reads %d", ErrVersion, v, manifestVersion)
	}
	m.slot, m.sequence = SlotID(le.Uint32(b[12:])), le.Uint64(b[16:])
	objects, streams := le.Uint32(b[24:]), le.Uint32(b[28:])
	r := manifestReader{b: b[manifestHeaderBytes : len(b)-4]}
	for range objects {
		m.objects = append(m.objects, r.object())
		if r.short {
			return m, fmt.Errorf("%w: objects cut short", errManifest)
		}
	}
	for range streams {
		m.streams = append(m.streams, r.stream(objects))
		if r.short {
			return m, fmt.Errorf("%w: streams cut short", errManifest)
		}
	}
	if len(r.b) > 0 {
		return m, fmt.Errorf("%w: %d bytes too many", errManifest, len(r.b))
	}
	return m, nil
}

// manifestReader latches: once short, all that it returns is zero.
type manifestReader struct {
	b     []byte
	short bool
}

func (r *manifestReader) take(n int) []byte {
	if r.short || n > len(r.b) {
		r.short = true
		return make([]byte, min(n, objectKeyBytesMax))
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *manifestReader) object() (o manifestObject) {
	n := int(le.Uint16(r.take(2)))
	if n > objectKeyBytesMax {
		r.short = true
		return o
	}
	o.key = string(r.take(n))
	b := r.take(36)
	o.size, o.end = int64(le.Uint64(b)), int64(le.Uint64(b[8:]))
	o.salt, o.newest, o.held = le.Uint32(b[16:]), le.Uint64(b[20:]), int64(le.Uint64(b[28:]))
	if o.held < 0 || o.end < segmentHeaderBytes || o.size < o.end+trailerBytes {
		r.short = true
	}
	return o
}

func (r *manifestReader) stream(objects uint32) (s manifestStream) {
	b := r.take(20)
	s.stream, s.next = StreamID(le.Uint64(b)), record.Offset(le.Uint64(b[8:]))
	last := record.Offset(-1)
	for range le.Uint32(b[16:]) {
		b := r.take(4 + runBytes)
		if r.short {
			return s
		}
		run := manifestRun{object: le.Uint32(b), runEntry: decodeRun(b[4:])}
		if run.object >= objects || run.stream != s.stream || run.base <= last || run.last < run.base || run.last >= s.next || run.bytes <= 0 {
			r.short = true
			return s
		}
		last = run.last
		s.runs = append(s.runs, run)
	}
	return s
}

// loadManifest reads the manifest that a slot's head names.
func loadManifest(ctx context.Context, store objectstore.Store, slot SlotID, head Head) (m manifest, err error) {
	if head.ManifestAt < 0 || head.ManifestOf <= 0 || head.ManifestOf > manifestBytesMax {
		return m, fmt.Errorf("%w: of %d bytes at %d", errManifest, head.ManifestOf, head.ManifestAt)
	}
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	b, err := store.Get(ctx, head.Manifest, head.ManifestAt, head.ManifestOf)
	if err != nil {
		return m, err
	}
	if m, err = decodeManifest(b); err != nil {
		return m, fmt.Errorf("%s at byte %d: %w", head.Manifest, head.ManifestAt, err)
	}
	if m.slot != slot || m.sequence != head.Manifested {
		return m, fmt.Errorf("%w: %s is of slot %d sequence %d, slot %d wants %d", ErrDamaged, head.Manifest, m.slot, m.sequence, slot, head.Manifested)
	}
	return m, nil
}

// manifest describes what the index holds now. swap, if not nil, stands for runs that are to be replaced. Dead runs are left out,
// and so are objects that nothing refers to.
func (s *Slot) manifest(swap *replacement) manifest {
	x := s.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := manifest{slot: s.id, sequence: s.committed}
	numbers := make(map[*segment]uint32)
	number := func(seg *segment) uint32 {
		n, known := numbers[seg]
		if !known {
			n = uint32(len(m.objects))
			numbers[seg] = n
			m.objects = append(m.objects, manifestObject{
				key: seg.path, size: seg.capacity, end: seg.frames, salt: seg.salt, newest: uint64(seg.newest), held: seg.held,
			})
		}
		return n
	}
	for _, id := range slices.Sorted(maps.Keys(x.streams)) {
		st := x.streams[id]
		ms := manifestStream{stream: id, next: st.next}
		for _, r := range swap.of(id, st.runs) {
			if r.last >= st.start {
				ms.runs = append(ms.runs, manifestRun{number(r.seg), r.entry()})
			}
		}
		m.streams = append(m.streams, ms)
	}
	return m
}

// entry is the run as a footer lists it.
func (r *run) entry() runEntry {
	return runEntry{
		stream: r.stream, base: r.base, last: r.last, maxTimestamp: r.maxTimestamp, bytes: r.bytes,
		first: r.footer.first, n: r.footer.n, extentsCRC: r.footer.crc,
	}
}
