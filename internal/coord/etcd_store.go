package coord

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Get implements Store.
func (e *Etcd) Get(ctx context.Context, key string) (kv KV, found bool, err error) {
	if err := checkKey(key); err != nil {
		return KV{}, false, fmt.Errorf("coord: get: %w", err)
	}
	err = e.call(ctx, "get "+key, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Get(ctx, e.cfg.Prefix+key)
		if err == nil && len(r.Kvs) > 0 {
			kv, found = e.kv(r.Kvs[0]), true
		}
		return err
	})
	return kv, found, err
}

// Range implements Store. If what it reads is compacted meanwhile, it begins again.
func (e *Etcd) Range(ctx context.Context, prefix string) ([]KV, int64, error) {
	const triesMax = 3
	for try := 1; ; try++ {
		kvs, revision, err := e.pages(ctx, prefix)
		if err == nil || !errors.Is(err, ErrCompacted) || try == triesMax {
			return kvs, revision, err
		}
	}
}

func (e *Etcd) pages(ctx context.Context, prefix string) (kvs []KV, revision int64, err error) {
	from, end := e.cfg.Prefix+prefix, endOf(e.cfg.Prefix+prefix)
	if from == "" {
		from = "\x00" // all keys
	}
	for more := true; more; {
		err := e.call(ctx, "range "+prefix, func(ctx context.Context, c *clientv3.Client) error {
			r, err := c.Get(ctx, from, clientv3.WithRange(end), clientv3.WithLimit(rangePage), clientv3.WithRev(revision))
			if err != nil {
				return err
			}
			if revision == 0 {
				revision = r.Header.Revision
			}
			for _, kv := range r.Kvs {
				kvs = append(kvs, e.kv(kv))
				from = string(kv.Key) + "\x00"
			}
			more = r.More && len(r.Kvs) > 0
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		if len(kvs) > RangeKeysMax {
			return nil, 0, fmt.Errorf("coord: range %s: %w: more than %d keys", prefix, ErrInvalid, RangeKeysMax)
		}
	}
	return kvs, revision, nil
}

// endOf is the end of the range of a prefix.
func endOf(prefix string) string { return clientv3.GetPrefixRangeEnd(prefix) }

// Txn implements Store. It is sent at most once.
func (e *Etcd) Txn(ctx context.Context, cond []Compare, then, otherwise []Op) (out TxnResult, err error) {
	what := fmt.Sprintf("txn of %d, %d, %d", len(cond), len(then), len(otherwise))
	if err := checkTxn(cond, then, otherwise); err != nil {
		return TxnResult{}, fmt.Errorf("coord: %s: %w", what, err)
	}
	err = e.call(ctx, what, func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Txn(ctx).If(e.compares(cond)...).Then(e.ops(then)...).Else(e.ops(otherwise)...).Commit()
		if err != nil {
			return err
		}
		out = TxnResult{Succeeded: r.Succeeded, Revision: r.Header.Revision}
		for _, response := range r.Responses {
			out.Results = append(out.Results, e.result(response))
		}
		return nil
	})
	return out, err
}

func (e *Etcd) compares(cond []Compare) []clientv3.Cmp {
	out := make([]clientv3.Cmp, 0, len(cond))
	for _, c := range cond {
		target := clientv3.ModRevision
		if c.Created {
			target = clientv3.CreateRevision
		}
		out = append(out, clientv3.Compare(target(e.cfg.Prefix+c.Key), "=", c.Revision))
	}
	return out
}

func (e *Etcd) ops(ops []Op) []clientv3.Op {
	out := make([]clientv3.Op, 0, len(ops))
	for _, op := range ops {
		key := e.cfg.Prefix + op.Key
		switch op.Kind {
		case OpPut:
			out = append(out, clientv3.OpPut(key, string(op.Value), clientv3.WithLease(clientv3.LeaseID(op.Lease))))
		case OpDelete:
			out = append(out, clientv3.OpDelete(key))
		case OpDeletePrefix:
			out = append(out, clientv3.OpDelete(key, clientv3.WithPrefix()))
		case OpGet:
			out = append(out, clientv3.OpGet(key))
		}
	}
	return out
}

func (e *Etcd) result(r *etcdserverpb.ResponseOp) OpResult {
	if deleted := r.GetResponseDeleteRange(); deleted != nil {
		return OpResult{Deleted: deleted.Deleted}
	}
	if found := r.GetResponseRange(); found != nil && len(found.Kvs) > 0 {
		return OpResult{KV: e.kv(found.Kvs[0]), Found: true}
	}
	return OpResult{}
}

func (e *Etcd) kv(kv *mvccpb.KeyValue) KV {
	return KV{
		Key: strings.TrimPrefix(string(kv.Key), e.cfg.Prefix), Value: kv.Value,
		CreateRevision: kv.CreateRevision, ModRevision: kv.ModRevision, Lease: LeaseID(kv.Lease),
	}
}

// Grant implements Store. etcd gives no lease that is shorter than one and a half of
// its election timeouts: 2 s by its defaults.
func (e *Etcd) Grant(ctx context.Context, ttl time.Duration) (id LeaseID, err error) {
	if err := checkTTL(ttl); err != nil {
		return 0, fmt.Errorf("coord: grant: %w", err)
	}
	err = e.call(ctx, fmt.Sprintf("grant %v", ttl), func(ctx context.Context, c *clientv3.Client) error {
		r, err := c.Grant(ctx, int64(ttl/time.Second))
		if err == nil {
			id = LeaseID(r.ID)
		}
		return err
	})
	return id, err
}

// KeepAlive implements Store. It asks once; the client's own would ask again and
// again, without a pause, while there is no connection.
func (e *Etcd) KeepAlive(ctx context.Context, id LeaseID) (ttl time.Duration, err error) {
	err = e.call(ctx, "keep alive "+id.String(), func(ctx context.Context, c *clientv3.Client) error {
		ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
		defer cancel() // the stream ends with it
		stream, err := etcdserverpb.NewLeaseClient(c.ActiveConnection()).LeaseKeepAlive(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(&etcdserverpb.LeaseKeepAliveRequest{ID: int64(id)}); err != nil {
			return err
		}
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if ttl = time.Duration(r.TTL) * time.Second; ttl <= 0 {
			return ErrLeaseGone
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return ttl, nil
}

// Revoke implements Store.
func (e *Etcd) Revoke(ctx context.Context, id LeaseID) error {
	return e.call(ctx, "revoke "+id.String(), func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Revoke(ctx, clientv3.LeaseID(id))
		if errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound) {
			return nil
		}
		return err
	})
}

// Compact implements Store.
func (e *Etcd) Compact(ctx context.Context, revision int64) error {
	return e.call(ctx, fmt.Sprintf("compact %d", revision), func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Compact(ctx, revision)
		if errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
			return nil
		}
		return err
	})
}
