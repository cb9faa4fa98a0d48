package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

// fault is something that goes wrong, and is mended after a while.
type fault struct {
	name  string
	lasts func(lease time.Duration) time.Duration
	begin func(ctx context.Context, p *parts, b *broker) error
	mend  func(p *parts, b *broker) error
	// global faults keep all from serving, so that nobody can be expected to take over before the end.
	global bool
}

func times(n float64) func(time.Duration) time.Duration {
	return func(lease time.Duration) time.Duration { return time.Duration(n * float64(lease)) }
}

func lasting(d time.Duration) func(time.Duration) time.Duration {
	return func(time.Duration) time.Duration { return d }
}

var (
	within = times(0.5)
	beyond = func(lease time.Duration) time.Duration { return lease + 2*time.Second }
)

// faults are all there are. Those of one broker come to one that serves.
func (p *parts) faults() []fault {
	all := []fault{
		{name: "a broker is killed", lasts: lasting(0), begin: ended(syscall.SIGKILL), mend: started},
		{name: "a broker is ended in good order", lasts: lasting(0), begin: ended(syscall.SIGTERM), mend: started},
		{name: "a broker is stopped beyond its lease", lasts: beyond, begin: signalled(syscall.SIGSTOP), mend: resumed},
		{name: "a broker is stopped within its lease", lasts: within, begin: signalled(syscall.SIGSTOP), mend: resumed, global: true},
		{name: "one after the other is restarted", lasts: lasting(0), begin: rolling, mend: none, global: true},
		ofEtcdLink("a broker is cut off from etcd", beyond, wire{cutThere: true, cutBack: true}),
		ofLink("a broker is cut off from etcd, shortly", within, wire{cutThere: true, cutBack: true}, true, func(b *broker) *link { return b.toEtcd }),
		ofEtcdLink("a broker hears nothing from etcd", beyond, wire{cutBack: true}),
		ofEtcdLink("etcd hears nothing from a broker", beyond, wire{cutThere: true}),
		ofEtcdLink("etcd refuses a broker", beyond, wire{refused: true}),
		ofEtcdLink("etcd is far from a broker", lasting(4*time.Second), wire{delay: 150 * time.Millisecond}),
		{name: "etcd stands still, shortly", lasts: within, begin: onEtcd(syscall.SIGSTOP), mend: etcdResumed, global: true},
		{name: "etcd stands still", lasts: beyond, begin: onEtcd(syscall.SIGSTOP), mend: etcdResumed, global: true},
		{name: "etcd is killed", lasts: lasting(time.Second), begin: onEtcd(syscall.SIGKILL), mend: etcdStarted, global: true},
		ofBucketLink("a broker is cut off from the bucket", lasting(3*time.Second), wire{cutThere: true, cutBack: true}),
		ofBucketLink("a broker hears nothing from the bucket", lasting(3*time.Second), wire{cutBack: true}),
		ofBucketLink("the bucket refuses a broker", lasting(3*time.Second), wire{refused: true}),
		ofBucketLink("the bucket is slow for a broker", lasting(4*time.Second), wire{rate: 200_000}),
		{name: "the bucket is slow for all", lasts: lasting(4 * time.Second), begin: allBuckets(wire{delay: 200 * time.Millisecond}), mend: bucketsMended, global: true},
		{name: "connections to the bucket break off", lasts: lasting(3 * time.Second), begin: tearing, mend: none, global: true},
		{name: "the bucket is busy", lasts: lasting(4 * time.Second), begin: stores(50, 0), mend: storesMended, global: true},
		{name: "answers to PUTs are lost", lasts: lasting(4 * time.Second), begin: stores(0, 40), mend: storesMended, global: true},
		{name: "the bucket is killed", lasts: lasting(time.Second), begin: func(_ context.Context, p *parts, _ *broker) error { return p.gateway.end(syscall.SIGKILL) },
			mend: func(p *parts, _ *broker) error { return p.gateway.start() }, global: true},
	}
	if p.peered() {
		all = append(all,
			ofPeers("nobody reaches a broker", lasting(3*time.Second), wire{cutThere: true, cutBack: true}),
			ofPeers("a broker's answers to others are lost", lasting(3*time.Second), wire{cutBack: true}),
			ofPeers("a broker refuses others", lasting(3*time.Second), wire{refused: true}),
			ofPeers("a broker is far from others", lasting(4*time.Second), wire{delay: 100 * time.Millisecond}),
		)
	}
	return all
}

