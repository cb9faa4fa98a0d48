package coordtest

import (
	"errors"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// ttl is the shortest lease that an etcd with its own defaults gives.
const ttl = 2 * time.Second

func (t *test) grant() coord.LeaseID {
	t.Helper()
	id, err := t.Store.Grant(t.ctx, ttl)
	if err != nil || id == 0 {
		t.Fatalf("Grant = %v, %v", id, err)
	}
	return id
}

func testLease(t *test) {
	one, other := t.grant(), t.grant()
	if one == other {
		t.Fatalf("two leases %v", one)
	}
	t.txn(nil, coord.Put("a", nil, one), coord.Put("b", nil, one), coord.Put("c", nil, other), coord.Put("d", nil, 0))
	if kv, _, err := t.Store.Get(t.ctx, "a"); err != nil || kv.Lease != one {
		t.Errorf("the lease is %v, want %v, %v", kv.Lease, one, err)
	}
	w := t.watch("", t.rev()+1)
	at := t.rev()
	if err := t.Store.Revoke(t.ctx, one); err != nil {
		t.Fatal(err)
	}
	w.want(gone("a", at+1), gone("b", at+1))
	if err := t.Store.Revoke(t.ctx, one); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	t.wantGone(one)
	t.Pass(ttl + time.Second)
	w.want(gone("c", at+2))
	t.wantGone(other)
	if kvs, _, err := t.Store.Range(t.ctx, ""); err != nil || len(kvs) != 1 {
		t.Errorf("left: %v, %v", keys(kvs), err)
	}
}

func (t *test) wantGone(id coord.LeaseID) {
	t.Helper()
	if left, err := t.Store.KeepAlive(t.ctx, id); !errors.Is(err, coord.ErrLeaseGone) {
		t.Errorf("KeepAlive of a lease that has ended: %v, %v", left, err)
	}
	if _, err := t.Store.Txn(t.ctx, nil, []coord.Op{coord.Put("x", nil, id)}, nil); !errors.Is(err, coord.ErrLeaseGone) {
		t.Errorf("Put with a lease that has ended: %v", err)
	}
}

// A lease that is kept outlives one that is not, though it began earlier.
func testKeepAlive(t *test) {
	kept, left := t.grant(), t.grant()
	t.txn(nil, coord.Put("kept", nil, kept), coord.Put("left", nil, left))
	w := t.watch("", t.rev()+1)
	for range 3 {
		t.Pass(ttl / 2)
		if got, err := t.Store.KeepAlive(t.ctx, kept); err != nil || got < ttl {
			t.Fatalf("KeepAlive = %v, %v", got, err)
		}
	}
	for !w.seen("left") {
		if _, err := t.Store.KeepAlive(t.ctx, kept); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := t.Store.Get(t.ctx, "kept"); !ok || err != nil {
		t.Errorf("what was kept is there: %t, %v", ok, err)
	}
}

func testLeaseOfKey(t *test) {
	one, other := t.grant(), t.grant()
	t.txn(nil, coord.Put("a", nil, one), coord.Put("b", nil, one))
	t.txn(nil, coord.Put("a", nil, other), coord.Put("b", nil, 0))
	if err := t.Store.Revoke(t.ctx, one); err != nil {
		t.Fatal(err)
	}
	kvs, _, err := t.Store.Range(t.ctx, "")
	if err != nil || len(kvs) != 2 || kvs[0].Lease != other || kvs[1].Lease != 0 {
		t.Errorf("left: %+v, %v", kvs, err)
	}
	if err := t.Store.Revoke(t.ctx, other); err != nil {
		t.Fatal(err)
	}
	if kvs, _, err := t.Store.Range(t.ctx, ""); err != nil || len(kvs) != 1 || kvs[0].Key != "b" {
		t.Errorf("left: %+v, %v", kvs, err)
	}
}
