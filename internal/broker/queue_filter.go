package broker

import (
	"fmt"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// Filter is what a view wants of its topic: all terms have to hold.
//
//	filter = term {"," term}
//	term   = name ("=" | "!=") value
//
// name is a header's, or "key" for the record's key. The last header of a name
// counts; one that is not there equals nothing. Spaces around names and values do
// not count.
type Filter []filterTerm

type filterTerm struct {
	name, value string
	not         bool
}

const filterBytesMax = 4 << 10

// ParseFilter reads a filter; "" is none, which matches everything. It fails with
// catalog.ErrInvalidQueue.
func ParseFilter(s string) (f Filter, err error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	if len(s) > filterBytesMax {
		return nil, fmt.Errorf("%w: filter of %d bytes, at most %d are allowed", catalog.ErrInvalidQueue, len(s), filterBytesMax)
	}
	for part := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(part, "=")
		not := strings.HasSuffix(name, "!")
		name = strings.TrimSpace(strings.TrimSuffix(name, "!"))
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: filter term %q, want name=value or name!=value", catalog.ErrInvalidQueue, part)
		}
		f = append(f, filterTerm{name, strings.TrimSpace(value), not})
	}
	return f, nil
}

// Match tells whether all terms hold.
func (f Filter) Match(rec *record.Record) bool {
	for i := range f {
		if f[i].holds(rec) == f[i].not {
			return false
		}
	}
	return true
}

func (t *filterTerm) holds(rec *record.Record) bool {
	if t.name == "key" {
		return rec.Key != nil && string(rec.Key) == t.value
	}
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if h := &rec.Headers[i]; h.Key == t.name {
			return string(h.Value) == t.value
		}
	}
	return false
}
