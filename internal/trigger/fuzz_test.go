package trigger

import (
	"testing"

	"github.com/narumq/naru/internal/record"
)

// FuzzCommands applies bytes as commands: those that are none change nothing, and
// whatever the others make, a snapshot makes again.
func FuzzCommands(f *testing.F) {
	spec := Spec{Name: "t", Queue: "q", Conditions: []Condition{{On: OnDepth, Depth: 3}, {On: OnEvery}}}
	define, err := Define(1, 2, 3, &spec)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(define.Value, Begin(1, 1, []record.Offset{4}, []record.Offset{9}).Value, runCommand(1, &Run{Number: 3, Message: []byte("id"), Failure: "x"}).Value)
	f.Add(define.Value, runCommand(1, &Run{Number: 3}).Value, runCommand(1, &Run{Number: 3, State: Failed, EndedAt: 5}).Value)
	f.Add(define.Value, totalsCommand(&Trigger{ID: 1, next: 4, totals: Totals{3, 2, 1}}).Value, []byte(nil))
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		table := NewTable()
		for _, value := range [][]byte{define.Value, a, b, c} {
			before := dump(table)
			if value != nil && table.Apply(record.Record{Key: Key(1), Value: value}) != nil && dump(table) != before {
				t.Fatalf("%x is malformed, and changed the table", value)
			}
		}
		want := dump(table)
		again := NewTable()
		for _, to := range []*Table{again, table} {
			for _, cmd := range snapshotOf(table) {
				if err := to.Apply(record.Record{Key: cmd.Key, Value: cmd.Value}); err != nil {
					t.Fatal(err)
				}
			}
			if got := dump(to); got != want {
				t.Fatalf("snapshot gives\n%s\nwant\n%s", got, want)
			}
		}
		for _, x := range table.Triggers() { // whatever it is, it can be used
			r := x.Round(1_000)
			for i, cond := range x.Spec.Conditions {
				if cond.On == OnEvery {
					r.Read(i, 0, 5, []Arrived{{Offset: 4}})
				} else {
					r.Look(i, Seen{Ready: 5, High: 5}, nil)
				}
			}
			r.Commands()
			x.Start(1_000, 10)
			x.Runs()
		}
	})
}
