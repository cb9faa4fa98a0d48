package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// produceFlags are the command line of produce.
type produceFlags struct {
	files        []string
	whole, json  bool
	delimiter    string
	keySeparator string
	key          string
	headers      []string
	nullMarker   string
	hasKey       bool
	hasNull      bool

	partition   int32
	compression string
	acks        string
	quiet       bool
}

func (a *app) produceCommand() *cobra.Command {
	var p produceFlags
	cmd := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send records from standard input or files",
		Long: "Send records to a topic: each line of standard input, or of the files, is the value of one.\n" +
			"The records are on stable storage (as the broker's --sync says) when the command ends well.",
		Example: "  echo hello | naru produce greetings\n" +
			"  naru produce orders --key-separator : < orders.txt\n" +
			"  naru produce pages --file index.html --whole --key index.html\n" +
			"  apt-cache dumpavail | naru produce packages --delimiter '\\n\\n' --compression zstd\n" +
			"  naru consume orders --json | naru produce orders-copy --json",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.topicArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.hasKey, p.hasNull = cmd.Flags().Changed("key"), cmd.Flags().Changed("null-marker")
			return a.produce(cmd.Context(), args[0], &p)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&p.files, "file", "f", nil, "read this `FILE` instead of standard input (- is standard input); once per file")
	f.BoolVar(&p.whole, "whole", false, "each file, or all of standard input, is one record")
	f.StringVarP(&p.delimiter, "delimiter", "d", `\n`, `what ends a record, such as \0 or \n\n`)
	f.BoolVar(&p.json, "json", false, "each line is a record in JSON, as consume --json writes it")
	f.StringVarP(&p.keySeparator, "key-separator", "K", "", "what stands between key and value, such as : or \\t")
	f.StringVarP(&p.key, "key", "k", "", "key of every record")
	f.StringArrayVarP(&p.headers, "header", "H", nil, "header of every record as `NAME=VALUE`, once per header")
	f.StringVar(&p.nullMarker, "null-marker", "", "a key or value that is this `TEXT` is null; '' makes the empty ones null")
	f.Int32VarP(&p.partition, "partition", "p", -1, "partition to send to (default: by the key's hash)")
	f.StringVarP(&p.compression, "compression", "z", "none", "none, gzip, snappy, lz4 or zstd")
	f.StringVar(&p.acks, "acks", "all", "acknowledgement to wait for: all, 1 or 0")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "no progress and no summary")
	a.clientFlags(cmd)
	return cmd
}

// produceOptions are p as options of the client.
func (p *produceFlags) options(batchBytesMax int32) ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[p.compression]
	if !ok {
		return nil, usageError("--compression %q: want none, gzip, snappy, lz4 or zstd", p.compression)
	}
	opts := []kgo.Opt{
		kgo.AllowAutoTopicCreation(),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytes(batchBytesMax),
		kgo.MaxBufferedBytes(max(32<<20, 2*int(batchBytesMax))),
	}
	switch p.acks {
	case "all", "-1":
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	default:
		return nil, usageError("--acks %q: want all, 1 or 0", p.acks)
	}
	switch {
	case p.partition >= 0:
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	case p.partition != -1:
		return nil, usageError("--partition %d: want 0 or more", p.partition)
	}
	return opts, nil
}

const (
	batchBytesDefault = 1 << 20
	batchBytesLimit   = 64 << 20
)

