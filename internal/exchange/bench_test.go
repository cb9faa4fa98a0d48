package exchange

import (
	"fmt"
	"strings"
	"testing"
)

// benchRoute measures routes of messages in turn.
func benchRoute(b *testing.B, table *Table, exchange string, messages []Message) {
	var r Routing
	queues, i := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		if err := table.Route(&r, exchange, &messages[i%len(messages)]); err != nil {
			b.Fatal(err)
		}
		queues += len(r.Queues)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "routes/s")
	b.ReportMetric(float64(queues)/float64(b.N), "queues/route")
}

func keys(n int, format string) []Message {
	list := make([]Message, n)
	for i := range list {
		list[i].Key = fmt.Sprintf(format, i%20, i/20%25, i%7)
	}
	return list
}

// BenchmarkTopic routes through 10,000 patterns.
func BenchmarkTopic(b *testing.B) {
	for name, pattern := range map[string]func(i int) string{
		"words": func(i int) string { return fmt.Sprintf("region%d.service%d.event%d", i%20, i/20%25, i/500) },
		"stars": func(i int) string { return fmt.Sprintf("region%d.*.event%d", i%20, i/20) },
		"hash":  func(i int) string { return fmt.Sprintf("region%d.#.event%d", i%20, i/20) },
		"mixed": func(i int) string {
			return fmt.Sprintf([]string{
				"region%d.service%d.event%d", "region%d.*.event%[3]d", "*.service%[2]d.event%d", "#.event%[3]d", "region%d.#",
			}[i%5], i/5%20, i/100%25, i/500)
		},
	} {
		b.Run(name, func(b *testing.B) {
			x := newTrie(b)
			for i := range 10_000 {
				x.bind(b, pattern(i), fmt.Sprint("q", i))
			}
			b.ResetTimer()
			benchRoute(b, x.t, trieName, keys(1_000, "region%d.service%d.event%d"))
		})
	}
}

// BenchmarkHostileTopic is the longest key through patterns that match late, or not.
func BenchmarkHostileTopic(b *testing.B) {
	x := newTrie(b)
	for i := range 10_000 {
		x.bind(b, fmt.Sprintf("#.a.#.*.#.w%d", i), "never")
	}
	benchRoute(b, x.t, trieName, []Message{{Key: "a" + strings.Repeat(".a", KeyBytesMax/2)}})
}

func BenchmarkOthers(b *testing.B) {
	table := NewTable()
	for i := range 10_000 {
		for _, def := range []Binding{
			{Source: "amq.direct", Key: fmt.Sprintf("region%d.service%d.event%d", i%20, i/20%25, i/500)},
			{Source: "amq.headers", Arguments: Arguments{{"event", IntValue(int64(i))}, {"type", TextValue("order")}}},
		} {
			def.Destination = fmt.Sprint("q", i)
			must(b, table, func() ([]Change, error) { return table.Bind(def, true) })
		}
		if i%100 == 0 {
			must(b, table, func() ([]Change, error) {
				return table.Bind(Binding{Source: "amq.fanout", Destination: fmt.Sprint("q", i)}, true)
			})
		}
	}
	messages := keys(1_000, "region%d.service%d.event%d")
	b.Run("default", func(b *testing.B) { benchRoute(b, table, Default, messages) })
	b.Run("direct", func(b *testing.B) { benchRoute(b, table, "amq.direct", messages) })
	b.Run("fanout to 100", func(b *testing.B) { benchRoute(b, table, "amq.fanout", messages) })
	b.Run("headers", func(b *testing.B) {
		benchRoute(b, table, "amq.headers", []Message{{Header: header(map[string]Value{"event": IntValue(77), "type": TextValue("order")})}})
	})
}

// BenchmarkBind binds and unbinds beside 10,000 other patterns.
func BenchmarkBind(b *testing.B) {
	x := newTrie(b)
	for i := range 10_000 {
		x.bind(b, fmt.Sprintf("region%d.*.event%d", i%20, i/20), fmt.Sprint("q", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		x.bind(b, "region7.#.new", "q")
		x.unbind(b, "region7.#.new", "q")
	}
}
