package peer

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of the CPU times in /proc/PID/stat: USER_HZ,
// which is 100 on every Linux architecture that Go supports.
const ticksPerSecond = 100

// Usage is what a process has used so far.
type Usage struct {
	CPU       time.Duration // user and system, all threads, since it started
	RSSBytes  int64         // resident now
	PeakBytes int64         // most resident since the start or ResetPeak
}

// Usage reads the broker's counters from /proc.
func (p *Process) Usage() (Usage, error) {
	var u Usage
	var err error
	if u.CPU, err = CPU(p.PID()); err != nil {
		return u, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return u, err
	}
	u.RSSBytes = statusBytes(status, "VmRSS:")
	u.PeakBytes = statusBytes(status, "VmHWM:")
	return u, nil
}

// CPU is the user and system time of all threads of a process since it started.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(stat)
}

// ResetPeak makes the peak of resident memory count from now on (writing 5 to
// clear_refs, see proc_pid_clear_refs(5)).
func (p *Process) ResetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0)
}

// parseStat adds utime and stime. The process name, in parentheses, may hold
// spaces, so fields are counted from the last parenthesis on.
func parseStat(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc stat line has %d fields after the name, want at least 13", len(fields))
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("utime: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("stime: %w", err)
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}

// statusBytes reads one "Name:  123 kB" line, 0 when there is none.
func statusBytes(status []byte, name string) int64 {
	for line := range strings.Lines(string(status)) {
		rest, found := strings.CutPrefix(line, name)
		if !found {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0
		}
		return kib << 10
	}
	return 0
}
