package peer

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "42 (a (odd) name) S 1 42 42 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 5 0 100 200 300"
	got, err := parseStat([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if want := 3250 * time.Millisecond; got != want {
		t.Errorf("CPU = %v, want %v", got, want)
	}
	if _, err := parseStat([]byte("42 (x) S 1 2")); err == nil {
		t.Error("a short line was accepted")
	}
}

func TestStatusBytes(t *testing.T) {
	status := []byte("Name:\tnaru\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n")
	if got := statusBytes(status, "VmRSS:"); got != 1<<20 {
		t.Errorf("VmRSS = %d, want %d", got, 1<<20)
	}
	if got := statusBytes(status, "VmSwap:"); got != 0 {
		t.Errorf("a missing line = %d, want 0", got)
	}
}
