package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
)

// resetRow is one committed offset, before and after; Old is -1 if there was none.
type resetRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Old       int64  `json:"old"`
	New       int64  `json:"new"`
	End       int64  `json:"end"`
	Executed  bool   `json:"executed"`
}

// resetFlags say where to: exactly one of them is given.
type resetFlags struct {
	earliest, latest bool
	offset, shift    int64
	datetime         string
	back             time.Duration

	topics  []string
	all     bool
	execute bool
}

func (a *app) groupResetCommand() *cobra.Command {
	var r resetFlags
	cmd := &cobra.Command{
		Use:   "reset GROUP (--topic TOPIC[:PARTITIONS]... | --all-topics) TO [--execute]",
		Short: "Move a group's committed offsets",
		Long: "Move the committed offsets of a group without members.\n" +
			"Shows what would be done; --execute does it. An offset outside the log becomes its nearest end.",
		Example: "  naru group reset billing --topic orders --to-earliest --execute\n" +
			"  naru group reset billing --topic orders:0,1 --shift-by -100",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.groupArgs,
	}
	cmd.RunE = a.asked(func(ctx context.Context, cl *client, names []string) error {
		move, err := r.parse(cmd.Flags(), time.Now())
		if err != nil {
			return err
		}
		rows, err := cl.planReset(ctx, names[0], &r, move)
		if err != nil {
			return err
		}
		if r.execute {
			if err := cl.executeReset(ctx, names[0], rows); err != nil {
				return err
			}
		}
		return a.show(rows, func(w io.Writer) error {
			t := newTable("TOPIC", "PARTITION", "OLD", "NEW", "END")
			for _, row := range rows {
				t.row(row.Topic, row.Partition, unknown(row.Old), row.New, row.End)
			}
			err := t.write(w)
			if !r.execute {
				fmt.Fprintln(a.err, "Nothing was changed. Add --execute to do it.")
			}
			return err
		})
	})
	f := cmd.Flags()
	f.StringArrayVarP(&r.topics, "topic", "t", nil, "`TOPIC` to reset, or TOPIC:0,2 for some partitions; once per topic")
	f.BoolVar(&r.all, "all-topics", false, "reset every topic for which the group has offsets")
	f.BoolVar(&r.earliest, "to-earliest", false, "to the oldest record")
	f.BoolVar(&r.latest, "to-latest", false, "to the end")
	f.Int64Var(&r.offset, "to-offset", 0, "to this `OFFSET`")
	f.StringVar(&r.datetime, "to-datetime", "", "to the first record not older than `TIME`, such as 2026-11-21T08:30:00Z")
	f.Int64Var(&r.shift, "shift-by", 0, "by so `MANY` records, forward or (negative) back")
	f.DurationVar(&r.back, "by-duration", 0, "to the first record not older than this, such as 15m")
	f.BoolVar(&r.execute, "execute", false, "do it; without this it is only shown")
	a.jsonFlag(cmd)
	a.clientFlags(cmd)
	return cmd
}

// mover gives a partition's new offset.
type mover struct {
	to    position
	shift int64
	by    bool // shift the old offset instead of going to a position
}

func (r *resetFlags) parse(f *pflag.FlagSet, now time.Time) (mover, error) {
	var m mover
	given := 0
	for name, set := range map[string]func() error{
		"to-earliest": func() error { m.to = position{kind: atEarliest}; return nil },
		"to-latest":   func() error { m.to = position{kind: atLatest}; return nil },
		"to-offset":   func() error { m.to = position{atOffset, r.offset}; return nil },
		"shift-by":    func() error { m.by, m.shift = true, r.shift; return nil },
		"by-duration": func() error {
			m.to = position{atTimestamp, now.Add(-r.back).UnixMilli()}
			if r.back < 0 {
				return usageError("--by-duration %v: want a duration above zero; it goes back in time", r.back)
			}
			return nil
		},
		"to-datetime": func() error {
			t, ok := parseTime(r.datetime)
			if !ok {
				return usageError("--to-datetime %q: want a time such as 2026-11-21T08:30:00Z or 2026-11-21", r.datetime)
			}
			m.to = position{atTimestamp, t.UnixMilli()}
			return nil
		},
	} {
		if !f.Changed(name) {
			continue
		}
		given++
		if err := set(); err != nil {
			return m, err
		}
	}
	if given != 1 {
		return m, usageError("want exactly one of --to-earliest, --to-latest, --to-offset, --to-datetime, --shift-by and --by-duration")
	}
	if r.all == (len(r.topics) > 0) {
		return m, usageError("want either --topic or --all-topics")
	}
	return m, nil
}

