package journal

import (
	"math/rand/v2"
	"testing"
)

func TestCombinedChecksumIsThatOfAllBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 300_000)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for _, n := range []int{0, 1, 2, 7, 8, 255, 256, 4096, 16<<10 - 1, 16 << 10, 65_537, len(b)} {
		for _, cut := range []int{0, 1, n / 3, n} {
			cut = min(cut, n)
			got := combineCRC(checksum(b[:cut]), checksum(b[cut:n]), n-cut)
			if want := checksum(b[:n]); got != want {
				t.Fatalf("%d bytes cut at %d: %08x, want %08x", n, cut, got, want)
			}
		}
	}
}

// What the caller has summed is taken from it only where that pays, and then a
// payload that changed since is noticed by its readers.
func TestEntryChecksum(t *testing.T) {
	for _, n := range []int{100, combineBytesMin - 1, combineBytesMin, 1 << 20} {
		b := make([]byte, n+21)
		for i := range b {
			b[i] = byte(i * 7)
		}
		e := &Entry{Payload: b, Summed: n, SummedCRC: checksum(b[21:])}
		if got, want := e.payloadCRC(), checksum(b); got != want {
			t.Fatalf("%d bytes: %08x, want %08x", n, got, want)
		}
		b[len(b)-1] ^= 1
		if n >= combineBytesMin && e.payloadCRC() == checksum(b) {
			t.Fatalf("%d bytes: a change after summing goes unnoticed", n)
		}
	}
}

func BenchmarkCombineCRC(b *testing.B) {
	for b.Loop() {
		combineCRC(0x1234567, 0x7654321, 1_000_003)
	}
}
