package report

// Names of the sides that targets refer to.
const (
	Naru       = "naru"
	Kafka      = "kafka"
	KafkaFlush = "kafka-fsync"
	ElasticMQ  = "elasticmq"
)

// Target is what the first side should reach. With an empty Versus the bound
// is on its own value, else on its ratio to that side.
type Target struct {
	Versus  string
	Bound   float64
	AtMost  bool // else at least
	Display string
}

// Measure is one row of the table.
type Measure struct {
	ID      string
	Text    string
	Unit    string
	Digits  int // after the point
	Targets []Target
}

// Group is a scenario's rows.
type Group struct {
	Title    string
	Measures []Measure
}

func atMost(bound float64, text string) []Target {
	return []Target{{Bound: bound, AtMost: true, Display: text}}
}

var (
	faster = []Target{
		{Versus: Kafka, Bound: 1, Display: "≥ 1× Kafka"},
		{Versus: KafkaFlush, Bound: 3, Display: "≥ 3× flushed"},
	}
	noSlower   = []Target{{Versus: Kafka, Bound: 1, Display: "≥ 1× Kafka"}}
	halfCPU    = []Target{{Versus: Kafka, Bound: 0.5, AtMost: true, Display: "≤ 0.5× Kafka"}}
	tenthRAM   = []Target{{Versus: Kafka, Bound: 0.1, AtMost: true, Display: "≤ 0.1× Kafka"}}
	noLater    = []Target{{Versus: Kafka, Bound: 1, AtMost: true, Display: "≤ 1× Kafka"}}
	tenFlushed = []Target{{Versus: KafkaFlush, Bound: 10, Display: "≥ 10× flushed"}}
)

// throughput is the rows of one bounded-by-count scenario.
func throughput(id string, rate []Target) []Measure {
	return []Measure{
		{ID: id + ".rate", Text: "throughput", Unit: "records/s", Targets: rate},
		{ID: id + ".cpu", Text: "(e) broker CPU", Unit: "s per million", Digits: 2, Targets: halfCPU},
		{ID: id + ".peak", Text: "(e) broker memory, peak", Unit: "MiB", Targets: tenthRAM},
		{ID: id + ".client", Text: "client CPU", Unit: "s per million", Digits: 2},
	}
}

// produced is throughput with the time until the disk has everything.
func produced(id string) []Measure {
	rows := throughput(id, faster)
	synced := Measure{ID: id + ".synced", Text: "the same until all is on disk", Unit: "records/s"}
	return append(rows[:1:1], append([]Measure{synced}, rows[1:]...)...)
}

// Groups is the whole table, in order.
func Groups() []Group {
	return []Group{
		{"(f) start", []Measure{
			{ID: "ready.ms", Text: "spawn to first metadata that names the broker", Unit: "ms", Targets: atMost(100, "≤ 100 ms")},
			{ID: "firstack.ms", Text: "spawn to first acknowledged record, topic created on the way", Unit: "ms"},
			{ID: "idle.mib", Text: "memory when idle after that", Unit: "MiB", Digits: 1, Targets: atMost(40, "≤ 40 MiB")},
			{ID: "restart.ms", Text: "restart with this run's data", Unit: "ms"},
		}},
		{"(a) produce, synthetic 1 KiB, 6 partitions", produced("a")},
		{"(b) produce and consume at the tail, synthetic", throughput("tail", noSlower)},
		{"(b) consume from a cold start, synthetic", throughput("cold", noSlower)},
		{"(a) produce, package index, keyed", produced("real.a")},
		{"(b) produce and consume at the tail, package index", throughput("real.tail", noSlower)},
		{"(b) consume from a cold start, package index", throughput("real.cold", noSlower)},
		{"(c) end to end at 5,000 records/s", []Measure{
			{ID: "c.p50", Text: "p50", Unit: "ms", Digits: 2},
			{ID: "c.p99", Text: "p99", Unit: "ms", Digits: 2, Targets: noLater},
			{ID: "c.p999", Text: "p99.9", Unit: "ms", Digits: 2},
			{ID: "c.cpu", Text: "(e) broker CPU", Unit: "s per million", Digits: 2, Targets: halfCPU},
			{ID: "c.peak", Text: "(e) broker memory, peak", Unit: "MiB", Targets: tenthRAM},
		}},
		{"(d) 1,000 partitions, one record in flight in each", []Measure{
			{ID: "d.rate", Text: "throughput", Unit: "records/s", Targets: tenFlushed},
			{ID: "d.p50", Text: "produce to ack, p50", Unit: "ms", Digits: 2},
			{ID: "d.p99", Text: "produce to ack, p99", Unit: "ms", Digits: 2, Targets: noLater},
			{ID: "d.cpu", Text: "(e) broker CPU", Unit: "s per million", Digits: 2, Targets: halfCPU},
			{ID: "d.peak", Text: "(e) broker memory, peak", Unit: "MiB", Targets: tenthRAM},
			{ID: "d.client", Text: "client CPU", Unit: "s per million", Digits: 2},
			{ID: "d.create", Text: "create the topic, until each partition took 8 records", Unit: "ms"},
		}},
		{"the machine meanwhile", []Measure{
			{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
		}},
	}
}

var thrice = []Target{{Versus: ElasticMQ, Bound: 3, Display: "≥ 3× ElasticMQ"}}

// calls is the rows of one kind of call on a queue.
func calls(id, what string) []Measure {
	return []Measure{
		{ID: id + ".rate", Text: "messages", Unit: "per second", Targets: thrice},
		{ID: id + ".p50", Text: what + ", p50", Unit: "ms", Digits: 2},
		{ID: id + ".p99", Text: what + ", p99", Unit: "ms", Digits: 2},
		{ID: id + ".cpu", Text: "broker CPU", Unit: "s per million", Digits: 2},
		{ID: id + ".client", Text: "client CPU", Unit: "s per million", Digits: 2},
		{ID: id + ".peak", Text: "broker memory, peak", Unit: "MiB"},
	}
}

// QueueGroups is the table of the comparison of queues, in order.
func QueueGroups() []Group {
	return []Group{
		{"start", []Measure{
			{ID: "ready.ms", Text: "spawn to first answer", Unit: "ms", Targets: atMost(100, "≤ 100 ms")},
			{ID: "idle.mib", Text: "memory when idle", Unit: "MiB", Digits: 1, Targets: atMost(40, "≤ 40 MiB")},
		}},
		{"SendMessage", calls("send", "a call")},
		{"ReceiveMessage and DeleteMessage", calls("receive", "both calls")},
		{"SendMessageBatch of 10", calls("sendbatch", "a call")},
		{"ReceiveMessage of 10 and DeleteMessageBatch", calls("receivebatch", "both calls")},
		{"ten million messages of 20 bytes, queued", []Measure{
			{ID: "held.count", Text: "messages queued", Unit: ""},
			{ID: "held.rss", Text: "memory then", Unit: "MiB", Targets: atMost(300, "≤ 300 MiB")},
			{ID: "held.each", Text: "memory for each, above idle", Unit: "bytes", Digits: 1},
		}},
		{"the machine meanwhile", []Measure{
			{ID: "others.cpu", Text: "CPU used by anything else", Unit: "% of all cores", Digits: 1},
		}},
	}
}

func (r *Results) groups() []Group {
	switch {
	case len(r.Groups) > 0:
		return r.Groups
	case r.Queues:
		return QueueGroups()
	}
	return Groups()
}