func (cl *client) planReset(ctx context.Context, group string, r *resetFlags, m mover) ([]resetRow, error) {
	g, err := cl.group(ctx, group)
	if err != nil && !errors.Is(err, errNoGroup) {
		return nil, err // a new group may be given its first offsets
	}
	if len(g.Members) > 0 {
		return nil, fmt.Errorf("group %q is %s with %s: stop its consumers first",
			group, g.State, plural(int64(len(g.Members)), "member"))
	}
	old, err := cl.adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, errNoGroup) {
		return nil, err
	}
	within, err := cl.resetBounds(ctx, group, r, old)
	if err != nil {
		return nil, err
	}
	to, err := cl.resolve(ctx, m.to, within)
	if err != nil {
		return nil, err
	}
	rows := []resetRow{}
	for topic, partitions := range within {
		for p, b := range partitions {
			row := resetRow{Topic: topic, Partition: p, Old: -1, New: to[topic][p], End: b.end}
			if o, ok := old.Lookup(topic, p); ok && o.Err == nil {
				row.Old = o.At
			}
			if m.by {
				if row.Old < 0 {
					return nil, fmt.Errorf("--shift-by: group %q has no offset of topic %q partition %d", group, topic, p)
				}
				row.New = min(max(row.Old+m.shift, b.start), b.end)
			}
			rows = append(rows, row)
		}
	}
	sortRows(rows, func(r resetRow) (string, int32) { return r.Topic, r.Partition })
	return rows, nil
}

// resetBounds finds the partitions that are meant.
func (cl *client) resetBounds(ctx context.Context, group string, r *resetFlags, old kadm.OffsetResponses) (map[string]map[int32]bounds, error) {
	chosen := make(map[string][]int32) // nil is every partition
	var topics []string
	if r.all {
		for topic := range old {
			topics = append(topics, topic)
			chosen[topic] = nil
		}
		if len(topics) == 0 {
			return nil, fmt.Errorf("group %q has no offsets", group)
		}
	}
	for _, t := range r.topics {
		topic, list, some := strings.Cut(t, ":")
		if _, twice := chosen[topic]; twice || topic == "" {
			return nil, usageError("--topic %q: want each topic once, as TOPIC or TOPIC:0,2", t)
		}
		topics, chosen[topic] = append(topics, topic), nil
		if some {
			partitions, err := parsePartitions(list)
			if err != nil {
				return nil, usageError("--topic %q: %w", t, err)
			}
			chosen[topic] = partitions
		}
	}
	within, err := cl.topicBounds(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for topic, partitions := range chosen {
		if err := only(within, topic, partitions); err != nil {
			return nil, err
		}
	}
	return within, nil
}

func (cl *client) executeReset(ctx context.Context, group string, rows []resetRow) error {
	commit := make(kadm.Offsets)
	for i := range rows {
		rows[i].Executed = true
		commit.Add(kadm.Offset{Topic: rows[i].Topic, Partition: rows[i].Partition, At: rows[i].New, LeaderEpoch: -1})
	}
	answer, err := cl.adm.CommitOffsets(ctx, group, commit)
	if err != nil {
		return refused(err, "", "group %q", group)
	}
	return refused(answer.Error(), "", "group %q", group)
}
