package main

import (
	"context"
	"errors"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// round runs all sides once, each in a process of its own. They take turns row by row:
// what else the machine does changes by the second, and should meet all of them. The
// one whose turn it is not has nothing to do.
func (c *command) round(ctx context.Context, number int, specs []peer.Spec) (runs []report.Run, err error) {
	before, err := peer.ReadMachine()
	if err != nil {
		return nil, err
	}
	var sessions []*session
	for _, spec := range specs {
		s := &session{command: *c, spec: spec, values: map[string]float64{}, failed: map[string]string{}}
		sessions = append(sessions, s)
		if err := s.begin(ctx); err != nil {
			s.failed["start"] = err.Error()
		}
	}
	for _, row := range c.rows {
		for _, s := range sessions {
			if s.failed["start"] != "" || !s.does(row) {
				continue
			}
			if err := s.row(ctx, row); err != nil {
				s.failed[row.title] = err.Error()
			}
			s.say("%s: %.0f per second", row.title, s.values[row.id+".rate"])
		}
	}
	for _, s := range sessions {
		err = errors.Join(err, s.end())
		runs = append(runs, report.Run{Side: s.spec.Name, Round: number, Values: s.values, Failed: s.failed})
	}
	after, readErr := peer.ReadMachine()
	for _, r := range runs {
		r.Values["others.cpu"] = after.OthersSince(before)
	}
	return runs, errors.Join(err, readErr, ctx.Err())
}
