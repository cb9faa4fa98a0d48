package cluster

import (
	"errors"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/fault"
)

// ErrMixedUp says that a bucket and a coordinator do not belong together.
var ErrMixedUp = fault.New(fault.FailedPrecondition, "the bucket and the coordinator do not belong together")

func isGone(err error) bool { return errors.Is(err, coord.ErrLeaseGone) }
