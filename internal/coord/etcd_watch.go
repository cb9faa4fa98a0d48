package coord

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// errWatchEnded is what a watch whose channel closes without a word says.
var errWatchEnded = errors.New("the watch ended")

// Watch implements Store. The client connects anew by itself and goes on where it
// was; a member without a leader ends the watch.
func (e *Etcd) Watch(ctx context.Context, prefix string, from int64, see func(Change) error) error {
	client, err := e.connect()
	if err != nil {
		return fmt.Errorf("coord: watch %s: %w", prefix, classify(err))
	}
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel() // the watch ends with it
	options := []clientv3.OpOption{clientv3.WithRange(endOf(e.cfg.Prefix + prefix)), clientv3.WithProgressNotify()}
	if from > 0 {
		options = append(options, clientv3.WithRev(from))
	}
	start := e.cfg.Prefix + prefix
	if start == "" {
		start = "\x00" // all keys
	}
	for r := range client.Watch(ctx, start, options...) {
		if err := r.Err(); err != nil {
			return e.watchEnded(ctx, prefix, err)
		}
		for _, c := range e.changes(r) {
			if err := see(c); err != nil {
				return err
			}
		}
	}
	return e.watchEnded(ctx, prefix, errWatchEnded)
}

func (e *Etcd) watchEnded(ctx context.Context, prefix string, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("coord: watch %s: %w", prefix, classify(err))
}

// changes splits an answer, which has whole revisions, into its changes.
func (e *Etcd) changes(r clientv3.WatchResponse) []Change {
	if len(r.Events) == 0 {
		if r.Created {
			return nil // its revision says nothing of what was before
		}
		return []Change{{Revision: r.Header.Revision}}
	}
	var out []Change
	for _, event := range r.Events {
		at := event.Kv.ModRevision
		if len(out) == 0 || out[len(out)-1].Revision != at {
			out = append(out, Change{Revision: at})
		}
		last := &out[len(out)-1]
		if event.Type == mvccpb.Event_DELETE {
			key := strings.TrimPrefix(string(event.Kv.Key), e.cfg.Prefix)
			last.Events = append(last.Events, Event{Deleted: true, KV: KV{Key: key, ModRevision: at}})
		} else {
			last.Events = append(last.Events, Event{KV: e.kv(event.Kv)})
		}
	}
	return out
}
