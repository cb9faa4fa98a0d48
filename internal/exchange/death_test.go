package exchange

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestDeaths tells what happens to messages. Each line is
//
//	QUEUE REASON [exchange=X] [keys=A,B] [expiration=MS] [to=QUEUE]
//
// : it dies in QUEUE, and would be dead-lettered to the queue after to.
func TestDeaths(t *testing.T) {
	datadriven.RunTest(t, "testdata/deaths", func(t *testing.T, d *datadriven.TestData) string {
		var deaths Deaths
		var b strings.Builder
		now := int64(1_000)
		for line := range strings.Lines(d.Input) {
			words := strings.Fields(line)
			flags, _ := options(words[2:])
			deaths = deaths.Record(Death{
				Queue: words[0], Reason: Reason(words[1]), Exchange: flags["exchange"], RoutingKeys: list(flags["keys"]),
				TimeMillis: now, OriginalExpiration: flags["expiration"],
			})
			now += 1_000
			fmt.Fprintf(&b, "%s", strings.Join(words, " "))
			if to, ok := flags["to"]; ok {
				fmt.Fprintf(&b, ": %s", map[bool]string{true: "dropped, a cycle", false: "goes on"}[deaths.Cycle(to)])
			}
			b.WriteByte('\n')
		}
		for _, x := range deaths.List {
			fmt.Fprintf(&b, "  %s %s count %d exchange %q keys %q time %d", x.Queue, x.Reason, x.Count, x.Exchange, x.RoutingKeys, x.TimeMillis)
			if x.OriginalExpiration != "" {
				fmt.Fprintf(&b, " original-expiration %s", x.OriginalExpiration)
			}
			b.WriteByte('\n')
		}
		for _, h := range deaths.Headers() {
			fmt.Fprintf(&b, "  %s: %s\n", h.Name, h.Value)
		}
		return b.String()
	})
}

// TestDeathsAreValues: a history that others hold stays as it was, and is bounded.
func TestDeathsAreValues(t *testing.T) {
	var d Deaths
	for i := range DeathsMax + 10 {
		d = d.Record(Death{Queue: strconv.Itoa(i), Reason: Expired})
	}
	if len(d.List) != DeathsMax || d.List[0].Queue != strconv.Itoa(DeathsMax+9) || d.First.Queue != "0" {
		t.Errorf("%d entries, the latest %+v, the first death %+v", len(d.List), d.List[0], d.First)
	}
	before := fmt.Sprint(d)
	last := d.List[DeathsMax-1]
	next := d.Record(Death{Queue: last.Queue, Reason: last.Reason})
	if next.List[0].Count != 2 || len(next.List) != DeathsMax {
		t.Errorf("%+v of %d", next.List[0], len(next.List))
	}
	if after := fmt.Sprint(d); after != before {
		t.Error("recording a death changed the history that it began from")
	}
	if (Deaths{}).Headers() != nil || (Deaths{}).Cycle("q") {
		t.Error("who has not died has no headers, and no cycle")
	}
}
