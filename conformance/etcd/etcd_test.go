package etcd

import (
	"context"
	"errors"
	"fmt"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/coord/coordtest"
)

func open(t testing.TB, cfg coord.EtcdConfig) *coord.Etcd {
	e, err := coord.NewEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// raw is etcd's own client, for what the coordinator does not do.
func raw(t testing.TB, server *embed.Etcd) *clientv3.Client {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint(server)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestEtcd(t *testing.T) {
	server := start(t)
	empty := raw(t, server)
	coordtest.Run(t, func(t *testing.T) coordtest.Env {
		if _, err := empty.Delete(t.Context(), "\x00", clientv3.WithFromKey()); err != nil {
			t.Fatal(err)
		}
		return coordtest.Env{Store: open(t, coord.EtcdConfig{Endpoints: []string{endpoint(server)}})}
	})
}

// With a prefix, others' keys are neither seen nor touched.
func TestEtcdWithPrefix(t *testing.T) {
	server := start(t)
	others := raw(t, server)
	n := 0
	coordtest.Run(t, func(t *testing.T) coordtest.Env {
		n++
		for _, key := range []string{"a", "naru", fmt.Sprintf("naru/%d", n), fmt.Sprintf("naru/%d0", n), "z"} {
			if _, err := others.Put(t.Context(), key, "others'"); err != nil {
				t.Fatal(err)
			}
		}
		return coordtest.Env{Store: open(t, coord.EtcdConfig{Endpoints: []string{endpoint(server)}, Prefix: fmt.Sprintf("naru/%d/", n)})}
	})
}

// A wrong password is told apart; a right one works, also the first time that etcd is
// there.
func TestUsers(t *testing.T) {
	server := start(t)
	admin := raw(t, server)
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { _, err := admin.UserAdd(ctx, "root", "secret"); return err },
		func() error { _, err := admin.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := admin.UserAdd(ctx, "nobody", "secret"); return err },
		func() error { _, err := admin.AuthEnable(ctx); return err },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		user, password string
		want           error
	}{{"root", "secret", nil}, {"root", "wrong", coord.ErrDenied}, {"", "", coord.ErrDenied}, {"nobody", "secret", coord.ErrDenied}} {
		e := open(t, coord.EtcdConfig{Endpoints: []string{endpoint(server)}, User: c.user, Password: c.password})
		for range 2 {
			if _, err := e.Txn(ctx, nil, []coord.Op{coord.Put("a", nil, 0)}, nil); !errors.Is(err, c.want) {
				t.Errorf("%s with %s: %v, want %v", c.user, c.password, err, c.want)
			}
		}
		if c.want != nil {
			continue
		}
		id, err := e.Grant(ctx, 5e9)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.KeepAlive(ctx, id); err != nil {
			t.Error(err)
		}
	}
}

// An etcd that is full refuses puts, and says so.
func TestNoSpace(t *testing.T) {
	server := start(t)
	admin := raw(t, server)
	e := open(t, coord.EtcdConfig{Endpoints: []string{endpoint(server)}})
	if _, err := server.Server.Alarm(t.Context(), activateNoSpace()); err != nil {
		t.Fatal(err)
	}
	_, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put("a", nil, 0)}, nil)
	if !errors.Is(err, coord.ErrNoSpace) || !coord.Refused(err) {
		t.Errorf("a put without space: %v", err)
	}
	if s, err := e.Status(t.Context()); err != nil || !s.NoSpace {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := admin.AlarmDisarm(t.Context(), &clientv3.AlarmMember{}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put("a", nil, 0)}, nil); err != nil {
		t.Error(err)
	}
}

// Without an etcd, calls end in their time, and after it has come they work.
func TestAway(t *testing.T) {
	for _, user := range []string{"", "root"} {
		e := open(t, coord.EtcdConfig{Endpoints: []string{address(t).Host}, RequestTimeout: 300e6, User: user, Password: user})
		if _, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put("a", nil, 0)}, nil); !gone(err) {
			t.Errorf("Txn: %v", err)
		}
		if _, err := e.KeepAlive(t.Context(), 1); !gone(err) {
			t.Errorf("KeepAlive: %v", err)
		}
		if _, _, err := e.Range(t.Context(), ""); !gone(err) {
			t.Errorf("Range: %v", err)
		}
		if _, err := e.Status(t.Context()); !gone(err) {
			t.Errorf("Status: %v", err)
		}
	}
}

func gone(err error) bool {
	return !coord.Refused(err) && (errors.Is(err, coord.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded))
}
