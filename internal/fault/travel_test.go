package fault_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/narumq/naru/internal/fault"
)

var (
	errHere  = fault.New(fault.NotFound, "travel: here")
	errThere = fault.New(fault.Aborted, "travel: there")
	errTwice = fault.New(fault.Aborted, "travel: twice")
	_        = fault.New(fault.Internal, "travel: twice")
)

// What travelled is what it was: the text, the code, and the sentinels.
func TestErrorsTravel(t *testing.T) {
	for _, c := range []struct {
		err  error
		code fault.Code
		is   []error
	}{
		{errHere, fault.NotFound, []error{errHere}},
		{fmt.Errorf("at 3: %w", errHere), fault.NotFound, []error{errHere}},
		{fmt.Errorf("%w: because %w", errThere, errHere), fault.Aborted, []error{errHere, errThere}},
		{errors.Join(errors.New("plain"), errHere), fault.NotFound, []error{errHere}},
		{fmt.Errorf("late: %w", context.DeadlineExceeded), fault.DeadlineExceeded, []error{context.DeadlineExceeded}},
		{context.Canceled, fault.Canceled, []error{context.Canceled}},
		{errors.New("plain"), fault.Unknown, nil},
	} {
		got := fault.Rebuild(c.err.Error(), fault.Sentinels(c.err))
		if got.Error() != c.err.Error() || fault.CodeOf(got) != c.code {
			t.Errorf("%v became %v with code %v", c.err, got, fault.CodeOf(got))
		}
		for _, want := range c.is {
			if !errors.Is(got, want) {
				t.Errorf("%v lost %v", got, want)
			}
		}
		if errors.Is(got, errTwice) {
			t.Errorf("%v is %v", got, errTwice)
		}
	}
}

// A sentinel that this process does not have, or has twice, keeps its code.
func TestUnknownSentinel(t *testing.T) {
	for _, s := range []fault.Sentinel{{Code: "data_loss", Text: "of a newer version"}, {Code: "data_loss", Text: "travel: twice"}} {
		got := fault.Rebuild("x", []fault.Sentinel{s})
		if fault.CodeOf(got) != fault.DataLoss || errors.Is(got, errTwice) {
			t.Errorf("%v became %v with code %v", s, got, fault.CodeOf(got))
		}
	}
	if got := fault.Rebuild("x", []fault.Sentinel{{Code: "of a newer version"}}); fault.CodeOf(got) != fault.Unknown {
		t.Errorf("code %v", fault.CodeOf(got))
	}
}

func TestAmbiguous(t *testing.T) {
	if got := fault.Ambiguous(); len(got) != 1 || got[0] != "travel: twice" {
		t.Errorf("got %q", got)
	}
}
