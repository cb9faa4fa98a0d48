package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func (a *app) queueCommand() *cobra.Command {
	return a.parent("queue", "Create, list, describe, peek into, purge, redrive and delete queues",
		a.queueCreateCommand(), a.queueListCommand(), a.queueDescribeCommand(), a.queuePeekCommand(),
		a.queuePurgeCommand(), a.queueRedriveCommand(), a.queueDeleteCommand())
}

func (a *app) queueListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short: "List queues and how many messages are where",
		Args:  args(cobra.NoArgs),
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, _ []string) error {
		list, err := c.listQueues(ctx)
		if err != nil {
			return err
		}
		return a.show(list, func(w io.Writer) error {
			t := newTable("QUEUE", "KIND", "TOPIC", "READY", "IN FLIGHT", "DELAYED", "OLDEST")
			for i := range list {
				q := &list[i]
				t.row(q.Name, kindOfQueue(q), q.Topic, q.Stats.Ready, q.Stats.InFlight, q.Stats.Delayed, age(q.Stats.OldestMS))
			}
			return t.write(w)
		})
	})
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	return cmd
}

// kindOfQueue is what sets a queue apart, in a few words.
func kindOfQueue(q *queueJSON) string {
	var words []string
	if q.Ordered {
		words = append(words, "fifo")
	}
	if q.Lanes > 1 {
		words = append(words, fmt.Sprintf("%d lanes", q.Lanes))
	}
	if !q.Owned {
		words = append(words, "view")
	}
	if len(words) == 0 {
		return "standard"
	}
	return strings.Join(words, ", ")
}

// age is a time for reading: two units at most.
func age(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case ms == 0:
		return "-"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 24*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd%dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// span is a setting's time: exact, and none is "-".
func span(ms int64) string {
	if ms == 0 {
		return "-"
	}
	text := (time.Duration(ms) * time.Millisecond).String()
	if s, ok := strings.CutSuffix(text, "m0s"); ok {
		text = s + "m"
	}
	if s, ok := strings.CutSuffix(text, "h0m"); ok {
		text = s + "h"
	}
	return text
}

func (a *app) queueDescribeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe NAME...",
		Short: "Show the settings, numbers and redrives of queues",
		Args:  args(cobra.MinimumNArgs(1)), ValidArgsFunction: a.queueArgs,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		list := make([]queueDescription, 0, len(names))
		for _, name := range names {
			var d queueDescription
			err := c.call(ctx, 0, func(ctx context.Context) error {
				q, err := c.queues.GetQueue(ctx, &naruv1.GetQueueRequest{Queue: name})
				d.queueJSON = queueOf(q)
				return err
			})
			if err == nil {
				d.Redrives, err = c.listRedrives(ctx, name)
			}
			if err != nil {
				return aboutQueue(name, err)
			}
			list = append(list, d)
		}
		return a.show(list, func(w io.Writer) error {
			for i := range list {
				if i > 0 {
					fmt.Fprintln(w)
				}
				if err := list[i].write(w); err != nil {
					return err
				}
			}
			return nil
		})
	})
	a.jsonFlag(cmd)
	a.apiFlags(cmd)
	return cmd
}

// queueDescription is a queue as `queue describe --json` shows it.
type queueDescription struct {
	queueJSON
	Redrives []redriveJSON `json:"redrives"`
}

func (d *queueDescription) write(w io.Writer) error {
	line := func(name string, value any) { fmt.Fprintf(w, "%-13s %s\n", name, oneLine(fmt.Sprint(value))) }
	line("queue", d.Name)
	line("kind", kindOfQueue(&d.queueJSON))
	line("topic", d.Topic)
	if d.Filter != "" {
		line("filter", d.Filter)
	}
	line("lease", span(d.LeaseMS))
	line("delay", span(d.DelayMS))
	line("retention", span(d.RetentionMS))
	attempts := "no limit"
	if d.AttemptsMax > 0 {
		attempts = fmt.Sprint(d.AttemptsMax)
	}
	line("attempts", attempts)
	line("dead letters", d.DeadLetter)
	if len(d.Sources) > 0 {
		line("takes those of", strings.Join(d.Sources, ", "))
	}
	if d.Dedup != "" {
		line("dedup", d.Dedup+map[bool]string{true: ", by content"}[d.DedupByContent])
	}
	for _, k := range slices.Sorted(maps.Keys(d.Tags)) {
		line("tag", k+"="+d.Tags[k])
	}
	fmt.Fprintln(w)
	t := newTable("READY", "IN FLIGHT", "DELAYED", "OLDEST", "REDELIVERED", "DEAD-LETTERED", "EXPIRED")
	s := &d.Stats
	t.row(s.Ready, s.InFlight, s.Delayed, age(s.OldestMS), s.Redelivered, s.DeadLettered, s.Expired)
	if err := t.write(w); err != nil || len(d.Redrives) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t = newTable("REDRIVE", "TO", "STATE", "MOVED", "OF", "PER SECOND")
	for _, r := range d.Redrives {
		state := r.State
		if r.Failure != "" {
			state += ": " + r.Failure
		}
		t.row(r.ID, redriveTo(&r), state, r.Moved, r.ToMove, rate(r.PerSecond))
	}
	return t.write(w)
}

func redriveTo(r *redriveJSON) string {
	if r.To == "" {
		return "each one's source"
	}
	return r.To
}

func rate(perSecond int32) string {
	if perSecond == 0 {
		return "-"
	}
	return fmt.Sprint(perSecond)
}
