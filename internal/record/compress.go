package record

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

var (
	gzipEncoders = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	// Independent blocks of 64 KiB are what Kafka's Java client writes and the
	// least that its reader has to allocate. The batch has its own checksum.
	lz4Encoders = sync.Pool{New: func() any {
		w := lz4.NewWriter(nil)
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)); err != nil {
			panic(err) // the options are constants
		}
		return w
	}}
	zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true),
			zstd.WithWindowSize(1<<20))
	})
)

// compress appends src, compressed, to dst.
func compress(c Codec, dst, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		w := gzipEncoders.Get().(*gzip.Writer)
		defer gzipEncoders.Put(w)
		return compressStream(dst, src, w)
	case Snappy:
		return append(dst, snappy.Encode(nil, src)...), nil
	case LZ4:
		w := lz4Encoders.Get().(*lz4.Writer)
		defer lz4Encoders.Put(w)
		return compressStream(dst, src, w)
	case Zstd:
		enc, err := zstdEncoder()
		if err != nil {
			return nil, err
		}
		return enc.EncodeAll(src, dst), nil
	}
	return nil, fmt.Errorf("%w: unknown compression codec %d", ErrInvalidRecord, int(c))
}

// streamEncoder is what gzip and lz4 have in common.
type streamEncoder interface {
	Write([]byte) (int, error)
	Close() error
}

func compressStream(dst, src []byte, w streamEncoder) ([]byte, error) {
	out := bytes.NewBuffer(dst)
	switch w := w.(type) {
	case *gzip.Writer:
		w.Reset(out)
	case *lz4.Writer:
		w.Reset(out)
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Recompress returns the batch b with its records compressed by c. It is b
// itself if that is so already; otherwise a new batch with the same header but
// for codec, length and checksum, whose records have been walked as Check does.
//
// Errors: those of NewReader and of Check.
func Recompress(b []byte, c Codec, lim Limits) ([]byte, error) {
	if !c.Known() {
		return nil, fmt.Errorf("%w: unknown compression codec %d", ErrInvalidRecord, int(c))
	}
	r, err := NewReader(b, lim)
	if err != nil {
		return nil, err
	}
	if r.h.Codec() == c {
		return b, nil
	}
	if _, err := walk(r.body, &r.h, r.lim.HeadersMax); err != nil {
		return nil, err
	}
	size := len(r.body)
	if c != None {
		size /= 2 // most that is worth compressing fits
	}
	out := append(make([]byte, 0, HeaderBytes+size), b[:HeaderBytes]...)
	out[posAttributes+1] = out[posAttributes+1]&^attrCodecMask | byte(c)
	if out, err = compress(c, out, r.body); err != nil {
		return nil, err
	}
	if len(out) > r.lim.BatchBytesMax {
		return nil, fmt.Errorf("%w: %d bytes as %s, at most %d are allowed",
			ErrTooLarge, len(out), c, r.lim.BatchBytesMax)
	}
	putLength(out)
	seal(out)
	return out, nil
}
