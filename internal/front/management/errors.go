package management

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/user"
)

// problem is an error as RabbitMQ answers it.
type problem struct {
	status int
	word   string // empty: there is no body
	reason string
}

// Error implements error.
func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.word, p.reason) }

func (p *problem) body() any {
	if p.word == "" {
		return nil
	}
	return object{"error": p.word, "reason": p.reason}
}

var (
	errNotFound = &problem{http.StatusNotFound, "Object Not Found", "Not Found"}
	errNoVHost  = &problem{http.StatusNotFound, "not_found", "vhost_not_found"}
	errRefused  = &problem{http.StatusUnauthorized, "not_authorised", "Access refused."}
	errLogin    = &problem{http.StatusUnauthorized, "not_authorized", "Login failed"}
)

func badRequest(format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, "bad_request", fmt.Sprintf(format, args...)}
}

// words are what RabbitMQ calls the statuses of its errors.
var words = map[int]string{
	http.StatusBadRequest: "bad_request", http.StatusUnauthorized: "not_authorised", http.StatusNotFound: "not_found",
	http.StatusNotImplemented: "not_implemented", http.StatusInternalServerError: "internal_error",
	http.StatusServiceUnavailable: "unavailable",
}

// replyStatus is the status of an error with a reply code of AMQP; others are 400.
var replyStatus = map[int]int{
	403: http.StatusUnauthorized, 404: http.StatusNotFound, 540: http.StatusNotImplemented, 541: http.StatusInternalServerError,
	320: http.StatusServiceUnavailable,
}

// faultStatus is the status of an error that nothing finer is known of.
var faultStatus = map[fault.Code]int{
	fault.Unknown: http.StatusInternalServerError, fault.Canceled: http.StatusServiceUnavailable,
	fault.DeadlineExceeded: http.StatusServiceUnavailable, fault.InvalidArgument: http.StatusBadRequest,
	fault.NotFound: http.StatusNotFound, fault.AlreadyExists: http.StatusBadRequest, fault.OutOfRange: http.StatusBadRequest,
	fault.FailedPrecondition: http.StatusBadRequest, fault.PermissionDenied: http.StatusUnauthorized,
	fault.ResourceExhausted: http.StatusBadRequest, fault.Aborted: http.StatusServiceUnavailable,
	fault.Unimplemented: http.StatusNotImplemented, fault.Unavailable: http.StatusServiceUnavailable,
	fault.DataLoss: http.StatusInternalServerError, fault.Internal: http.StatusInternalServerError,
}

// problemOf is what a tool is told of an error: the one place where they are translated.
func (s *Server) problemOf(err error) *problem {
	var p *problem
	var amqp *amqpError
	status := 0
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &amqp):
		status = replyStatus[amqp.code]
		if status == 0 {
			status = http.StatusBadRequest
		}
		return &problem{status, words[status], amqp.text}
	case errors.Is(err, broker.ErrLoginRefused):
		return errLogin
	case errors.Is(err, broker.ErrUnknownNamespace):
		return errNoVHost
	case errors.Is(err, catalog.ErrUnknownUser):
		return errNotFound
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	case errors.Is(err, user.ErrInvalid):
		status = http.StatusBadRequest
	default:
		status = faultStatus[fault.CodeOf(err)]
	}
	return &problem{status, words[status], err.Error()}
}

// amqpError is an error of AMQP.
type amqpError struct {
	code int
	text string
}

// Error implements error.
func (e *amqpError) Error() string { return e.text }

// explained is err, if it is one, as AMQP says it.
func (s *Server) explained(err error) error {
	if err == nil {
		return nil
	}
	code, text := s.cfg.Explain(err)
	return &amqpError{code, text}
}
