package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// naru is `naru serve` with the endpoint of the API only, durable as it comes.
func naru(binary string) peer.Spec {
	return peer.Spec{
		Name: report.Naru, Title: "Naru", Durability: "`--sync always`: fdatasync before each answer",
		Command: func(h peer.Home) []string {
			argv := []string{binary, "serve", "--data", h.Data(), "--http", h.Addr(), "--kafka", "off", "--aws", "off", "--amqp", "off", "--sync", "always", "--log-level", "warn"}
			if h.Profiled {
				argv = append(argv, "--pprof")
			}
			return argv
		},
	}
}

// row is one kind of call, one way to make it, and how many do.
type row struct {
	id      string
	title   string
	grpc    bool
	receive bool
	workers int
}

func rows() (out []row) {
	for _, way := range []string{"json", "grpc"} {
		for _, call := range []string{"produce", "receive"} {
			for _, n := range []int{16, 64} {
				title := map[string]string{
					"json": "JSON over HTTP/1.1", "grpc": "gRPC", "produce": "Produce of a record", "receive": "Receive and Ack of a message",
				}
				out = append(out, row{
					id: fmt.Sprintf("%s-%s-%d", way, call, n), title: fmt.Sprintf("%s, %s, %d workers", title[way], title[call], n),
					grpc: way == "grpc", receive: call == "receive", workers: n,
				})
			}
		}
	}
	return out
}

// chosen are the rows whose id has one of the words.
func chosen(words []string) []row {
	return slices.DeleteFunc(rows(), func(r row) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(r.id, w) })
	})
}

func (r row) group() report.Group {
	what, unit, latency := "requests", "µs per request", "a call"
	if r.receive {
		what, unit, latency = "messages, two requests each", "µs per message", "both calls"
	}
	return report.Group{Title: r.title, Measures: []report.Measure{
		{ID: r.id + ".rate", Text: what, Unit: "per second", Targets: []report.Target{{Versus: sideNothing, Bound: 0.6, Display: "≥ 0.6× do-nothing"}}},
		{ID: r.id + ".p50", Text: latency + ", p50", Unit: "ms", Digits: 2},
		{ID: r.id + ".p99", Text: latency + ", p99", Unit: "ms", Digits: 2},
		{ID: r.id + ".cpu", Text: "server CPU", Unit: unit, Digits: 1},
		{ID: r.id + ".client", Text: "client CPU", Unit: unit, Digits: 1},
		{ID: r.id + ".peak", Text: "server memory, peak", Unit: "MiB"},
	}}
}

// groups is the table, in order.
func groups() (out []report.Group) {
	for _, r := range rows() {
		out = append(out, r.group())
	}
	return append(out, report.Group{Title: "the machine meanwhile", Measures: []report.Measure{
		{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
	}})
}
