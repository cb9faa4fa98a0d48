package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// benchFlags are the command line of bench. Every dimension is bounded.
type benchFlags struct {
	records     int64
	bytes       int
	partitions  int32
	clients     int
	duration    time.Duration
	rate        int
	compression string
	acks        string
	topic       string
}

func (b *benchFlags) check() error {
	for _, c := range []struct {
		flag              string
		have, least, most int64
	}{
		{"--records", b.records, 1, 1e9},
		{"--size", int64(b.bytes), 1, 8 << 20},
		{"--partitions", int64(b.partitions), 1, 10_000},
		{"--clients", int64(b.clients), 1, 256},
		{"--rate", int64(b.rate), 1, 1_000_000},
		{"--duration", int64(b.duration), int64(time.Second), int64(time.Hour)},
	} {
		if c.have < c.least || c.have > c.most {
			if c.flag == "--duration" {
				return usageError("--duration %v: want 1s to 1h", b.duration)
			}
			return usageError("%s %d: want %d to %d", c.flag, c.have, c.least, c.most)
		}
	}
	return nil
}

// benchResult is one line of the answer.
type benchResult struct {
	Test       string  `json:"test"`
	Records    int64   `json:"records"`
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	RecordsSec float64 `json:"records_per_second"`
	BytesSec   float64 `json:"bytes_per_second"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	P999       float64 `json:"p999_ms"`
	Max        float64 `json:"max_ms"`
}

func newResult(test string, bytesEach int, took time.Duration, h *histogram) benchResult {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	r := benchResult{Test: test, Records: h.count, Bytes: h.count * int64(bytesEach), Seconds: took.Seconds(),
		P50: ms(h.percentile(50)), P99: ms(h.percentile(99)), P999: ms(h.percentile(99.9)), Max: ms(h.most)}
	if r.Seconds > 0 {
		r.RecordsSec, r.BytesSec = float64(r.Records)/r.Seconds, float64(r.Bytes)/r.Seconds
	}
	return r
}

type benchTest func(b *bench, ctx context.Context) (benchResult, error)

func (a *app) benchCommand() *cobra.Command {
	all := []benchTest{(*bench).runProduce, (*bench).runConsume, (*bench).runLatency}
	long := "Measure a broker with a topic of its own, which is deleted at the end.\n" +
		"  produce  as fast as it goes; latency is from handing a record to the client to its acknowledgement\n" +
		"  consume  what produce wrote, from the beginning (latency is the time between two polls)\n" +
		"  latency  from producer to consumer at a steady --rate, from when each record was due\n" +
		"Works against any broker that speaks the Kafka protocol. For comparisons see bench/README.md."
	cmd := a.benchLeaf("bench", "Measure throughput and latency", long, all...)
	cmd.AddCommand(
		a.benchLeaf("produce", "Measure producing", "", (*bench).runProduce),
		a.benchLeaf("consume", "Measure producing, then consuming", "", (*bench).runProduce, (*bench).runConsume),
		a.benchLeaf("latency", "Measure latency from end to end", "", (*bench).runLatency),
	)
	return cmd
}

func (a *app) benchLeaf(use, short, long string, tests ...benchTest) *cobra.Command {
	var b benchFlags
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.bench(cmd.Context(), &b, tests) }}
	f := cmd.Flags()
	f.Int64Var(&b.records, "records", 1_000_000, "most records of the throughput tests")
	f.IntVar(&b.bytes, "size", 1024, "bytes of a record's value")
	f.Int32Var(&b.partitions, "partitions", 6, "partitions of the topic")
	f.IntVar(&b.clients, "clients", 1, "clients that produce, or consume, at once")
	f.DurationVar(&b.duration, "duration", 10*time.Second, "most time for each test")
	f.IntVar(&b.rate, "rate", 1000, "records per second of the latency test")
	f.StringVarP(&b.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&b.acks, "acks", "all", "acknowledgement to wait for: all, 1 or 0")
	f.StringVar(&b.topic, "topic", "", "name of the topic to make (default: a name that is free)")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}

// bench is one run.
type bench struct {
	*benchFlags
	app     *app
	payload []byte
	options func(more ...kgo.Opt) []kgo.Opt // afresh for each client: kgo writes to what it is given
}

func (a *app) bench(ctx context.Context, flags *benchFlags, tests []benchTest) (err error) {
	if err := flags.check(); err != nil {
		return err
	}
	p := produceFlags{compression: flags.compression, acks: flags.acks, partition: -1}
	batchBytes := int32(max(batchBytesDefault, flags.bytes+1024))
	if _, err := p.options(batchBytes); err != nil {
		return err
	}
	if flags.topic == "" {
		flags.topic = fmt.Sprintf("naru-bench-%x", time.Now().UnixNano())
	}
	b := &bench{benchFlags: flags, app: a, payload: make([]byte, flags.bytes)}
	b.options = func(more ...kgo.Opt) []kgo.Opt {
		options, _ := p.options(batchBytes) // checked above
		return append(options, more...)
	}
	rand.Read(b.payload) // never fails; a codec shall not find zeros to squeeze
	if err := b.makeTopic(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.deleteTopic(ctx)) }()

	var results []benchResult
	for _, test := range tests {
		r, err := test(b, ctx)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	return a.show(results, func(w io.Writer) error {
		t := newTable("TEST", "RECORDS", "SECONDS", "RECORDS/S", "THROUGHPUT", "P50", "P99", "P99.9", "MAX")
		for _, r := range results {
			t.row(r.Test, r.Records, fmt.Sprintf("%.1f", r.Seconds), fmt.Sprintf("%.0f", r.RecordsSec),
				humanBytes(int64(r.BytesSec))+"/s", millis(r.P50), millis(r.P99), millis(r.P999), millis(r.Max))
		}
		return t.write(w)
	})
}

func millis(ms float64) string { return fmt.Sprintf("%.2f ms", ms) }

func (b *bench) makeTopic(ctx context.Context) error {
	cl, err := b.app.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	settings := map[string]*string{}
	if b.bytes+1024 > 1<<20 {
		most := fmt.Sprint(nextPowerOfTwo(b.bytes + 1024))
		settings["max.message.bytes"] = &most
	}
	made, err := cl.adm.CreateTopics(ctx, b.partitions, -1, settings, b.topic)
	if err != nil {
		return err
	}
	t := made[b.topic]
	return refused(t.Err, t.ErrMessage, "topic %q", b.topic)
}

// deleteTopic also works after an interrupt.
func (b *bench) deleteTopic(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.app.timeout)
	defer cancel()
	cl, err := b.app.connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	answer, err := cl.adm.DeleteTopics(ctx, b.topic)
	if err != nil {
		return err
	}
	return refused(answer[b.topic].Err, "", "topic %q", b.topic)
}
