package main

import (
	"fmt"

	"github.com/narumq/naru/bench/internal/report"
)

func atMost(bound float64, text string) []report.Target {
	return []report.Target{{Bound: bound, AtMost: true, Display: text}}
}

// groups is the table, in order.
func groups() (out []report.Group) {
	for _, brokers := range []int{1, 3} {
		for _, width := range widths {
			out = append(out, scaled(brokers, width))
		}
	}
	return append(out,
		report.Group{Title: "a plain uploader of 8 MiB objects, 4 at a time, nothing else to do", Measures: []report.Measure{
			{ID: "plain.mib", Text: "throughput", Unit: "MiB/s", Digits: 1},
			{ID: "plain.s3cpu", Text: "S3 server CPU", Unit: "s per GiB", Digits: 2},
			{ID: "plain.client", Text: "uploader CPU", Unit: "s per GiB", Digits: 2},
		}},
		report.Group{Title: "catch-up from the beginning, 64 partitions, 1 broker", Measures: []report.Measure{
			{ID: "cold.mib", Text: "read", Unit: "MiB/s"},
		}},
		report.Group{Title: "cost at full speed, 64 partitions, 1 broker", Measures: priced("full",
			atMost(1.3, "≤ 1.3"), atMost(2, "≤ 2"))},
		report.Group{Title: "cost at 1 MiB/s, 8 partitions, 1 broker", Measures: append(priced("paced", nil, nil),
			report.Measure{ID: "month.requests", Text: "requests to the bucket", Unit: "$ a month", Digits: 2},
			report.Measure{ID: "month.storage", Text: "storage", Unit: "$ a month", Digits: 2},
			report.Measure{ID: "month", Text: "both", Unit: "$ a month", Digits: 2},
		)},
		report.Group{Title: "a reader at the tail of that", Measures: []report.Measure{
			{ID: "tail.p50", Text: "due to received, p50", Unit: "ms", Digits: 1},
			{ID: "tail.p99", Text: "due to received, p99", Unit: "ms", Digits: 1},
			{ID: "tail.gets", Text: "GETs", Unit: "per MiB", Digits: 2},
		}},
		report.Group{Title: "fail-over: SIGKILL of the broker that leads most of 64 partitions, of 3 brokers", Measures: []report.Measure{
			{ID: "failover.led", Text: "partitions that it led", Unit: ""},
			{ID: "failover.median", Text: "without acknowledgement, half of them", Unit: "s", Digits: 2},
			{ID: "failover.worst", Text: "without acknowledgement, the last", Unit: "s", Digits: 2},
			{ID: "failover.over", Text: "that, beyond the lease", Unit: "s", Digits: 2, Targets: atMost(2, "≤ 2 s")},
		}},
		report.Group{Title: "the machine meanwhile", Measures: []report.Measure{
			{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
		}},
	)
}

func scaled(brokers int, width int32) report.Group {
	id := fmt.Sprintf("b%d.p%d", brokers, width)
	var half []report.Target
	var ofPlain []report.Measure
	if brokers == 1 {
		ofPlain = []report.Measure{{ID: id + ".ofplain", Text: "of what the bucket takes from a plain uploader", Unit: "", Digits: 2}}
	}
	if brokers == 1 && width > 1 {
		half = []report.Target{{Versus: sideDisk, Bound: 0.5, Display: "≥ 0.5× alone"}}
	}
	measures := append([]report.Measure{{ID: id + ".mib", Text: "throughput", Unit: "MiB/s", Digits: 1, Targets: half}}, ofPlain...)
	measures = append(measures, processors(id, "broker")...)
	return report.Group{Title: fmt.Sprintf("%d broker(s), %d partition(s)", brokers, width), Measures: append(measures,
		report.Measure{ID: id + ".acks", Text: "one in flight in each: acknowledged", Unit: "records/s"},
		report.Measure{ID: id + ".p50", Text: "produce to ack, p50", Unit: "ms", Digits: 1},
		report.Measure{ID: id + ".p99", Text: "produce to ack, p99", Unit: "ms", Digits: 1},
	)}
}

// processors are rows of CPU time.
func processors(id, first string) []report.Measure {
	measure := func(what, text string) report.Measure {
		return report.Measure{ID: id + what, Text: text + " CPU", Unit: "s per GiB", Digits: 2}
	}
	return []report.Measure{measure(".cpu", first), measure(".s3cpu", "S3 server"), measure(".etcdcpu", "etcd"), measure(".client", "client")}
}

func priced(id string, sent, flush []report.Target) []report.Measure {
	return []report.Measure{
		{ID: id + ".puts", Text: "PUTs", Unit: "per MiB", Digits: 2},
		{ID: id + ".gets", Text: "GETs", Unit: "per MiB", Digits: 2},
		{ID: id + ".sent", Text: "bytes sent to the bucket", Unit: "per byte", Digits: 2, Targets: sent},
		{ID: id + ".stored", Text: "bytes stored in the end", Unit: "per byte", Digits: 2},
		{ID: id + ".object", Text: "sent for each flush", Unit: "MiB", Digits: 2},
		{ID: id + ".perflush", Text: "PUTs, manifests and merges included", Unit: "per flush", Digits: 2, Targets: flush},
		{ID: id + ".etcd", Text: "calls of etcd", Unit: "per MiB", Digits: 2},
		{ID: id + ".etcdbytes", Text: "bytes to and from etcd", Unit: "per MiB"},
	}
}
