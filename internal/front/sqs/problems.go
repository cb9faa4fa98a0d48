package sqs

import (
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/front/aws"
)

type problem struct{ code, text string }

func (p *problem) Error() string { return p.code + ": " + p.text }

const (
	reasonQueueType   = "The request include parameter that is not valid for this queue type."
	invalidCharacters = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
)

func invalidValue(format string, args ...any) error {
	return &problem{"InvalidParameterValue", fmt.Sprintf(format, args...)}
}

func invalidParameter(name string, value any, reason string) error {
	return invalidValue("Value %v for parameter %s is invalid. Reason: %s", value, name, reason)
}

func missingParameter(name string) error {
	return &problem{"MissingParameter", "The request must contain the parameter " + name + "."}
}

func invalidContents() error { return &problem{"InvalidMessageContents", invalidCharacters} }

// clip shortens what a client gave so that an answer can quote it.
func clip(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return s
}

func batchProblem(code, format string, args ...any) error {
	return &problem{"AWS.SimpleQueueService." + code, fmt.Sprintf(format, args...)}
}

func invalidReceipt(handle string) error {
	return &problem{"ReceiptHandleIsInvalid", `The input receipt handle "` + clip(handle) + `" is not a valid receipt handle.`}
}

// failure is an entry of a batch that failed.
type failure struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// asInvalid is for what is missing in an entry of a batch: there AWS says
// InvalidParameterValue.
func asInvalid(err error) error {
	p := *err.(*problem)
	p.code = "InvalidParameterValue"
	return &p
}

func failureOf(id string, err error) failure {
	out := failure{Id: id, Code: "InternalError", Message: err.Error()}
	var e *aws.Error
	if errors.As(asError(err), &e) {
		out.SenderFault, out.Code, out.Message = !e.Fault, e.Code, e.Message
	}
	return out
}
