package record

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// These tests hold this package against another implementation of the format.

func otherCompressor(t testing.TB, c Codec) kgo.Compressor {
	t.Helper()
	codec := map[Codec]kgo.CompressionCodec{None: kgo.NoCompression(), Gzip: kgo.GzipCompression(),
		Snappy: kgo.SnappyCompression(), LZ4: kgo.Lz4Compression(), Zstd: kgo.ZstdCompression()}[c]
	comp, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	return comp
}

// otherEncode builds a batch with kmsg and kgo's compressors alone.
func otherEncode(t testing.TB, c Codec, records []Record) []byte {
	t.Helper()
	var body []byte
	batch := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(c),
		LastOffsetDelta: int32(len(records) - 1), NumRecords: int32(len(records)),
		FirstTimestamp: records[0].Timestamp, MaxTimestamp: records[0].Timestamp,
		ProducerID: 77, ProducerEpoch: 3, FirstSequence: 12}
	for i, r := range records {
		rec := kmsg.Record{TimestampDelta64: r.Timestamp - batch.FirstTimestamp, OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // a length of 0 takes one byte
		body = rec.AppendTo(body)
		batch.MaxTimestamp = max(batch.MaxTimestamp, r.Timestamp)
	}
	if c != None {
		var dst bytes.Buffer
		out, used := otherCompressor(t, c).Compress(&dst, body)
		if Codec(used) != c {
			t.Fatalf("compressed as %d, not %s", used, c)
		}
		body = bytes.Clone(out)
	}
	batch.Records = body
	b := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// otherDecode reads a batch with kmsg and kgo's decompressor alone.
func otherDecode(t testing.TB, b []byte) (kmsg.RecordBatch, []Record) {
	t.Helper()
	var batch kmsg.RecordBatch
	if err := batch.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	if sum := crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)); uint32(batch.CRC) != sum {
		t.Fatalf("checksum %08x, computed %08x", uint32(batch.CRC), sum)
	}
	body, err := kgo.DefaultDecompressor().Decompress(batch.Records, kgo.CompressionCodecType(batch.Attributes&7))
	if err != nil {
		t.Fatal(err)
	}
	var out []Record
	for range batch.NumRecords {
		length, n := binary.Varint(body)
		var rec kmsg.Record
		if err := rec.ReadFrom(body[:n+int(length)]); err != nil {
			t.Fatal(err)
		}
		body = body[n+int(length):]
		r := Record{Offset: Offset(batch.FirstOffset) + Offset(rec.OffsetDelta),
			Timestamp: batch.FirstTimestamp + rec.TimestampDelta64, Key: rec.Key, Value: rec.Value}
		for _, h := range rec.Headers {
			r.Headers = append(r.Headers, HeaderField{h.Key, h.Value})
		}
		out = append(out, r)
	}
	if len(body) != 0 {
		t.Fatalf("%d bytes are left", len(body))
	}
	return batch, out
}

func TestOthersBatchesAreAccepted(t *testing.T) {
	for _, c := range allCodecs {
		t.Run(c.String(), func(t *testing.T) {
			b := otherEncode(t, c, sample())
			h, err := Check(b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if h.Codec() != c || h.ProducerID != 77 || h.ProducerEpoch != 3 || h.BaseSequence != 12 ||
				h.Count != 6 || h.BaseTimestamp != 1_700_000_000_000 || h.MaxTimestamp != 1_700_000_000_009 {
				t.Fatalf("%+v", h)
			}
			SetBaseOffset(b, 1000)
			got, err := readAll(b, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			mustEqual(t, got, sample(), 1000)
		})
	}
}

func TestOurBatchesAreUnderstood(t *testing.T) {
	for _, c := range allCodecs {
		t.Run(c.String(), func(t *testing.T) {
			b := build(t, c, sample())
			SetBaseOffset(b, 1000)
			batch, got := otherDecode(t, b)
			if batch.Length != int32(len(b)-12) || batch.ProducerID != -1 || batch.ProducerEpoch != -1 ||
				batch.FirstSequence != -1 || batch.PartitionLeaderEpoch != -1 || batch.LastOffsetDelta != 5 {
				t.Fatalf("%+v", batch)
			}
			mustEqual(t, got, sample(), 1000)

			StampLogAppendTime(b, 5)
			batch, _ = otherDecode(t, b)
			if batch.Attributes != int16(c)|8 || batch.MaxTimestamp != 5 {
				t.Fatalf("attributes %#x, max timestamp %d", batch.Attributes, batch.MaxTimestamp)
			}
		})
	}
}

// Uncompressed, both implementations write the same bytes.
func TestSameBytes(t *testing.T) {
	theirs := otherEncode(t, None, sample())
	ours := build(t, None, sample())
	if !bytes.Equal(theirs[HeaderBytes:], ours[HeaderBytes:]) {
		t.Fatal("records differ")
	}
	recompressed, err := Recompress(otherEncode(t, LZ4, sample()), None, Limits{})
	if err != nil || !bytes.Equal(recompressed, theirs) {
		t.Fatalf("recompressed, the batch differs: %v", err)
	}
}
