package coord

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/narumq/naru/internal/fault"
)

// classes are etcd's own errors that say more than their code.
var classes = []struct {
	etcd, ours error
}{
	{rpctypes.ErrLeaseNotFound, ErrLeaseGone},
	{rpctypes.ErrLeaseTTLTooLarge, ErrInvalid},
	{rpctypes.ErrNoSpace, ErrNoSpace},
	{rpctypes.ErrCompacted, ErrCompacted},
	{rpctypes.ErrFutureRev, ErrInvalid},
	{rpctypes.ErrEmptyKey, ErrInvalid},
	{rpctypes.ErrTooManyOps, ErrInvalid},
	{rpctypes.ErrDuplicateKey, ErrInvalid},
	{rpctypes.ErrRequestTooLarge, ErrInvalid},
	{rpctypes.ErrPermissionDenied, ErrDenied},
	{rpctypes.ErrAuthFailed, ErrDenied},
	{rpctypes.ErrUserEmpty, ErrDenied},
	{rpctypes.ErrUserNotFound, ErrDenied},
	{rpctypes.ErrInvalidAuthToken, ErrDenied},
	{rpctypes.ErrAuthOldRevision, ErrDenied},
}

// classify gives an error of the client its class. It keeps the text.
func classify(err error) error {
	if err == nil || fault.CodeOf(err) != fault.Unknown { // ours, or a context's
		return err
	}
	known := rpctypes.Error(err)
	for _, c := range classes {
		if errors.Is(known, c.etcd) {
			return fmt.Errorf("%w: %w", c.ours, err)
		}
	}
	switch codeOf(err) {
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return unavailable(err)
}

func codeOf(err error) codes.Code {
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		return known.Code()
	}
	return status.Code(err)
}
