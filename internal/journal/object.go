package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// An object is laid out as a sealed segment. Its last frame is of the stream chainStream; see chain.go.
const (
	objectTailBytes = 64 << 10 // read at once: the chain and most footers
	objectBytesMax  = 1 << 30
)

// encode makes the flush's object. Frames of one stream lie together, so that they form one run. Afterwards the entries'
// payloads are not needed any more.
func (f *flush) encode(salt uint32, buffer func(bytes int64) []byte) {
	size := int64(segmentHeaderBytes)
	var links []link
	for _, p := range f.parts {
		slices.SortStableFunc(p.entries, func(a, b *Entry) int { return cmp.Compare(a.Stream, b.Stream) })
		for _, e := range p.entries {
			size += frameSize(len(e.Payload))
		}
		links = append(links, link{p.lane.slot, p.head.Sequence, p.prev})
	}
	w := newObjectWriter(salt, buffer(objectBytes(size)))
	for _, p := range f.parts {
		first := len(w.runs)
		for _, e := range p.entries {
			w.frame(frame{payloadCRC: e.payloadCRC(), stream: e.Stream, base: e.Base, count: e.Count, maxTimestamp: e.MaxTimestamp}, e.Payload)
		}
		p.runs = w.runs[first:len(w.runs):len(w.runs)]
	}
	w.chain(links)
	f.salt, f.end = salt, int64(len(w.body))
	f.body = w.finish()
}

// objectWriter lays out an object.
type objectWriter struct {
	salt uint32
	body []byte
	runs []*run // of streams, in order
}

// objectBytes is how long an object becomes, about, whose header and frames have so many bytes.
func objectBytes(size int64) int64 { return size + size/64 + 4096 }

func newObjectWriter(salt uint32, buffer []byte) *objectWriter {
	return &objectWriter{salt: salt, body: append(buffer[:0], segmentHeader{salt: salt}.encode()...)}
}

// frame adds a frame behind the last.
func (w *objectWriter) frame(fr frame, payload []byte) {
	pos := len(w.body)
	fr.length, fr.salt, fr.commitStart = uint32(len(payload)), w.salt, segmentHeaderBytes
	w.body = slices.Grow(w.body, int(fr.size()))[:pos+int(fr.size())]
	fr.encode(w.body[pos:])
	end := pos + frameHeaderBytes + copy(w.body[pos+frameHeaderBytes:], payload)
	clear(w.body[end:])
	r := (*run)(nil)
	if n := len(w.runs); n > 0 {
		r = w.runs[n-1]
	}
	if r == nil || r.stream != fr.stream || r.last+1 != fr.base {
		r = &run{stream: fr.stream, base: fr.base, maxTimestamp: fr.maxTimestamp}
		w.runs = append(w.runs, r)
	}
	r.grow(&fr, int64(pos))
}

func (w *objectWriter) chain(links []link) {
	payload := encodeChain(links)
	w.frame(frame{payloadCRC: checksum(payload), stream: chainStream, count: 1}, payload)
}

// finish adds the footer, and tells the runs their place in it.
func (w *objectWriter) finish() []byte {
	footer, ranges := buildFooter(w.salt, int64(len(w.body)), w.runs, nil)
	for i, r := range w.runs {
		r.footer = ranges[i]
	}
	return append(w.body, footer...)
}

// bucketObject is a segment's source in the bucket.
type bucketObject struct {
	blocks *blockCache
	key    string
	size   int64
}

func (o *bucketObject) ReadAt(b []byte, off int64) (int, error) { return o.blocks.readAt(o, b, off) }
func (o *bucketObject) Size() (int64, error)                    { return o.size, nil }
func (o *bucketObject) Close() error                            { return nil }

// readPast reads n bytes that are used once, and so are not to be kept.
func (o *bucketObject) readPast(ctx context.Context, off, n int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	b, err := o.blocks.store.Get(ctx, o.key, off, n)
	if err == nil && int64(len(b)) < n {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// loaded is what an object's footer and chain tell.
type loaded struct {
	objectRef
	salt  uint32
	end   int64
	runs  []runEntry
	links []link
}

// loadObject reads the end of an object.
func loadObject(blocks *blockCache, ref objectRef) (o *loaded, err error) {
	o = &loaded{objectRef: ref}
	if o.size < segmentHeaderBytes+trailerBytes || o.size > objectBytesMax {
		return o, fmt.Errorf("%w: object %s of %d bytes", ErrDamaged, o.key, o.size)
	}
	src := &bucketObject{blocks, o.key, o.size}
	defer func() {
		if errors.Is(err, ErrDamaged) {
			blocks.forget(src) // perhaps it only came so
		}
	}()
	blocks.want(src, max(0, o.size-objectTailBytes), o.size, false)
	t, runs, _, ok, err := readFooter(src, 0)
	if err != nil {
		return o, fmt.Errorf("object %s: %w", o.key, err)
	}
	if !ok {
		return o, fmt.Errorf("%w: object %s has no sound footer", ErrDamaged, o.key)
	}
	o.salt, o.end = t.salt, t.dataEnd
	for _, r := range runs {
		if r.stream != chainStream {
			o.runs = append(o.runs, r)
		} else if o.links, err = readChain(src, o, r); err != nil {
			return o, fmt.Errorf("object %s: %w", o.key, err)
		}
	}
	return o, nil
}

func readChain(src source, o *loaded, r runEntry) ([]link, error) {
	seg := &segment{file: src, path: o.key, salt: o.salt, frames: o.end}
	extents, err := seg.readExtents(footerRange{r.first, r.n, r.extentsCRC})
	if err != nil {
		return nil, err
	}
	b := make([]byte, extents[0].length)
	if _, err := src.ReadAt(b, int64(extents[0].pos)); err != nil {
		return nil, err
	}
	f, ok := decodeFrame(b)
	if !ok || f.stream != chainStream || f.size() > int64(len(b)) {
		return nil, fmt.Errorf("%w: the chain's frame", ErrDamaged)
	}
	payload := b[frameHeaderBytes : frameHeaderBytes+int(f.length)]
	if checksum(payload) != f.payloadCRC {
		return nil, fmt.Errorf("%w: the chain does not match its checksum", ErrDamaged)
	}
	return decodeChain(payload)
}

// linkOf returns a slot's entry.
func (o *loaded) linkOf(slot SlotID) (link, bool) {
	for _, l := range o.links {
		if l.slot == slot {
			return l, true
		}
	}
	return link{}, false
}
