package peer

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/narumq/naru/bench/internal/stats"
)

// Use is what a measured row took.
type Use struct {
	Server, Client time.Duration // of CPU
	PeakBytes      int64         // the most that was resident in the server
	Done           int64         // calls, messages or records
}

// Profile asks for a CPU profile of a row. No path: none.
type Profile struct {
	Path    string
	Seconds int // shorter than the row, so that no idle time dilutes it
}

// Measure runs do with a quiet disk, and tells what the server and this client used for it.
// do returns how many calls, messages or records it did.
func (p *Process) Measure(ctx context.Context, h Home, profile Profile, do func() (int64, error)) (u Use, err error) {
	if err := SyncFiles(h.Dir); err != nil {
		return u, err
	}
	runtime.GC()
	if err := p.ResetPeak(); err != nil {
		return u, err
	}
	profiled := make(chan error, 1)
	if h.Profiled && profile.Path != "" {
		go func() { profiled <- h.FetchProfile(ctx, profile.Seconds, profile.Path) }()
	} else {
		profiled <- nil
	}
	before, err := p.Usage()
	if err != nil {
		return u, err
	}
	own := OwnCPU()
	u.Done, err = do()
	u.Client = OwnCPU() - own
	after, usageErr := p.Usage()
	if err := errors.Join(err, usageErr, <-profiled); err != nil {
		return u, err
	}
	if u.Done == 0 {
		return u, errors.New("nothing got through")
	}
	u.Server, u.PeakBytes = after.CPU-before.CPU, after.PeakBytes
	return u, nil
}

// Note writes the use to a row's values: seconds of CPU for each million that was done, and MiB.
func (u Use) Note(values map[string]float64, id string) {
	millions := float64(u.Done) / 1e6
	values[id+".cpu"] = u.Server.Seconds() / millions
	values[id+".client"] = u.Client.Seconds() / millions
	values[id+".peak"] = stats.Mebibytes(u.PeakBytes)
}
