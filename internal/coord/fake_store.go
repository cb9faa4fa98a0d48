package coord

import (
	"context"
	"fmt"
	"time"
)

// Get implements Store.
func (f *Fake) Get(ctx context.Context, key string) (KV, bool, error) {
	a := f.call(ctx, Request{Kind: CallGet, Key: key})
	if len(a.KVs) == 0 {
		return KV{}, false, a.Err
	}
	return a.KVs[0], true, nil
}

// Range implements Store.
func (f *Fake) Range(ctx context.Context, prefix string) ([]KV, int64, error) {
	a := f.call(ctx, Request{Kind: CallRange, Key: prefix})
	return a.KVs, a.Revision, a.Err
}

// Txn implements Store.
func (f *Fake) Txn(ctx context.Context, cond []Compare, then, otherwise []Op) (TxnResult, error) {
	a := f.call(ctx, Request{Kind: CallTxn, Cond: cond, Then: then, Otherwise: otherwise})
	return a.Txn, a.Err
}

// Grant implements Store.
func (f *Fake) Grant(ctx context.Context, ttl time.Duration) (LeaseID, error) {
	a := f.call(ctx, Request{Kind: CallGrant, TTL: ttl})
	return a.Lease, a.Err
}

// KeepAlive implements Store.
func (f *Fake) KeepAlive(ctx context.Context, id LeaseID) (time.Duration, error) {
	a := f.call(ctx, Request{Kind: CallKeepAlive, Lease: id})
	return a.TTL, a.Err
}

// Revoke implements Store.
func (f *Fake) Revoke(ctx context.Context, id LeaseID) error {
	return f.call(ctx, Request{Kind: CallRevoke, Lease: id}).Err
}

// Compact implements Store.
func (f *Fake) Compact(ctx context.Context, revision int64) error {
	return f.call(ctx, Request{Kind: CallCompact, Revision: revision}).Err
}

// Status implements Store.
func (f *Fake) Status(ctx context.Context) (Status, error) {
	a := f.call(ctx, Request{Kind: CallStatus})
	return a.Status, a.Err
}

// check finds what no coordinator should be asked for.
func (r Request) check() error {
	switch r.Kind {
	case CallGet:
		return checkKey(r.Key)
	case CallTxn:
		return checkTxn(r.Cond, r.Then, r.Otherwise)
	case CallGrant:
		return checkTTL(r.TTL)
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < time.Second || ttl > TTLMax || ttl%time.Second != 0 {
		return fmt.Errorf("%w: a lease of %v; whole seconds up to %v may be", ErrInvalid, ttl, TTLMax)
	}
	return nil
}

// apply does a call under the mutex.
func (f *Fake) apply(r Request) Answer {
	f.expire()
	return f.do(r)
}

func (f *Fake) do(r Request) Answer {
	switch r.Kind {
	case CallGet:
		if kv, ok := f.data.keys[r.Key]; ok {
			return Answer{KVs: []KV{kv.clone()}, Revision: f.data.revision}
		}
		return Answer{Revision: f.data.revision}
	case CallRange:
		return Answer{KVs: f.data.list(r.Key), Revision: f.data.revision}
	case CallTxn:
		return f.txn(r)
	case CallGrant:
		return f.grant(r.TTL)
	case CallKeepAlive:
		l := f.leases[r.Lease]
		if l == nil {
			return Answer{Err: ErrLeaseGone}
		}
		l.ends = f.cfg.Now().Add(l.ttl)
		return Answer{TTL: l.ttl}
	case CallRevoke:
		f.end(r.Lease)
		return Answer{}
	case CallCompact:
		return Answer{Err: f.data.compact(r.Revision)}
	}
	bytes, inUse := f.data.bytes, f.data.bytes
	return Answer{Status: Status{
		Revision: f.data.revision, Leader: "fake", Bytes: bytes, BytesInUse: inUse, BytesMax: f.cfg.BytesMax,
		NoSpace: f.full(), MembersAsked: 1, MembersUp: 1,
	}}
}

func (f *Fake) full() bool { return f.cfg.BytesMax > 0 && f.data.bytes > f.cfg.BytesMax }

func (f *Fake) txn(r Request) Answer {
	result := TxnResult{Succeeded: true}
	for _, c := range r.Cond {
		kv := f.data.keys[c.Key] // all zero if it is not there
		at := kv.ModRevision
		if c.Created {
			at = kv.CreateRevision
		}
		result.Succeeded = result.Succeeded && at == c.Revision
	}
	ops := r.Then
	if !result.Succeeded {
		ops = r.Otherwise
	}
	for _, op := range ops {
		if op.Kind != OpPut {
			continue
		}
		if op.Lease != 0 && f.leases[op.Lease] == nil {
			return Answer{Err: ErrLeaseGone}
		}
		if f.full() {
			return Answer{Err: ErrNoSpace}
		}
	}
	f.data.begin()
	for _, op := range ops {
		result.Results = append(result.Results, f.data.op(op))
	}
	f.commit()
	result.Revision = f.data.revision
	return Answer{Txn: result}
}

// commit ends a change, and wakes those who watch if it changed anything.
func (f *Fake) commit() {
	if f.data.commit() {
		f.tell()
	}
}
