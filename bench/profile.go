package main

import (
	"context"
	"path/filepath"
	"strings"
)

// profileSeconds is shorter than any measured scenario, so that no idle time
// dilutes the profile.
const profileSeconds = 3

// startProfile begins a CPU profile of Naru, if asked for; the channel gives
// its outcome. Profiling slows the broker: its figures are for reading the
// profile, not for the table.
func (s *session) startProfile(ctx context.Context, id string) <-chan error {
	done := make(chan error, 1)
	if !s.profile || !strings.HasPrefix(s.spec.Name, "naru") {
		done <- nil
		return done
	}
	path := filepath.Join(s.out, s.spec.Name+"-"+id+".pprof")
	go func() { done <- s.home.FetchProfile(ctx, profileSeconds, path) }()
	return done
}
