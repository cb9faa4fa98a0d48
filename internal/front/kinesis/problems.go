package kinesis

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

// The errors that Kinesis's model lists.
func problem(shape, format string, args ...any) error {
	return &aws.Error{Shape: shape, Message: fmt.Sprintf(format, args...)}
}

func invalidArgument(format string, args ...any) error {
	return problem("InvalidArgumentException", format, args...)
}

func invalid(format string, args ...any) error {
	return problem("ValidationException", format, args...)
}

func notFound(format string, args ...any) error {
	return problem("ResourceNotFoundException", format, args...)
}

func inUse(format string, args ...any) error {
	return problem("ResourceInUseException", format, args...)
}

func limitExceeded(format string, args ...any) error {
	return problem("LimitExceededException", format, args...)
}

func noStream(name string) error {
	return notFound("Stream %s under account %s not found.", clip(name), Account)
}

// clip shortens what a client gave so that an answer can quote it.
func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

// asError puts an error into Kinesis's words: the broker's by sentinel where there
// is one, else by code.
func asError(err error) error {
	var done *aws.Error
	switch {
	case err == nil, errors.As(err, &done), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, catalog.ErrUnknownTopic), errors.Is(err, broker.ErrUnknownPartition):
		return notFound("%s", err)
	case errors.Is(err, catalog.ErrTopicExists), errors.Is(err, catalog.ErrTopicInUse), errors.Is(err, catalog.ErrInternalTopic):
		return inUse("%s", err)
	case errors.Is(err, catalog.ErrReshard):
		return invalidArgument("%s", err)
	case errors.Is(err, record.ErrTooLarge):
		return invalidArgument("%s", err)
	case errors.Is(err, catalog.ErrLimit):
		return limitExceeded("%s", err)
	}
	return ofCode(fault.CodeOf(err), err)
}

// ofCode is for errors that are nothing special to Kinesis. Clients try again after
// those that are the server's fault.
func ofCode(code fault.Code, err error) error {
	switch code {
	case fault.InvalidArgument, fault.OutOfRange:
		return invalidArgument("%s", err)
	case fault.NotFound:
		return notFound("%s", err)
	case fault.AlreadyExists, fault.FailedPrecondition:
		return inUse("%s", err)
	case fault.PermissionDenied:
		return problem("AccessDeniedException", "%s", err)
	case fault.ResourceExhausted, fault.Unavailable, fault.DeadlineExceeded, fault.Canceled, fault.Aborted: // a full disk
		return &aws.Error{Shape: "ServiceUnavailable", Message: err.Error(), Status: 503, Fault: true, Common: true}
	case fault.Unimplemented:
		return &aws.Error{Shape: "UnknownOperationException", Message: err.Error(), Common: true}
	}
	return &aws.Error{Shape: "InternalFailure", Message: err.Error(), Fault: true, Common: true}
}
