package sqs

import "fmt"

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
