package exchange

import (
	"fmt"

	"github.com/narumq/naru/internal/fault"
)

// Errors. Those that a person will read are wrapped with names and values.
var (
	ErrNotFound         = fault.New(fault.NotFound, "no such exchange")
	ErrReserved         = fault.New(fault.PermissionDenied, "exchange name is reserved")
	ErrDefaultExchange  = fault.New(fault.PermissionDenied, "operation not permitted on the default exchange")
	ErrInternalExchange = fault.New(fault.PermissionDenied, "cannot publish to an internal exchange")
	ErrInequivalent     = fault.New(fault.FailedPrecondition, "exchange exists with other properties")
	ErrInUse            = fault.New(fault.FailedPrecondition, "exchange is in use")
	ErrInvalid          = fault.New(fault.InvalidArgument, "invalid exchange or binding")
	ErrLimit            = fault.New(fault.ResourceExhausted, "limit reached")
	ErrMalformed        = fault.New(fault.DataLoss, "malformed exchange command")
)

// InequivalentError says which property of an exchange is not what a declaration
// wants. It is an ErrInequivalent.
type InequivalentError struct {
	Exchange string
	Property string // as users write it: type, durable, auto_delete, internal, or an argument
	Received Value  // absent: the declaration does not have it
	Current  Value
}

func (e *InequivalentError) Error() string {
	return fmt.Sprintf("inequivalent arg '%s' for exchange '%s': received %s but current is %s",
		e.Property, e.Exchange, quoted(e.Received), quoted(e.Current))
}

// Unwrap makes errors.Is find the sentinel.
func (e *InequivalentError) Unwrap() error { return ErrInequivalent }

func quoted(v Value) string {
	if v.Kind() == Absent {
		return "none"
	}
	return "'" + v.String() + "'"
}
