package peer

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// MachineUse is a reading of how busy the machine is and how much of that is this
// program and the brokers that it has stopped.
type MachineUse struct {
	at   time.Time
	busy time.Duration // all cores: everything but idle and waiting for the disk
	ours time.Duration
}

// ReadMachine reads it now.
func ReadMachine() (MachineUse, error) {
	m := MachineUse{at: time.Now()}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m, err
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	var user, nice, system, idle, wait, irq, soft, steal int64
	if _, err := fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft, &steal); err != nil {
		return m, fmt.Errorf("/proc/stat: %w", err)
	}
	m.busy = time.Duration(user+nice+system+irq+soft+steal) * time.Second / 100 // USER_HZ
	var children syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
		return m, err
	}
	m.ours = OwnCPU() + time.Duration(children.Utime.Nano()+children.Stime.Nano())
	return m, nil
}

// OthersSince is the share of the machine's cores, in percent, that anything
// else has used since before: other programs, the kernel writing pages back,
// the hypervisor. Figures taken while it is large are not worth much.
func (m MachineUse) OthersSince(before MachineUse) float64 {
	others := (m.busy - before.busy) - (m.ours - before.ours)
	capacity := m.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return 100 * max(others.Seconds(), 0) / capacity.Seconds()
}

// OwnCPU is the CPU time that this process has used.
func OwnCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
