package aws

import (
	"context"
	"net/url"
)

// Call is a request whose sender is known.
type Call struct {
	Service string // the part of X-Amz-Target before the dot; "" for Query
	Action  string
	JSON    bool       // not Query: AWS JSON, or CBOR for those who serve it
	Body    []byte     // of a call that is not Query
	Form    url.Values // of a Query call
	Base    string     // how the client addresses this endpoint: http://host:port
	Path    string     // of the URL
	Region  string     // that the client named; "us-east-1" if it named none
	Trace   string     // X-Amzn-Trace-Id
	// RequestID is in every answer.
	RequestID string

	encoding encoding
	free     func() // gives back the slot of a large request; nil: it has none
}

// Service answers calls.
type Service interface {
	// Serve returns the JSON document, or the XML inside of <ActionResponse>: see
	// Call.Envelope. Its errors should be *Error.
	Serve(ctx context.Context, c *Call) ([]byte, error)
	// Namespace is that of the service's errors in JSON, such as com.amazonaws.sqs,
	// and of its XML. Errors of a service without the former are named alone.
	Namespace() (shape, xml string)
}

// Typed is a Service that reads calls with Unmarshal and writes answers with
// Marshal, and nothing else: it is served in CBOR too.
type Typed interface {
	Service
	// BodyBytesMax bounds the body of a request.
	BodyBytesMax() int64
}

// Error is what a client is told. Sender says whose fault it is.
type Error struct {
	Shape   string // its name in AWS JSON
	Code    string // its name in Query; "" = Shape
	Message string
	Status  int // HTTP; 0 = 400
	Fault   bool
	// Common errors are not the service's own: their shape is in another
	// namespace.
	Common bool
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func (e *Error) code() string {
	if e.Code != "" {
		return e.Code
	}
	return e.Shape
}

func (e *Error) status() int {
	switch {
	case e.Status != 0:
		return e.Status
	case e.Fault:
		return 500
	}
	return 400
}

// party is whose fault it is, as both protocols say it.
func (e *Error) party() string {
	if e.Fault {
		return "Receiver"
	}
	return "Sender"
}

func internalError() *Error {
	return &Error{Shape: "InternalFailure", Code: "InternalError", Message: "We encountered an internal error. Please try again.", Fault: true, Common: true}
}
