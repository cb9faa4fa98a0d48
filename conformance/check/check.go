// Package check runs named checks, prints one line for each and a closing
// count, and turns failures into an exit status.
package check

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// Suite counts checks.
type Suite struct {
	Name   string
	Only   string        // when set, only checks whose name contains it are run
	Limit  time.Duration // for one check
	passed int
	failed int
}

// Run runs one check within the suite's time limit. A panic is a failure.
func (s *Suite) Run(name string, f func(context.Context) error) {
	if s.Only != "" && !strings.Contains(name, s.Only) {
		return
	}
	limit := s.Limit
	if limit == 0 {
		limit = time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		done <- f(ctx)
	}()
	var err error
	select {
	case err = <-done:
	case <-time.After(limit + 5*time.Second):
		err = fmt.Errorf("still running %v after its limit", 5*time.Second)
	}
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		s.failed++
		fmt.Printf("FAIL %s (%v): %v\n", name, took, err)
		return
	}
	s.passed++
	fmt.Printf("ok   %s (%v)\n", name, took)
}

// Finish prints the count and returns the exit status: 1 after a failure or
// when nothing ran.
func (s *Suite) Finish() int {
	fmt.Printf("%s: %d passed, %d failed\n", s.Name, s.passed, s.failed)
	if s.failed > 0 || s.passed == 0 {
		return 1
	}
	return 0
}

// Exit finishes the suite and ends the process.
func (s *Suite) Exit() { os.Exit(s.Finish()) }
