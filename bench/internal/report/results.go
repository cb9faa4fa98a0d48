package report

import (
	"encoding/json"
	"os"
	"time"
)

// Side heads one column.
type Side struct {
	Name       string
	Title      string
	Durability string
}

// Run is one round of one side. A measure that is not in Values was not taken.
type Run struct {
	Side   string
	Round  int
	Values map[string]float64
	Failed map[string]string `json:",omitempty"` // scenario to what went wrong
}

// Results is everything the report says; it is saved as JSON so that the
// table can be printed again without a run.
type Results struct {
	When    time.Time
	Command string
	Machine Machine
	Sides   []Side // the first is the one that the others are compared with
	Rounds  int
	Queues  bool    // the rows are those of queues
	Groups  []Group `json:",omitempty"` // the rows, if they are neither those nor Kafka's
	Notes   []string
	Runs    []Run
}

// Values are one side's values of a measure, one for each round that has it.
func (r *Results) Values(side, measure string) []float64 {
	var out []float64
	for _, run := range r.Runs {
		if v, ok := run.Values[measure]; ok && run.Side == side {
			out = append(out, v)
		}
	}
	return out
}

// Failures lists what went wrong, one line each.
func (r *Results) Failures() []string {
	var out []string
	for _, run := range r.Runs {
		for scenario, why := range run.Failed {
			out = append(out, run.Side+", "+scenario+": "+why)
		}
	}
	return out
}

// Save writes the results to path.
func (r *Results) Save(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Load reads what Save wrote.
func Load(path string) (*Results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Results
	return &r, json.Unmarshal(text, &r)
}
