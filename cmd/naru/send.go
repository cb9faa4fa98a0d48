package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// sendFlags are the command line of send. What is a message in an input is said
// as produce says what is a record: the group stands for the key.
type sendFlags struct {
	input         produceFlags
	dedupID       string
	lane          int32
	delay, expiry time.Duration
	delayed       bool // --delay was given
	quiet         bool
}

func (a *app) sendCommand() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send QUEUE [MESSAGE...]",
		Short: "Send messages to a queue",
		Long: "Send messages to a queue: the arguments, or else each line of standard input or of the files.\n" +
			"They are on stable storage (as the broker's --sync says) when the command ends well.",
		Example: "  naru send mails 'to: anna'\n" +
			"  naru send mails --delay 10m < later.txt\n" +
			"  naru send payments.fifo --group anna --dedup-id 17 '3 EUR'\n" +
			"  naru send urgent --lane 2 'now'\n" +
			"  naru receive mails --max 100 --ack --json | naru send mails-copy --json",
		Args: args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.oneQueueArg,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, args []string) error {
		set := cmd.Flags().Changed
		f.input.hasKey, f.input.hasNull, f.delayed = set("group"), set("null-marker"), set("delay")
		if err := f.check(len(args) > 1); err != nil {
			return err
		}
		return a.send(ctx, c, args[0], args[1:], &f)
	})
	in, fl := &f.input, cmd.Flags()
	fl.StringArrayVarP(&in.files, "file", "f", nil, "read this `FILE` instead of standard input (- is standard input); once per file")
	fl.BoolVar(&in.whole, "whole", false, "each file, or all of standard input, is one message")
	fl.StringVarP(&in.delimiter, "delimiter", "d", `\n`, `what ends a message, such as \0 or \n\n`)
	fl.BoolVar(&in.json, "json", false, "each line is a message in JSON, as receive --json writes it")
	fl.StringVarP(&in.key, "group", "g", "", "group of every message: on a fifo queue its messages stay in order")
	fl.StringVarP(&in.keySeparator, "group-separator", "G", "", "what stands between group and value, such as : or \\t")
	fl.StringArrayVarP(&in.headers, "header", "H", nil, "header of every message as `NAME=VALUE`, once per header")
	fl.StringVar(&in.nullMarker, "null-marker", "", "a group or value that is this `TEXT` is null")
	fl.StringVar(&f.dedupID, "dedup-id", "", "dedup `ID` of the message; only one can be sent then")
	fl.Int32VarP(&f.lane, "lane", "l", 0, "priority: higher lanes are delivered first")
	fl.DurationVar(&f.delay, "delay", 0, "hold the messages back so long (default: the queue's delay)")
	fl.DurationVar(&f.expiry, "expiry", 0, "forget a message that was not ended after so long (default: the queue's retention)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no summary")
	a.apiFlags(cmd)
	return cmd
}

func (f *sendFlags) check(arguments bool) error {
	in := &f.input
	switch {
	case arguments && (len(in.files) > 0 || in.whole || in.json):
		return usageError("messages as arguments exclude --file, --whole and --json")
	case in.hasKey && in.keySeparator != "":
		return usageError("want either --group or --group-separator")
	case in.json && (in.whole || in.hasKey || in.keySeparator != "" || in.hasNull || in.delimiter != `\n`):
		return usageError("--json messages carry their own group and nulls: it excludes --whole, --delimiter, --group, --group-separator and --null-marker")
	case f.delay < 0:
		return usageError("--delay %v: want 0 or more", f.delay)
	case f.expiry < 0:
		return usageError("--expiry %v: want 0 or more", f.expiry)
	}
	return nil
}

