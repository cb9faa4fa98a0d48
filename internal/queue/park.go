package queue

// openRun is a run of which one block may be in memory.
type openRun struct {
	Run
}

func (w *window) parked() int { return 0 }

func (w *window) purgeRuns(*sourceLedger) {}
