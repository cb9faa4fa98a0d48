package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeFlags are the command line of consume.
type consumeFlags struct {
	from, until string
	count       int64
	follow      bool
	partitions  string
	group       string
	format      string
	nullMarker  string
}

// consumption is what the flags mean.
type consumption struct {
	topics     []string
	from       position
	until      *position // nil: never
	count      int64     // -1: all
	partitions []int32   // nil: all
	group      string
	follow     bool
	write      func(b []byte, r *kgo.Record) []byte
}

func (a *app) consumeCommand() *cobra.Command {
	var c consumeFlags
	cmd := &cobra.Command{
		Use:   "consume TOPIC...",
		Short: "Read records",
		Long: "Read records from the oldest to the newest there is, and end; --follow waits for more.\n" +
			"POSITION is " + positionHelp + ".\n\n" +
			"Fields of --format: " + formatHelp,
		Example: "  naru consume greetings\n" +
			"  naru consume orders --follow --from latest --format '%p %o %k %v\\n'\n" +
			"  naru consume orders --from -1h --until -30m --json\n" +
			"  naru consume orders --group billing -n 100",
		Args: args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.topicArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			what, err := c.parse(cmd, args, a.json)
			if err != nil {
				return err
			}
			return a.consume(cmd.Context(), what)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.from, "from", "earliest", "`POSITION` of the first record; with --group, where nothing is committed")
	f.StringVar(&c.until, "until", "", "`POSITION` to stop before (default: latest, the end at the start of the command)")
	f.Int64VarP(&c.count, "count", "n", -1, "stop after so `MANY` records")
	f.BoolVarP(&c.follow, "follow", "F", false, "wait for more records; Ctrl-C ends")
	f.StringVarP(&c.partitions, "partition", "p", "", "`LIST` of partitions to read, such as 0,2 (default: all)")
	f.StringVarP(&c.group, "group", "g", "", "read as a member of this `GROUP` and commit what was written out")
	f.StringVar(&c.format, "format", `%v\n`, "how to write a record; see above")
	f.StringVar(&c.nullMarker, "null-marker", "", "`TEXT` to write for a null key or value")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}

func (c *consumeFlags) parse(cmd *cobra.Command, topics []string, json bool) (*consumption, error) {
	now := time.Now()
	what := &consumption{topics: topics, count: c.count, group: c.group, follow: c.follow}
	var err error
	if what.from, err = parsePosition(c.from, now); err != nil {
		return nil, usageError("--from %w", err)
	}
	if c.follow && c.until != "" {
		return nil, usageError("want either --follow or --until")
	}
	if !c.follow {
		until := position{kind: atLatest}
		if c.until != "" {
			if until, err = parsePosition(c.until, now); err != nil {
				return nil, usageError("--until %w", err)
			}
		}
		what.until = &until
	}
	if c.count < -1 {
		return nil, usageError("--count %d: want 0 or more", c.count)
	}
	if c.partitions != "" {
		if what.partitions, err = parsePartitions(c.partitions); err != nil {
			return nil, usageError("--partition: %w", err)
		}
		if len(topics) > 1 {
			return nil, usageError("--partition goes with one topic")
		}
	}
	if c.group != "" {
		if err := what.checkGroup(); err != nil {
			return nil, err
		}
	}
	if json {
		if cmd.Flags().Changed("format") || cmd.Flags().Changed("null-marker") {
			return nil, usageError("--json excludes --format and --null-marker")
		}
		what.write = appendJSON
		return what, nil
	}
	format, err := parseFormat(c.format, c.nullMarker)
	if err != nil {
		return nil, usageError("--format %q: %w", c.format, err)
	}
	what.write = format.append
	return what, nil
}

// checkGroup refuses what a group cannot do: its members do not choose.
func (c *consumption) checkGroup() error {
	switch {
	case c.partitions != nil:
		return usageError("--group shares out the partitions itself: it excludes --partition")
	case c.until != nil && c.until.kind != atLatest:
		return usageError("with --group, --until can only be latest")
	case c.from.kind == atOffset || c.from.kind == atTail:
		return usageError("with --group, --from is earliest, latest or a time; `naru group reset` moves a group to an offset")
	}
	return nil
}

func (a *app) consume(ctx context.Context, c *consumption) error {
	if c.count == 0 {
		return nil
	}
	out := &recordWriter{out: bufio.NewWriterSize(a.out, 64<<10), write: c.write, left: c.count}
	var err error
	if c.group != "" {
		err = a.consumeGroup(ctx, c, out)
	} else {
		err = a.consumePartitions(ctx, c, out)
	}
	if flushErr := out.out.Flush(); err == nil && flushErr != nil {
		err = fmt.Errorf("standard output: %w", flushErr)
	}
	if c.follow && errors.Is(err, context.Canceled) {
		return nil // Ctrl-C is how following ends
	}
	return err
}

// recordWriter writes records until it has written enough.
type recordWriter struct {
	out   *bufio.Writer
	write func([]byte, *kgo.Record) []byte
	left  int64 // -1: no limit
	line  []byte
}

// record writes r, unless it is a transaction's marker.
func (w *recordWriter) record(r *kgo.Record) error {
	if r.Attrs.IsControl() || w.left == 0 {
		return nil
	}
	w.line = w.write(w.line[:0], r)
	if _, err := w.out.Write(w.line); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	if w.left > 0 {
		w.left--
	}
	return nil
}

func (w *recordWriter) enough() bool { return w.left == 0 }

// batch is how many records to take at once.
func (w *recordWriter) batch() int {
	const most = 10_000
	if w.left < 0 || w.left > most {
		return most
	}
	return int(w.left)
}
