package lives

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// Plan says how a server is killed.
type Plan struct {
	Kills   int
	Seed    uint64                // of the moments
	Lose    bool                  // once, from the middle kill on, destroy bytes that were acknowledged
	Started func(context.Context) // nil, or called after each start
}

// KillOften kills and starts the server at random moments; more often than planned if there was nothing to lose yet.
func (s *Server) KillOften(ctx context.Context, p Plan) error {
	rng := rand.New(rand.NewPCG(p.Seed, 0))
	lost := false
	for i := 0; i < p.Kills || p.Lose && !lost; i++ {
		// Most kills come under load; some while the server recovers.
		pause := time.Duration(200+rng.IntN(2300)) * time.Millisecond
		if rng.IntN(4) == 0 {
			pause = time.Duration(rng.IntN(60)) * time.Millisecond
		}
		lose := p.Lose && !lost && i >= p.Kills/2
		if lose {
			pause = 2 * time.Second // so that there is something to lose
		}
		if !Sleep(ctx, pause) {
			return fmt.Errorf("out of time after %d kills", i)
		}
		if err := s.Kill(); err != nil {
			return err
		}
		if lose {
			var err error
			if lost, err = s.LoseBytes(); err != nil {
				return err
			}
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
		if p.Started != nil {
			p.Started(ctx)
		}
	}
	return nil
}

// Sleep waits, and returns false if ctx ended before.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
