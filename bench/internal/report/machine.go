package report

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine is what the figures were measured on.
type Machine struct {
	CPU        string
	Cores      int
	MemoryGiB  float64
	Kernel     string
	FileSystem string // of the data directories
	Go         string
	Java       string
	Kafka      string
	ElasticMQ  string
	Versus     string `json:",omitempty"` // another peer and its version, without Java
	Naru       string
	Sync4KiB   time.Duration // one 4 KiB write and fdatasync in a preallocated file
	Sync1MiB   time.Duration // the same with 1 MiB
}

// Inspect looks at this machine; dir is where the data directories are.
// What cannot be found out is left empty.
func Inspect(dir string) Machine {
	m := Machine{
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		Kernel:     firstLine("uname", "-sr"),
		FileSystem: fileSystem(dir),
		Go:         runtime.Version(),
		Java:       firstLine("java", "-version"),
	}
	var kib float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%g", &kib); err == nil {
		m.MemoryGiB = kib / (1 << 20)
	}
	m.Sync4KiB, _ = syncTime(dir, 4<<10)
	m.Sync1MiB, _ = syncTime(dir, 1<<20)
	return m
}

// Markdown is a list of the facts.
func (m Machine) Markdown() string {
	other := "Apache Kafka " + m.Kafka + " on " + m.Java
	switch {
	case m.Versus != "":
		other = m.Versus
	case m.ElasticMQ != "":
		other = "ElasticMQ " + m.ElasticMQ + " on " + m.Java
	}
	return fmt.Sprintf(`- machine: %s, %d cores shared by broker and client, %.0f GiB, %s, %s
- disk: a 4 KiB write and fdatasync takes %v, 1 MiB %v (medians, preallocated file)
- versions: %s; %s; Naru %s
`, m.CPU, m.Cores, m.MemoryGiB, m.Kernel, m.FileSystem,
		m.Sync4KiB.Round(time.Microsecond), m.Sync1MiB.Round(10*time.Microsecond), m.Go, other, m.Naru)
}

// field returns what follows "name :" on the first such line of a /proc file.
func field(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstLine(command string, args ...string) string {
	out, err := exec.Command(command, args...).CombinedOutput() // java -version prints to stderr
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// fileSystem names the type and options of the mount that holds dir.
func fileSystem(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return ""
	}
	defer f.Close()
	best, found := "", ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		mount := strings.Fields(lines.Text())
		if len(mount) < 4 || len(mount[1]) < len(best) {
			continue
		}
		if abs == mount[1] || strings.HasPrefix(abs, strings.TrimSuffix(mount[1], "/")+"/") {
			best, found = mount[1], mount[2]+" ("+mount[3]+")"
		}
	}
	return found
}

// syncTime is the median time of a write of so many bytes and its fdatasync,
// in a file whose blocks have been written before.
func syncTime(dir string, size int) (time.Duration, error) {
	const writes = 64
	f, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, size)
	var took []time.Duration
	for pass := range 2 { // the first pass lays out the blocks
		for i := range writes {
			start := time.Now()
			if _, err := f.WriteAt(block, int64(i*size)); err != nil {
				return 0, err
			}
			if err := fdatasync(f); err != nil {
				return 0, err
			}
			if pass == 1 {
				took = append(took, time.Since(start))
			}
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
