package main

import (
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// owners knows when any part of the log changed hands: so that the judge knows which requests the same owner answered for certain.
// It asks etcd again and again. A watch would be told of a change sooner, but by nobody can it be known how late.
type owners struct {
	mu    sync.Mutex
	spans []span // in each of them something changed
}

type span struct{ from, to int64 }

const (
	askOwnersEvery  = 50 * time.Millisecond
	askOwnersWithin = time.Second
)

func watchOwners(ctx context.Context, etcd string) (*owners, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	o := &owners{}
	go func() {
		defer c.Close()
		o.follow(ctx, c)
	}()
	return o, nil
}

func (o *owners) follow(ctx context.Context, c *clientv3.Client) {
	var known map[string]int64
	from := time.Now()
	for ctx.Err() == nil {
		began := time.Now()
		if seen, err := askOwners(ctx, c); err == nil {
			if !maps.Equal(seen, known) {
				o.mu.Lock()
				o.spans = append(o.spans, span{from.UnixNano(), time.Now().UnixNano()})
				o.mu.Unlock()
			}
			known, from = seen, began
		}
		pause(ctx, askOwnersEvery)
	}
}

// askOwners returns when each owner's key was made.
func askOwners(ctx context.Context, c *clientv3.Client) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askOwnersWithin)
	defer cancel()
	r, err := c.Get(ctx, "naru/"+bucket+"/naru/live/slot/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return nil, err
	}
	made := map[string]int64{}
	for _, kv := range r.Kvs {
		if key := string(kv.Key); strings.HasSuffix(key, "/owner") {
			made[key] = kv.CreateRevision
		}
	}
	return made, nil
}

// tenure numbers the time between two changes, and tells whether none of them can be in that of a request.
func (o *owners) tenure(start, end int64) (number int, certain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	certain = true
	for _, s := range o.spans {
		if s.to <= start {
			number++
		} else if s.from < end {
			certain = false
		}
	}
	return number, certain
}
