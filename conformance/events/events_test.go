package events

import (
	"bytes"
	"testing"

	"github.com/narumq/naru/conformance/history"
)

func TestParse(t *testing.T) {
	var b bytes.Buffer
	NewPrinter(&b).Print("poll", 3, 17, "p:1")
	l, err := Parse(b.String())
	if err != nil || l.Event.Kind != history.Poll || l.Event.Partition != 3 || l.Event.Offset != 17 || l.Event.Value != "p:1" {
		t.Fatalf("%q parsed as %+v, %v", b.String(), l, err)
	}
	for _, bad := range []string{"", "poll", "poll\t1\t2\t3", "poll\tx\t1\t1\tv", "poll\t1\t1\tx\tv", "jump\t1\t1"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
