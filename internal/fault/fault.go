// Package fault is the closed set of error codes that all rooms share.
//
// Rooms declare sentinels with New and wrap them with %w; a front end turns an
// error into its protocol's own code at exactly one place, by sentinel where
// the protocol is finer than this set, and by Code for everything else.
package fault

import (
	"context"
	"errors"
)

// Code classifies an error by what the caller can do about it. The names are
// those of gRPC and Connect, so that a reader knows them already.
type Code uint8

// The codes. They never reach a disk, so their order is free to change.
const (
	Unknown Code = iota
	Canceled
	DeadlineExceeded
	InvalidArgument
	NotFound
	AlreadyExists
	OutOfRange
	FailedPrecondition
	PermissionDenied
	ResourceExhausted
	Aborted
	Unimplemented
	Unavailable
	DataLoss
	Internal
	codeCount
)

var codeNames = [codeCount]string{
	"unknown", "canceled", "deadline_exceeded", "invalid_argument", "not_found", "already_exists",
	"out_of_range", "failed_precondition", "permission_denied", "resource_exhausted", "aborted",
	"unimplemented", "unavailable", "data_loss", "internal",
}

// String returns the code's name in snake case.
func (c Code) String() string {
	if c < codeCount {
		return codeNames[c]
	}
	return "invalid_code"
}

// Codes returns every code, for tests that check a table for totality.
func Codes() []Code {
	all := make([]Code, codeCount)
	for i := range all {
		all[i] = Code(i)
	}
	return all
}

type coded struct {
	code Code
	text string
}

func (e *coded) Error() string { return e.text }

// New returns a sentinel error with a code. Compare with errors.Is. Its text is its
// name in other processes (see Rebuild): no other sentinel has the same.
func New(code Code, text string) error {
	e := &coded{code, text}
	known.add(e)
	return e
}

// CodeOf returns the code of the outermost coded error in err's tree. An error
// without a code is Unknown; a context's own errors have theirs.
func CodeOf(err error) Code {
	var e *coded
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Unknown
}
