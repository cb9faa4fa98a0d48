package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"connectrpc.com/connect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/record"
)

var (
	errStopping  = fault.New(fault.Unavailable, "the server is stopping")
	errStarting  = fault.New(fault.Unavailable, "the server is starting")
	errNotLocal  = fault.New(fault.PermissionDenied, "the API answers only clients on the same machine, as there is no authentication yet (--api-remote)")
	errHost      = fault.New(fault.PermissionDenied, "the API wants the server named by its address or as localhost")
	errOrigin    = fault.New(fault.PermissionDenied, "the API does not answer pages of other origins")
	errInvalid   = fault.New(fault.InvalidArgument, "invalid request")
	errTooLarge  = fault.New(fault.ResourceExhausted, "the request is too large")
	errAsked     = fault.New(fault.AlreadyExists, "the queue has this message already, as a duplicate nobody answers it")
	errSlow      = fault.New(fault.DeadlineExceeded, "the request did not come in time")
	errMediaType = fault.New(fault.InvalidArgument, "unsupported media type")
	errAccept    = fault.New(fault.InvalidArgument, "no such version or media type")
	errNoPath    = fault.New(fault.NotFound, "no such path")
	errMethod    = fault.New(fault.Unimplemented, "method not allowed")
	errDelivery  = fault.New(fault.InvalidArgument, "malformed delivery")
	errInternal  = fault.New(fault.Internal, "internal error; see the server's log")
	errTimeout   = fault.New(fault.DeadlineExceeded, "no answer within the timeout")
)

// codes are the codes of gRPC for those of the core.
var codes = map[fault.Code]connect.Code{
	fault.Unknown: connect.CodeInternal, fault.Canceled: connect.CodeCanceled, fault.DeadlineExceeded: connect.CodeDeadlineExceeded,
	fault.InvalidArgument: connect.CodeInvalidArgument, fault.NotFound: connect.CodeNotFound, fault.AlreadyExists: connect.CodeAlreadyExists,
	fault.OutOfRange: connect.CodeOutOfRange, fault.FailedPrecondition: connect.CodeFailedPrecondition,
	fault.PermissionDenied: connect.CodePermissionDenied, fault.ResourceExhausted: connect.CodeResourceExhausted,
	fault.Aborted: connect.CodeAborted, fault.Unimplemented: connect.CodeUnimplemented, fault.Unavailable: connect.CodeUnavailable,
	fault.DataLoss: connect.CodeDataLoss, fault.Internal: connect.CodeInternal,
}

// statuses are those of HTTP, as the Connect protocol maps the codes.
var statuses = map[connect.Code]int{
	connect.CodeCanceled: 499, connect.CodeUnknown: 500, connect.CodeInvalidArgument: 400, connect.CodeDeadlineExceeded: 504,
	connect.CodeNotFound: 404, connect.CodeAlreadyExists: 409, connect.CodePermissionDenied: 403, connect.CodeResourceExhausted: 429,
	connect.CodeFailedPrecondition: 400, connect.CodeAborted: 409, connect.CodeOutOfRange: 400, connect.CodeUnimplemented: 501,
	connect.CodeInternal: 500, connect.CodeUnavailable: 503, connect.CodeDataLoss: 500, connect.CodeUnauthenticated: 401,
}

// finer are errors whose status says more than their code.
var finer = []struct {
	err    error
	status int
}{
	{errTooLarge, http.StatusRequestEntityTooLarge}, {record.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{errSlow, http.StatusRequestTimeout}, {broker.ErrMessageTooLarge, http.StatusRequestEntityTooLarge},
	{errMediaType, http.StatusUnsupportedMediaType}, {errAccept, http.StatusNotAcceptable}, {errMethod, http.StatusMethodNotAllowed},
}

func codeOf(err error) connect.Code {
	var e *connect.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return codes[fault.CodeOf(err)]
}

// itemError is what is said of one item of a request.
func itemError(err error) *naruv1.Error {
	if err == nil {
		return nil
	}
	return &naruv1.Error{Code: codeOf(err).String(), Message: err.Error()}
}

// refuse writes an error as the Connect protocol does for unary calls.
func refuse(w http.ResponseWriter, err error) {
	code, status := codeOf(err), 0
	for _, f := range finer {
		if errors.Is(err, f.err) {
			status = f.status
			break
		}
	}
	if status == 0 {
		status = statuses[code]
	}
	message := err.Error()
	var e *connect.Error
	if errors.As(err, &e) {
		message = e.Message()
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Code    string `json:"code"`
		Message string `json:"message"`
		Details []any  `json:"details"`
	}{code.String(), message, []any{}})
}

// NotReady answers in place of a Server that there is not yet.
func NotReady(w http.ResponseWriter) { refuse(w, errStarting) }

func (s *Server) recovered(what string, p any) error {
	s.log.Error("api: panic", "call", what, "panic", p, "stack", string(debug.Stack()))
	return connect.NewError(connect.CodeInternal, errInternal)
}

// translate gives the errors of handlers their codes.
type translate struct{ s *Server }

func (t translate) err(what string, err error) error {
	var e *connect.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	code := codes[fault.CodeOf(err)]
	if code == connect.CodeInternal || code == connect.CodeDataLoss {
		t.s.log.Error("api: call failed", "call", what, "err", err)
	}
	return connect.NewError(code, trimmed(err))
}

// trimmed is err with a text that may end a field of a header (RFC 9113 section
// 8.2.1): texts may end in what a client gave.
func trimmed(err error) error {
	if text := err.Error(); strings.TrimSpace(text) != text {
		return trimmedError{err}
	}
	return err
}

type trimmedError struct{ error }

func (e trimmedError) Error() string { return strings.TrimSpace(e.error.Error()) }
func (e trimmedError) Unwrap() error { return e.error }

// WrapUnary implements connect.Interceptor.
func (t translate) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		out, err := next(ctx, r)
		return out, t.err(r.Spec().Procedure, err)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (t translate) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (t translate) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		return t.err(c.Spec().Procedure, next(ctx, c))
	}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errInvalid, fmt.Sprintf(format, args...))
}
