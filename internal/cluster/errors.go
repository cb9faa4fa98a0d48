package cluster

import (
	"errors"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
)

var (
	// ErrMixedUp says that a bucket and a coordinator do not belong together.
	ErrMixedUp = fault.New(fault.FailedPrecondition, "the bucket and the coordinator do not belong together")
	// ErrOver says that a tenure has ended: its lease is over, or may be.
	ErrOver = fault.New(fault.Unavailable, "the broker is not a member of the cluster any more")
	// ErrNoCluster says that a coordinator knows no cluster.
	ErrNoCluster = fault.New(fault.NotFound, "the coordinator knows no cluster")
	// ErrNoMember says that no such broker is up.
	ErrNoMember = fault.New(fault.NotFound, "there is no broker of this number")
	// ErrNoHeir says that no other broker would take what one owns.
	ErrNoHeir = fault.New(fault.FailedPrecondition, "no other broker could take its slots")
	// ErrNoSlot says that a cluster has no such slot.
	ErrNoSlot = fault.New(fault.OutOfRange, "there is no such slot")
)

var errGivenUp = errors.New("given up")

func isGone(err error) bool { return errors.Is(err, coord.ErrLeaseGone) }
