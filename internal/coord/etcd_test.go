package coord_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/narumq/naru/internal/coord"
)

// failing is an etcd that answers every transaction with an error. The real one is in
// the module conformance/etcd.
type failing struct {
	etcdserverpb.UnimplementedKVServer
	err   error
	calls atomic.Int32
}

func (f *failing) Txn(context.Context, *etcdserverpb.TxnRequest) (*etcdserverpb.TxnResponse, error) {
	f.calls.Add(1)
	return nil, f.err
}

func serve(t *testing.T, f *failing) *coord.Etcd {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	etcdserverpb.RegisterKVServer(s, f)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	e, err := coord.NewEtcd(coord.EtcdConfig{Endpoints: []string{l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// Each error has its class, and a transaction is sent once: a second one would meet
// what the first has done.
func TestEtcdErrors(t *testing.T) {
	for _, c := range []struct {
		err     error
		want    error
		refused bool
	}{
		{status.Error(codes.DeadlineExceeded, "context deadline exceeded"), coord.ErrUnavailable, false},
		{status.Error(codes.Canceled, "context canceled"), coord.ErrUnavailable, false},
		{status.Error(codes.Unavailable, "transport is closing"), coord.ErrUnavailable, false},
		{status.Error(codes.Unknown, "who knows"), coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCTimeout, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCTimeoutDueToLeaderFail, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCLeaderChanged, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCNoLeader, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCRequestTooManyRequests, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCStopped, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCCorrupt, coord.ErrUnavailable, false},
		{rpctypes.ErrGRPCLeaseNotFound, coord.ErrLeaseGone, true},
		{rpctypes.ErrGRPCNoSpace, coord.ErrNoSpace, true},
		{rpctypes.ErrGRPCPermissionDenied, coord.ErrDenied, true},
		{rpctypes.ErrGRPCUserEmpty, coord.ErrDenied, true},
		{rpctypes.ErrGRPCRequestTooLarge, coord.ErrInvalid, true},
		{rpctypes.ErrGRPCTooManyOps, coord.ErrInvalid, true},
		{rpctypes.ErrGRPCDuplicateKey, coord.ErrInvalid, true},
	} {
		f := &failing{err: c.err}
		e := serve(t, f)
		_, err := e.Txn(t.Context(), nil, []coord.Op{coord.Put("a", nil, 0)}, nil)
		if !errors.Is(err, c.want) || coord.Refused(err) != c.refused {
			t.Errorf("%v came back as %v; refused: %t", c.err, err, coord.Refused(err))
		}
		if n := f.calls.Load(); n != 1 {
			t.Errorf("%v: sent %d times", c.err, n)
		}
	}
}

// A call whose time is over says so, whichever side noticed first.
func TestEtcdTimeLimit(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	e, err := coord.NewEtcd(coord.EtcdConfig{Endpoints: []string{l.Addr().String()}, RequestTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	if _, err := e.Txn(t.Context(), nil, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Txn: %v", err)
	}
	if _, err := e.KeepAlive(t.Context(), 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("KeepAlive: %v", err)
	}
}

func TestNewEtcd(t *testing.T) {
	for name, cfg := range map[string]coord.EtcdConfig{
		"no endpoint": {}, "an empty endpoint": {Endpoints: []string{""}}, "many": {Endpoints: strings.Split(strings.Repeat("a:1,", 17), ",")},
		"no password": {Endpoints: []string{"a:1"}, User: "a"}, "a long prefix": {Endpoints: []string{"a:1"}, Prefix: strings.Repeat("p", 300)},
	} {
		if _, err := coord.NewEtcd(cfg); !errors.Is(err, coord.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	e, err := coord.NewEtcd(coord.EtcdConfig{Endpoints: []string{"a:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := e.Get(t.Context(), "a"); !errors.Is(err, coord.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}
