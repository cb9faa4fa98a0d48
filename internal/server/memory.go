package server

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// gcPercent trades some CPU for memory: most of the heap is the cache, which
// lives long and holds no pointers, so collections are cheap and waiting for
// the heap to double would cost as much memory again.
const gcPercent = 25

// LimitMemory sets the garbage collector's goals, unless GOGC or GOMEMLIMIT in
// the environment has. Without --memory-bytes, a container's limit counts.
func (c *Config) LimitMemory() {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); set {
		return
	}
	if bytes := c.MemoryBytes; bytes > 0 {
		debug.SetMemoryLimit(bytes)
	} else if bytes, ok := containerBytes("/sys/fs/cgroup/memory.max"); ok {
		debug.SetMemoryLimit(bytes / 10 * 9) // the rest is for what Go does not count
	}
}

// containerBytes reads a cgroup's limit; see cgroups(7), version 2.
func containerBytes(name string) (int64, bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is no number
	return n, err == nil && n > 0
}