func (a *app) produce(ctx context.Context, topic string, p *produceFlags) error {
	source, err := a.openInput(p)
	if err != nil {
		return err
	}
	defer source.close()
	if _, err := p.options(batchBytesDefault); err != nil {
		return err // before the broker is asked anything
	}
	batchBytesMax, err := a.topicBatchBytes(ctx, topic)
	if err != nil {
		return err
	}
	opts, err := p.options(batchBytesMax)
	if err != nil {
		return err
	}
	cl, err := a.connect(ctx, append(opts, kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if a.inTerminal && source.interactive && !p.quiet {
		fmt.Fprintln(a.err, "One record per line; Ctrl-D ends.")
	}
	s := &sender{cl: cl, topic: topic, partition: p.partition, progress: a.newProgress(source, p.quiet),
		started: time.Now(), failed: make(chan struct{})}
	err = s.run(ctx, source)
	s.progress.end()
	if !p.quiet {
		fmt.Fprintf(a.err, "sent %s (%s) to %q in %v\n", plural(s.records.Load(), "record"),
			humanBytes(s.bytes.Load()), topic, time.Since(s.started).Round(time.Millisecond))
	}
	return err
}

// topicBatchBytes is the largest batch that the topic takes, so that a file
// sent as one record is not refused by this side.
func (a *app) topicBatchBytes(ctx context.Context, topic string) (int32, error) {
	cl, err := a.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	configs, err := cl.adm.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(configs) == 0 || configs[0].Err != nil {
		return batchBytesDefault, nil // a topic that is yet to be made, or a broker that does not tell
	}
	for _, c := range configs[0].Configs {
		if n, err := strconv.ParseInt(c.MaybeValue(), 10, 32); c.Key == "max.message.bytes" && err == nil {
			return int32(min(max(n, 1<<10), batchBytesLimit)), nil
		}
	}
	return batchBytesDefault, nil
}

// sender moves records from the input to the broker.
type sender struct {
	cl        *client
	topic     string
	partition int32
	progress  *progress
	started   time.Time

	records, bytes atomic.Int64 // acknowledged

	once   sync.Once
	failed chan struct{} // closed with the first failure
	err    error         // it; read after failed is closed
}

func (s *sender) fail(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.failed)
	})
}

func (s *sender) failure() error {
	select {
	case <-s.failed:
		return s.err
	default:
		return nil
	}
}

// run sends until the input ends, ctx ends, or a record fails. What was
// accepted before is still delivered.
func (s *sender) run(ctx context.Context, in *input) error {
	stop := make(chan struct{})
	defer close(stop)
	// An interrupt must not take back what was read already; a stall may.
	work, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	defer giveUp(nil)
	go s.watch(stop, giveUp)
	items := in.read(stop)
	var err error
	for err == nil {
		var item inputItem
		var ok bool
		select {
		case <-ctx.Done():
			err = ctx.Err()
			continue
		case <-s.failed:
			err = s.err
			continue
		case <-work.Done():
			err = context.Cause(work)
			continue
		case item, ok = <-items:
		}
		if !ok {
			break
		}
		if err = item.err; err != nil {
			break
		}
		s.send(work, item)
	}
	flushErr := s.cl.Flush(work)
	if stalled := context.Cause(work); stalled != nil {
		return stalled
	}
	if failed := s.failure(); failed != nil {
		return failed // why, and not what followed from it
	}
	return errors.Join(err, flushErr)
}

// watch gives up when records wait and none has been acknowledged for the
// timeout. The client's own limit goes by the records' timestamps, which may
// be old.
func (s *sender) watch(stop <-chan struct{}, giveUp context.CancelCauseFunc) {
	tick := time.NewTicker(max(s.cl.timeout/8, time.Millisecond))
	defer tick.Stop()
	seen, since := int64(-1), time.Now()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			if n := s.records.Load(); n != seen || s.cl.BufferedProduceRecords() == 0 {
				seen, since = n, now
			} else if now.Sub(since) >= s.cl.timeout {
				giveUp(fmt.Errorf("no acknowledgement for %v (--timeout); what was being sent may or may not have been stored", s.cl.timeout))
				return
			}
		}
	}
}

// send blocks while the client's buffer is full.
func (s *sender) send(ctx context.Context, item inputItem) {
	r := item.record
	r.Partition = s.partition
	s.cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil {
			s.fail(s.explain(r, err))
			return
		}
		s.records.Add(1)
		s.bytes.Add(int64(len(r.Key) + len(r.Value)))
		s.progress.add(item.bytes)
	})
}

func (s *sender) explain(r *kgo.Record, err error) error {
	switch {
	case errors.Is(err, kerr.MessageTooLarge):
		return fmt.Errorf("a record of %d bytes is larger than topic %q accepts: "+
			"raise it with `naru topic alter %s --set max.message.bytes=%d`",
			len(r.Key)+len(r.Value), s.topic, s.topic, nextPowerOfTwo(len(r.Key)+len(r.Value)+1024))
	case errors.Is(err, kerr.UnknownTopicOrPartition) && s.partition < 0:
		return fmt.Errorf("topic %q does not exist and the broker does not create it: `naru topic create %s`", s.topic, s.topic)
	case s.partition >= 0 && (errors.Is(err, kerr.UnknownTopicOrPartition) || r.Partition < 0):
		return fmt.Errorf("topic %q has no partition %d", s.topic, s.partition)
	}
	return refused(err, "", "topic %q", s.topic)
}

func nextPowerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}
