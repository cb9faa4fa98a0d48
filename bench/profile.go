package main

import (
	"path/filepath"
	"strings"

	"github.com/narumq/naru/bench/internal/peer"
)

// profileSeconds is shorter than any measured scenario.
const profileSeconds = 3

// profiled asks for a CPU profile of Naru, if it was asked for. Profiling slows the broker:
// its figures are for reading the profile, not for the table.
func (s *session) profiled(id string) peer.Profile {
	if !strings.HasPrefix(s.spec.Name, "naru") {
		return peer.Profile{}
	}
	return peer.Profile{Path: filepath.Join(s.out, s.spec.Name+"-"+id+".pprof"), Seconds: profileSeconds}
}
