package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
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
	go func() { done <- s.fetchProfile(ctx, id) }()
	return done
}

func (s *session) fetchProfile(ctx context.Context, id string) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", s.home.SecondPort, profileSeconds)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", resp.Status)
	}
	f, err := os.Create(filepath.Join(s.out, s.spec.Name+"-"+id+".pprof"))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(f, resp.Body)
	return err
}
