package etcd

import (
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/narumq/naru/internal/coord"
)

// An etcd that ends and comes back on the same files: calls meanwhile tell nothing, a
// watch goes on without a gap, and leases are still there.
func TestRestart(t *testing.T) {
	first := start(t)
	cfg := first.Config()
	e := open(t, coord.EtcdConfig{Endpoints: []string{endpoint(first)}, RequestTimeout: 500 * time.Millisecond})
	id, err := e.Grant(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	began := put(t, e, "before", id)
	seen := make(chan string, 10)
	go func() {
		_ = e.Watch(t.Context(), "", began, func(c coord.Change) error {
			for _, event := range c.Events {
				seen <- event.KV.Key
			}
			return nil
		})
	}()
	want(t, seen, "before")
	first.Close()
	if _, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put("meanwhile", nil, 0)}, nil); !gone(err) {
		t.Errorf("without an etcd: %v", err)
	}
	restart(t, fresh(&cfg))
	put(t, e, "after", id)
	want(t, seen, "after")
	if ttl, err := e.KeepAlive(t.Context(), id); err != nil || ttl != time.Minute {
		t.Errorf("the lease after a restart: %v, %v", ttl, err)
	}
}

// fresh is what of a configuration an etcd can be started with again.
func fresh(old *embed.Config) *embed.Config {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.InitialCluster = old.Dir, old.InitialCluster
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = old.ListenClientUrls, old.AdvertiseClientUrls
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = old.ListenPeerUrls, old.AdvertisePeerUrls
	return cfg
}

// put puts a key, if need be again and again, and returns its revision.
func put(t *testing.T, e *coord.Etcd, key string, id coord.LeaseID) int64 {
	t.Helper()
	for {
		r, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put(key, nil, id)}, nil)
		if err == nil {
			return r.Revision
		}
		if t.Context().Err() != nil || errors.Is(err, coord.ErrLeaseGone) {
			t.Fatal(err)
		}
	}
}

func want(t *testing.T, seen <-chan string, key string) {
	t.Helper()
	select {
	case got := <-seen:
		if got != key && got != "meanwhile" { // that one may have arrived
			t.Errorf("saw %s, want %s", got, key)
		} else if got != key {
			want(t, seen, key)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s was not seen", key)
	}
}
