package admin

import (
	"net/http"

	"github.com/narumq/naru/internal/fault"
)

// status is the one place where an error of the core becomes one of HTTP.
func status(code fault.Code) int {
	switch code {
	case fault.InvalidArgument, fault.OutOfRange:
		return http.StatusBadRequest
	case fault.NotFound:
		return http.StatusNotFound
	case fault.AlreadyExists, fault.FailedPrecondition, fault.Aborted:
		return http.StatusConflict
	case fault.PermissionDenied:
		return http.StatusForbidden
	case fault.ResourceExhausted:
		return http.StatusTooManyRequests
	case fault.Unimplemented:
		return http.StatusNotImplemented
	case fault.Unavailable, fault.Canceled:
		return http.StatusServiceUnavailable
	case fault.DeadlineExceeded:
		return http.StatusGatewayTimeout
	case fault.DataLoss, fault.Internal, fault.Unknown:
		return http.StatusInternalServerError
	}
	return 0
}

func errorOf(err error) *Error {
	if err == nil {
		return nil
	}
	return &Error{fault.CodeOf(err).String(), err.Error()}
}

var (
	errStopping  = fault.New(fault.Unavailable, "the server is stopping")
	errNotLocal  = fault.New(fault.PermissionDenied, "this API answers only clients on the same machine, as there is no authentication yet")
	errHost      = fault.New(fault.PermissionDenied, "this API wants the server named by its address or as localhost")
	errMalformed = fault.New(fault.InvalidArgument, "malformed request")
	errTooLarge  = fault.New(fault.ResourceExhausted, "the request is too large")
	errReceipt   = fault.New(fault.InvalidArgument, "malformed receipt")
)
