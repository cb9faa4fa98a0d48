package main

import (
	"context"
	"fmt"
	"time"

	"github.com/narumq/naru/conformance/leases"
	"github.com/narumq/naru/conformance/lives"
)

// end stops the producers, waits until the consumers have worked off nearly
// all, and stops them.
func (s *scene) end(ctx context.Context, lossy bool) error {
	s.stopSends()
	s.sends.Wait()
	for deadline := time.Now().Add(60 * time.Second); !lossy && s.left() > 0 && time.Now().Before(deadline); {
		if !lives.Sleep(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	s.stopReads()
	s.reads.Wait()
	return nil
}

// left counts the acknowledged values whose deletion was not even asked for, and
// that were not seen among the dead letters.
func (s *scene) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.sent {
		if !s.gone[v] {
			n++
		}
	}
	return n
}

// readRest waits until all leases have ended and reads every queue to its end,
// those for dead letters last: this reading may be what fills them.
func (s *scene) readRest(ctx context.Context) error {
	if !lives.Sleep(ctx, leaseTime+200*time.Millisecond) {
		return ctx.Err()
	}
	for i := range s.queues {
		q := s.queues[len(s.queues)-1-i]
		for empty, failures := 0, 0; empty < 3; { // seconds: a deletion that failed leaves a lease
			messages, err := s.receive(ctx, q, 1)
			if err != nil {
				// What an answer leased that was not heard comes again.
				if failures++; failures > 20 || !lives.Sleep(ctx, leaseTime) {
					return fmt.Errorf("read the rest of %s: %w", q.name, err)
				}
				continue
			}
			if len(messages) == 0 {
				empty++
				continue
			}
			for _, m := range messages {
				s.note(leases.Event{Kind: leases.Deliver, Queue: q.name, Dead: q.dead, Value: valueOf(m), ID: *m.MessageId, Time: time.Now().UnixNano()})
				s.delete(ctx, q, m) // or it would come again, and its group hide the rest
			}
		}
	}
	return nil
}

func (s *scene) summary() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[leases.Kind]int{}
	unknown, dead := 0, 0
	for _, e := range s.events {
		n[e.Kind]++
		if !e.OK {
			unknown++
		}
		if e.Dead && e.Kind == leases.Deliver {
			dead++
		}
	}
	return fmt.Sprintf("%d sends, %d deliveries (%d of dead letters), %d deletions, %d leases given back, %d requests of unknown outcome, %d lives",
		n[leases.Send], n[leases.Deliver], dead, n[leases.Delete], n[leases.Change], unknown, s.srv.Life())
}