// deck is all faults in the seed's order, again and again; nil if there is none.
func deck(all []fault, rng *rand.Rand) func() fault {
	if len(all) == 0 {
		return nil
	}
	var order []int
	return func() fault {
		if len(order) == 0 {
			order = rng.Perm(len(all))
		}
		f := all[order[0]]
		order = order[1:]
		return f
	}
}

type begins = func(context.Context, *parts, *broker) error

func none(*parts, *broker) error { return nil }

func ended(s syscall.Signal) begins {
	return func(_ context.Context, _ *parts, b *broker) error { return b.end(s) }
}

func started(_ *parts, b *broker) error { return b.start() }

func signalled(s syscall.Signal) begins {
	return func(_ context.Context, _ *parts, b *broker) error { return b.signal(s) }
}

func resumed(_ *parts, b *broker) error { return b.signal(syscall.SIGCONT) }

// rolling restarts all brokers, each when the one before is up again.
func rolling(ctx context.Context, p *parts, _ *broker) error {
	for _, b := range p.brokers {
		if b.cmd == nil {
			continue
		}
		if err := b.end(syscall.SIGTERM); err != nil {
			return fmt.Errorf("broker %d did not end in good order: %w", b.number, err)
		}
		if err := b.start(); err != nil {
			return err
		}
		if err := until(ctx, 30*time.Second, b.up); err != nil {
			return fmt.Errorf("broker %d is not up again: %w", b.number, err)
		}
	}
	return nil
}

func ofEtcdLink(name string, lasts func(time.Duration) time.Duration, w wire) fault {
	return ofLink(name, lasts, w, false, func(b *broker) *link { return b.toEtcd })
}

// A broker that cannot reach the bucket keeps what it owns: nobody takes over.
func ofBucketLink(name string, lasts func(time.Duration) time.Duration, w wire) fault {
	return ofLink(name, lasts, w, true, func(b *broker) *link { return b.toBucket })
}

func ofPeers(name string, lasts func(time.Duration) time.Duration, w wire) fault {
	return ofLink(name, lasts, w, true, func(b *broker) *link { return b.fromPeers })
}

func ofLink(name string, lasts func(time.Duration) time.Duration, w wire, global bool, which func(*broker) *link) fault {
	return fault{name: name, lasts: lasts, global: global,
		begin: func(_ context.Context, _ *parts, b *broker) error { which(b).set(w); return nil },
		mend:  func(_ *parts, b *broker) error { which(b).set(wire{}); return nil },
	}
}

func onEtcd(s syscall.Signal) begins {
	return func(_ context.Context, p *parts, _ *broker) error {
		if s == syscall.SIGSTOP {
			return p.etcd.signal(s)
		}
		return p.etcd.end(s)
	}
}

func etcdResumed(p *parts, _ *broker) error { return p.etcd.signal(syscall.SIGCONT) }

func etcdStarted(p *parts, _ *broker) error { return p.etcd.start() }

func allBuckets(w wire) begins {
	return func(_ context.Context, p *parts, _ *broker) error {
		for _, b := range p.brokers {
			b.toBucket.set(w)
		}
		return nil
	}
}

func bucketsMended(p *parts, _ *broker) error { return allBuckets(wire{})(nil, p, nil) }

// tearing ends all connections to the bucket, ten times a second.
func tearing(ctx context.Context, p *parts, _ *broker) error {
	for range 30 {
		for _, b := range p.brokers {
			b.toBucket.reset()
		}
		if !pause(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func stores(busy, deaf int32) begins {
	return func(_ context.Context, p *parts, _ *broker) error {
		for _, b := range p.brokers {
			b.store.busy.Store(busy)
			b.store.deaf.Store(deaf)
		}
		return nil
	}
}

func storesMended(p *parts, _ *broker) error { return stores(0, 0)(nil, p, nil) }
