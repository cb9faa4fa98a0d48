package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// story is a table and what of it is durable.
type story struct {
	table *Table
	log   []Command
}

// carryOut does what was planned, and tells of it.
func (s *story) carryOut(changes []Change, err error) string {
	if err != nil {
		return err.Error()
	}
	if len(changes) == 0 {
		return "nothing to change"
	}
	var said []string
	durable := 0
	for _, c := range changes {
		if c.Durable {
			durable++
			s.log = append(s.log, c.Command)
		}
		if c.Deleted != "" {
			said = append(said, "deletes "+c.Deleted)
		}
		if err := s.table.Apply(c.Command); err != nil {
			return "apply: " + err.Error()
		}
	}
	said = append([]string{fmt.Sprintf("%d changes, %d durable", len(changes), durable)}, said...)
	return strings.Join(said, ", ")
}

// name lets a line speak of the default exchange.
func name(word string) string {
	if word == "(default)" {
		return Default
	}
	return word
}

func value(word string) Value {
	kind, v, _ := strings.Cut(word, ":")
	switch kind {
	case "void":
		return VoidValue()
	case "i":
		i, _ := strconv.ParseInt(v, 10, 64)
		return IntValue(i)
	case "f":
		f, _ := strconv.ParseFloat(v, 64)
		return FloatValue(f)
	case "b":
		return BoolValue(v == "true")
	}
	return TextValue(word)
}

// options splits words such as durable, key=a.b and h:format=pdf.
func options(words []string) (flags map[string]string, values Arguments) {
	flags = make(map[string]string)
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if h, ok := strings.CutPrefix(k, "h:"); ok {
			values = append(values, Argument{h, value(v)})
		} else {
			flags[k] = v
		}
	}
	return flags, values
}

func (s *story) declare(words []string) string {
	flags, args := options(words[2:])
	_, durable := flags["durable"]
	_, autoDelete := flags["auto-delete"]
	_, internal := flags["internal"]
	if v, ok := flags["alternate"]; ok {
		args = append(args, Argument{ArgumentAlternate, value(v)})
	}
	if v, ok := flags["wraps"]; ok {
		args = append(args, Argument{ArgumentWraps, value(v)})
	}
	if name(words[0]) == Default {
		return s.carryOut(s.table.Declare(Spec{Kind: Direct}))
	}
	spec, err := Define(words[0], words[1], durable, autoDelete, internal, args)
	if err != nil {
		return err.Error()
	}
	return s.carryOut(s.table.Declare(spec))
}

// bound reads "logs queue:q1 key=a.b h:format=pdf transient".
func bound(words []string) (b Binding, queueDurable bool) {
	kind, to, _ := strings.Cut(words[1], ":")
	flags, args := options(words[2:])
	b = Binding{Source: name(words[0]), Destination: name(to), Key: flags["key"], Arguments: args}
	if kind == "exchange" {
		b.DestinationKind = ToExchange
	}
	_, transient := flags["transient"]
	return b, !transient
}

func list(word string) []string {
	if word == "" {
		return nil
	}
	return strings.Split(word, ",")
}

func (s *story) route(words []string) string {
	flags, headers := options(words[1:])
	_, fromBroker := flags["from-broker"]
	m := Message{Key: flags["key"], CC: list(flags["cc"]), BCC: list(flags["bcc"]), FromBroker: fromBroker, Header: func(name string) (Value, bool) {
		v := headers.Get(name)
		return v, v.Kind() != Absent
	}}
	var r Routing
	if err := s.table.Route(&r, name(words[0]), &m); err != nil {
		return err.Error()
	}
	slices.Sort(r.Queues)
	slices.Sort(r.Later)
	said := strings.Join(r.Queues, " ")
	if r.DelayMillis > 0 {
		said = strings.TrimSpace(fmt.Sprintf("%s after %d ms: %s", said, r.DelayMillis, strings.Join(r.Later, " ")))
	}
	if r.Unroutable() {
		return "unroutable"
	}
	return said
}

func (s *story) line(words []string) string {
	switch words[0] {
	case "declare":
		return s.declare(words[1:])
	case "delete":
		return s.carryOut(s.table.Delete(name(words[1]), slices.Contains(words, "if-unused")))
	case "bind":
		b, queueDurable := bound(words[1:])
		return s.carryOut(s.table.Bind(b, queueDurable))
	case "unbind":
		b, _ := bound(words[1:])
		return s.carryOut(s.table.Unbind(b))
	case "remove-queue":
		return s.carryOut(s.table.RemoveQueue(words[1]), nil)
	case "route":
		return s.route(words[1:])
	}
	return "what?"
}

func show(t *Table) string {
	var b strings.Builder
	for _, x := range t.Exchanges() {
		if !Predeclared(x.Name) {
			fmt.Fprintf(&b, "%s %s durable=%v auto-delete=%v internal=%v alternate=%q\n", x.Name, x.Kind, x.Durable, x.AutoDelete, x.Internal, x.Alternate)
		}
	}
	for _, x := range t.Bindings() {
		to := "queue"
		if x.DestinationKind == ToExchange {
			to = "exchange"
		}
		fmt.Fprintf(&b, "%s -> %s %s key=%q durable=%v %v\n", x.Source, to, x.Destination, x.Key, x.Durable, x.Arguments)
	}
	return b.String()
}

// restart makes the table that the log makes, which is what the snapshot makes.
func (s *story) restart(t *testing.T) string {
	fromLog, fromSnapshot := replay(t, s.log), replay(t, snapshot(s.table))
	if a, b := show(fromLog), show(fromSnapshot); a != b {
		t.Fatalf("the log gives\n%s\nthe snapshot gives\n%s", a, b)
	}
	s.table = fromLog
	return show(s.table)
}

func snapshot(t *Table) (list []Command) {
	t.Snapshot(func(key, value []byte) { list = append(list, Command{Key: key, Value: value}) })
	return list
}

func replay(t testing.TB, log []Command) *Table {
	table := NewTable()
	for _, c := range log {
		if err := table.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{table: NewTable()}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "do":
				var b strings.Builder
				for line := range strings.Lines(d.Input) {
					line = strings.TrimSpace(line)
					fmt.Fprintf(&b, "%s: %s\n", line, s.line(strings.Fields(line)))
				}
				return b.String()
			case "restart":
				return s.restart(t)
			case "show":
				return show(s.table)
			}
			t.Fatalf("unknown directive %q", d.Cmd)
			return ""
		})
	})
}