// openMessages is openInput for messages.
func (a *app) openMessages(arguments []string, f *sendFlags) (*input, error) {
	flags := f.input
	flags.json = false
	in, err := a.openInput(&flags)
	if err != nil {
		return nil, err
	}
	if f.input.json {
		headers, err := f.input.parseHeaders()
		if err != nil {
			return nil, err
		}
		in.make = func(b []byte) (r *kgo.Record, err error) {
			if r, err = parseMessageJSON(b); err == nil {
				r.Headers = append(r.Headers, headers...)
			}
			return r, err
		}
	}
	if len(arguments) > 0 {
		in.interactive, in.total, in.whole, in.sources = false, -1, true, nil
		for i, text := range arguments {
			in.sources = append(in.sources, inputSource{fmt.Sprintf("argument %d", i+1), strings.NewReader(text), nopCloser{}})
		}
	}
	return in, nil
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

func (a *app) send(ctx context.Context, c *api, queue string, arguments []string, f *sendFlags) error {
	in, err := a.openMessages(arguments, f)
	if err != nil {
		return err
	}
	defer in.close()
	if a.inTerminal && in.interactive && !f.quiet {
		fmt.Fprintln(a.err, "One message per line; Ctrl-D ends.")
	}
	s := &messageSender{c: c, queue: queue, f: f, progress: a.newProgress(in, f.quiet)}
	began := time.Now()
	err = s.run(ctx, in)
	s.progress.end()
	if !f.quiet && (err == nil || s.sent > 0) {
		text := ""
		if s.duplicates > 0 {
			text = fmt.Sprintf(", %d there already", s.duplicates)
		}
		fmt.Fprintf(a.err, "sent %s (%s)%s to %q in %v\n", plural(s.sent, "message"), humanBytes(s.bytes), text, queue,
			time.Since(began).Round(time.Millisecond))
	}
	return err
}

const (
	sendBatchMax      = 500     // messages of one request
	sendBatchBytesMax = 4 << 20 // but for the last
)

// messageSender sends what an input has, a few messages at a time and in order.
type messageSender struct {
	c        *api
	queue    string
	f        *sendFlags
	progress *progress

	sent, duplicates, bytes int64
}

// run sends until the input ends, ctx ends, or a message is refused.
func (s *messageSender) run(ctx context.Context, in *input) error {
	stop := make(chan struct{})
	defer close(stop)
	items := in.read(stop)
	for {
		batch, err := nextBatch(ctx, items)
		if len(batch) > 0 {
			// An interrupt must not take back what was read already.
			if serr := s.sendBatch(context.WithoutCancel(ctx), batch); serr != nil {
				return serr
			}
		}
		if err != nil || len(batch) == 0 {
			return err
		}
	}
}

// nextBatch waits for an item and takes what is there beside it. It is empty at
// the end. With an error comes what was read before it.
func nextBatch(ctx context.Context, items <-chan inputItem) (batch []inputItem, err error) {
	size := 0
	for len(batch) < sendBatchMax && size < sendBatchBytesMax {
		var item inputItem
		var ok bool
		if len(batch) == 0 {
			select {
			case item, ok = <-items:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			select {
			case item, ok = <-items:
			default:
				return batch, nil
			}
		}
		if !ok || item.err != nil {
			return batch, item.err
		}
		batch = append(batch, item)
		size += len(item.record.Value)
	}
	return batch, nil
}

func (s *messageSender) sendBatch(ctx context.Context, batch []inputItem) error {
	if s.f.dedupID != "" && s.sent+int64(len(batch)) > 1 {
		return usageError("--dedup-id %q is for one message, and there are more", s.f.dedupID)
	}
	in := &naruv1.SendRequest{Queue: s.queue, Messages: make([]*naruv1.NewMessage, len(batch))}
	for i := range batch {
		in.Messages[i] = s.message(batch[i].record)
	}
	var out *naruv1.SendResponse
	err := s.c.call(ctx, 0, func(ctx context.Context) (err error) {
		out, err = s.c.queues.Send(ctx, in)
		return err
	})
	if err != nil {
		return hinted(aboutQueue(s.queue, err))
	}
	var refusal error
	for i, r := range out.GetResults() {
		switch {
		case r.Error != nil && refusal == nil:
			refusal = hinted(fmt.Errorf("queue %q: %s", s.queue, r.Error.GetMessage()))
		case r.Error == nil && i < len(batch):
			s.sent++
			s.bytes += int64(len(batch[i].record.Value))
			s.progress.add(batch[i].bytes)
			if r.Duplicate {
				s.duplicates++
			}
		}
	}
	return refusal
}

// hinted names the flag that helps.
func hinted(err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "needs a group"):
		return fmt.Errorf("%w (--group or --group-separator)", err)
	case strings.Contains(text, "needs a dedup id"):
		return fmt.Errorf("%w (--dedup-id; or create the queue with --dedup-by-content)", err)
	}
	return err
}

func (s *messageSender) message(r *kgo.Record) *naruv1.NewMessage {
	m := &naruv1.NewMessage{Priority: s.f.lane, DedupId: s.f.dedupID}
	if s.f.expiry > 0 {
		m.Expiry = durationpb.New(s.f.expiry)
	}
	if s.f.delayed {
		m.Delay = durationpb.New(s.f.delay)
	}
	if r.Key != nil {
		m.Key = &naruv1.NewMessage_KeyBytes{KeyBytes: r.Key}
	}
	if r.Value != nil {
		m.Value = &naruv1.NewMessage_Bytes{Bytes: r.Value}
	}
	for _, h := range r.Headers {
		one := &naruv1.Header{Name: h.Key}
		if h.Value != nil {
			one.Value = &naruv1.Header_Bytes{Bytes: h.Value}
		}
		m.Headers = append(m.Headers, one)
	}
	return m
}
