package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	slotCount     = 64 // the brokers' --slots, if nobody says another
	settledFor    = 1500 * time.Millisecond
	settledWithin = 2 * time.Minute
)

// settled waits until all brokers serve, and each slot is where it belongs: as brokers come, slots move, which ends what clients are at.
func (p *parts) settled(ctx context.Context) error {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{p.etcdAddr}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	var known map[string]int64
	since := time.Now()
	return until(ctx, settledWithin, func() bool {
		seen, err := askOwners(ctx, c)
		if err != nil || len(seen) < slotCount || !maps.Equal(seen, known) || len(p.serving()) < len(p.brokers) {
			known, since = seen, time.Now()
		}
		return time.Since(since) > settledFor
	})
}

// carrier is a broker that carries AMQP's connections to another one, the owner of slot 0: so that clients come the longer way.
func (p *parts) carrier(ctx context.Context) (*broker, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{p.etcdAddr}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var owner struct {
		Node int32 `json:"node"`
	}
	var member struct {
		Endpoints map[string]string `json:"endpoints"`
	}
	if err := read(ctx, c, "slot/0000/owner", &owner); err != nil {
		return nil, err
	}
	if err := read(ctx, c, fmt.Sprintf("member/%04d", owner.Node), &member); err != nil {
		return nil, err
	}
	for _, b := range p.serving() {
		if b.kafka != member.Endpoints["kafka"] {
			return b, nil
		}
	}
	return nil, fmt.Errorf("no broker but the owner of slot 0, %d, serves", owner.Node)
}

// read reads what brokers tell each other under a key.
func read(ctx context.Context, c *clientv3.Client, key string, into any) error {
	r, err := c.Get(ctx, "naru/"+bucket+"/naru/live/"+key)
	if err != nil {
		return err
	}
	if len(r.Kvs) == 0 {
		return fmt.Errorf("etcd has no %s", key)
	}
	return json.Unmarshal(r.Kvs[0].Value, into)
}
