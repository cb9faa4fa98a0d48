package main

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// space is how much of etcd's file is in use when its past is forgotten, at the beginning and at the end.
type space struct{ before, after int64 }

const (
	// spaceMore is how much more may be in use in the end: keys are about as many, but pages are not always as full.
	spaceMore = 512 << 10
	// spaceLooks is how often etcd is asked: what a compaction frees is told after the next commits.
	spaceLooks = 10
)

// inUse compacts etcd, and returns the bytes that are left.
func inUse(ctx context.Context, etcd string) (least int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r, err := c.Get(ctx, "any")
	if err == nil {
		_, err = c.Compact(ctx, r.Header.Revision, clientv3.WithCompactPhysical())
	}
	if err != nil {
		return 0, fmt.Errorf("compact etcd: %w", err)
	}
	for range spaceLooks {
		pause(ctx, 100*time.Millisecond)
		st, err := c.Status(ctx, etcd)
		if err != nil {
			return 0, fmt.Errorf("etcd's status: %w", err)
		}
		if least == 0 || st.DbSizeInUse < least {
			least = st.DbSizeInUse
		}
	}
	return least, nil
}

// lost is what the run has added that nobody will reclaim.
func (s space) lost() []string {
	if s.after <= s.before+spaceMore {
		return nil
	}
	return []string{fmt.Sprintf("%d bytes are in use, %d were at the beginning", s.after, s.before)}
}
