package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// decompress returns src decompressed into fresh memory. bytesMax bounds the
// result; what is allocated besides is the decoder's own fixed working set (at
// most 8 MiB, for lz4) and is pooled.
func decompress(c Codec, src []byte, bytesMax int) ([]byte, error) {
	var out []byte
	var err error
	switch c {
	case None:
		return src, nil
	case Gzip:
		out, err = gunzip(src, bytesMax)
	case Snappy:
		out, err = unsnappy(src, bytesMax)
	case LZ4:
		out, err = unlz4(src, bytesMax)
	case Zstd:
		out, err = unzstd(src, bytesMax)
	default:
		return nil, fmt.Errorf("%w: unknown compression codec %d", ErrInvalidRecord, int(c))
	}
	if err != nil {
		if errors.Is(err, ErrTooLarge) {
			return nil, fmt.Errorf("%w: %s expands to more than %d bytes", ErrTooLarge, c, bytesMax)
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalidRecord, c, err)
	}
	return out, nil
}

// startBytes is the first guess at the decompressed size of n bytes. A size
// that the data claims is no better: it may lie.
func startBytes(n, bytesMax int) int { return min(max(4*n, 4096), bytesMax) }

// readBounded reads r to its end, or fails with ErrTooLarge after bytesMax.
func readBounded(r io.Reader, start, bytesMax int) ([]byte, error) {
	buf := make([]byte, 0, start+1) // one more, to see the end without growing
	for idle := 0; idle < 100; {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), bytesMax+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > bytesMax:
			return nil, ErrTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		case n == 0:
			idle++
		default:
			idle = 0
		}
	}
	return nil, io.ErrNoProgress
}

type gzipDecoder struct {
	in  bytes.Reader
	dec gzip.Reader
}

var gzipDecoders = sync.Pool{New: func() any { return new(gzipDecoder) }}

func gunzip(src []byte, bytesMax int) ([]byte, error) {
	d := gzipDecoders.Get().(*gzipDecoder)
	defer gzipDecoders.Put(d)
	d.in.Reset(src)
	defer d.in.Reset(nil)
	if err := d.dec.Reset(&d.in); err != nil {
		return nil, err
	}
	return readBounded(&d.dec, startBytes(len(src), bytesMax), bytesMax)
}

type lz4Decoder struct {
	in  bytes.Reader
	dec *lz4.Reader
}

var lz4Decoders = sync.Pool{New: func() any { return &lz4Decoder{dec: lz4.NewReader(nil)} }}

func unlz4(src []byte, bytesMax int) ([]byte, error) {
	d := lz4Decoders.Get().(*lz4Decoder)
	defer lz4Decoders.Put(d)
	d.in.Reset(src)
	defer d.in.Reset(nil)
	d.dec.Reset(&d.in)
	return readBounded(d.dec, startBytes(len(src), bytesMax), bytesMax)
}

// zstdDecoder is shared: DecodeAll is safe for concurrent use, and decodes
// straight into its destination, whatever window a frame asks for.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true))
})

func unzstd(src []byte, bytesMax int) ([]byte, error) {
	dec, err := zstdDecoder()
	if err != nil {
		return nil, err
	}
	// The decoder never grows the destination, so the allocation follows what
	// was really decoded: by a factor of four, and the work with it.
	size := startBytes(len(src), bytesMax)
	for {
		out, err := dec.DecodeAll(src, make([]byte, 0, size))
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			// In the middle of a block, want of room looks like damage.
			bound := min(zstdBound(src), bytesMax)
			if size >= bound {
				return nil, err
			}
			size = bound
		case size >= bytesMax:
			return nil, ErrTooLarge
		default:
			size = min(4*size, bytesMax)
		}
	}
}

const zstdBlockBytesMax = 128 << 10 // Block_Maximum_Size, RFC 8878 section 3.1.1.2.4

// zstdBound is no less than what the frames of src decode to, as far as their block
// headers can be followed (RFC 8878 section 3.1.1).
func zstdBound(src []byte) (n int) {
	for {
		var h zstd.Header
		if h.Decode(src) != nil {
			return n
		}
		rest := src[min(h.HeaderSize, len(src)):]
		if h.Skippable {
			src = rest[min(int(h.SkippableSize), len(rest)):]
			continue
		}
		for last := false; !last; {
			if len(rest) < 3 {
				return n
			}
			b := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
			last = b&1 != 0
			kind, size := b>>1&3, b>>3
			switch kind {
			case 0: // raw
				n += size
			case 1: // one byte, repeated
				n, size = n+size, 1
			default:
				n += zstdBlockBytesMax
			}
			rest = rest[min(3+size, len(rest)):]
		}
		if h.HasCheckSum {
			rest = rest[min(4, len(rest)):]
		}
		src = rest
	}
}

// xerialMagic begins the framing of the Java snappy library, which Kafka's Java
// client writes. Other clients write one bare snappy block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// snappyRatioMax: a snappy copy takes 3 bytes for 64, so 22 bounds it.
const snappyRatioMax = 22

var errSnappyLength = errors.New("length does not fit")

// unsnappy reads both framings. The Java one is the magic, two version numbers
// (int32, ignored as Kafka's own reader ignores them), then blocks, each with
// its length before it (int32).
func unsnappy(src []byte, bytesMax int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return unsnappyBlock(nil, src, bytesMax)
	}
	if len(src) < 16 {
		return nil, errSnappyLength
	}
	var out []byte
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, errSnappyLength
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return nil, errSnappyLength
		}
		var err error
		if out, err = unsnappyBlock(out, src[:n], bytesMax); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return out, nil
}

// unsnappyBlock appends the decoded block to out.
func unsnappyBlock(out, block []byte, bytesMax int) ([]byte, error) {
	n, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > bytesMax-len(out) {
		return nil, ErrTooLarge
	}
	if n > snappyRatioMax*len(block) {
		return nil, errSnappyLength
	}
	if free := cap(out) - len(out); free < n {
		grown := make([]byte, len(out), min(max(2*cap(out), len(out)+n), bytesMax))
		copy(grown, out)
		out = grown
	}
	if _, err := snappy.Decode(out[len(out):len(out)+n], block); err != nil {
		return nil, err
	}
	return out[:len(out)+n], nil
}
