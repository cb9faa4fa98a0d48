package server

import (
	"testing"

	"github.com/narumq/naru/internal/fault"
)

// Errors travel between brokers by their texts: no two sentinels of the product have the
// same.
func TestSentinelsAreUnambiguous(t *testing.T) {
	for _, text := range fault.Ambiguous() {
		t.Errorf("two sentinels say %q", text)
	}
}
