package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/objectstore"
)

// Identity is drawn when a cluster is new, and kept in its bucket and in its coordinator.
type Identity struct {
	ID    string `json:"id"`
	Slots uint32 `json:"slots"` // never changes
}

// Stored: never rename.
const (
	identityKey    = "cluster"          // of the coordinator
	identityObject = "cluster-identity" // of the bucket
	identityMax    = 4 << 10
)

// Identify reads the cluster's identity, and writes it first where a bucket and a coordinator are both empty. It refuses a bucket
// and a coordinator that do not belong together, with ErrMixedUp: to a coordinator that lost its state, or another one, all that
// is in the bucket would seem to be nobody's. fresh is the identity of a cluster that is new.
func Identify(ctx context.Context, store objectstore.Store, quorum coord.Store, fresh Identity) (Identity, error) {
	known, inCoord, err := ReadIdentity(ctx, quorum)
	if err != nil {
		return known, err
	}
	body, err := store.Get(ctx, identityObject, 0, identityMax)
	if errors.Is(err, objectstore.ErrNotFound) && !inCoord {
		body, err = found(ctx, store, fresh)
	}
	switch {
	case errors.Is(err, objectstore.ErrNotFound):
		return known, fmt.Errorf("%w: the coordinator knows the cluster %s, and the bucket has no object %s", ErrMixedUp, known.ID, identityObject)
	case err != nil:
		return known, err
	}
	var kept Identity
	if err := json.Unmarshal(body, &kept); err != nil || kept.ID == "" || kept.Slots == 0 {
		return known, fmt.Errorf("%w: the object %s is none of ours", ErrMixedUp, identityObject)
	}
	if !inCoord {
		if known, err = enter(ctx, store, quorum, kept, body); err != nil {
			return known, err
		}
	}
	if known != kept {
		return known, fmt.Errorf("%w: the coordinator has the cluster %s, the bucket %s", ErrMixedUp, known.ID, kept.ID)
	}
	return known, nil
}

// found writes the identity of a new cluster into the bucket, unless another broker is faster.
func found(ctx context.Context, store objectstore.Store, fresh Identity) ([]byte, error) {
	body, err := json.Marshal(fresh)
	if err != nil {
		return nil, err
	}
	if err := store.Put(ctx, identityObject, body); err != nil && !errors.Is(err, objectstore.ErrExists) {
		return nil, err
	}
	return store.Get(ctx, identityObject, 0, identityMax)
}

// enter tells the coordinator of a bucket that holds no log yet.
func enter(ctx context.Context, store objectstore.Store, quorum coord.Store, kept Identity, body []byte) (Identity, error) {
	for _, prefix := range []string{"log/", "slot/"} {
		list, err := store.List(ctx, prefix, "", 1)
		if err != nil {
			return Identity{}, err
		}
		if len(list) == 0 {
			continue
		}
		if known, there, err := ReadIdentity(ctx, quorum); err != nil || there { // another broker was faster, and served
			return known, err
		}
		return Identity{}, fmt.Errorf("%w: the bucket holds the cluster %s, of which the coordinator knows nothing", ErrMixedUp, kept.ID)
	}
	_, err := quorum.Txn(ctx, []coord.Compare{coord.Absent(identityKey)}, []coord.Op{coord.Put(identityKey, body, 0)}, nil)
	if err != nil {
		return Identity{}, err
	}
	known, _, err := ReadIdentity(ctx, quorum)
	return known, err
}

// ReadIdentity returns the identity that a coordinator holds, if there is one.
func ReadIdentity(ctx context.Context, quorum coord.Store) (id Identity, there bool, err error) {
	kv, there, err := quorum.Get(ctx, identityKey)
	if err != nil || !there {
		return id, false, err
	}
	if err := json.Unmarshal(kv.Value, &id); err != nil {
		return id, true, fmt.Errorf("%w: the key %s of the coordinator is none of ours", ErrMixedUp, identityKey)
	}
	return id, true, nil
}
