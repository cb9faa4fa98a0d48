package main

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

func (a *app) queuePeekCommand() *cobra.Command {
	var count int
	var m messageWriter
	cmd := &cobra.Command{
		Use:   "peek NAME",
		Short: "Show messages without receiving them",
		Long: "Show messages from the oldest on that are not done, those in flight or delayed included. Nobody's\n" +
			"delivery changes, and no attempt is counted.\n\n" +
			"Fields of --format: " + messageFormatHelp,
		Example: "  naru queue peek mails\n" +
			"  naru queue peek mails-dead -n 100 --format '%a attempts: %v (%h)\\n'",
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: a.oneQueueArg,
	}
	cmd.RunE = a.queueWork(func(ctx context.Context, c *api, names []string) error {
		if err := m.parse(cmd, a.json); err != nil {
			return err
		}
		if count < 1 || count > receiveMax {
			return usageError("--count %d: want 1 to %d", count, receiveMax)
		}
		var got *naruv1.PeekResponse
		err := c.call(ctx, 0, func(ctx context.Context) (err error) {
			got, err = c.queues.Peek(ctx, &naruv1.PeekRequest{Queue: names[0], MaxMessages: int32(count)})
			return err
		})
		if err != nil {
			return aboutQueue(names[0], err)
		}
		out := bufio.NewWriter(a.out)
		var line []byte
		for _, message := range got.GetMessages() {
			line = m.write(line[:0], names[0], deliveryOf(message))
			if _, err := out.Write(line); err != nil {
				return fmt.Errorf("standard output: %w", err)
			}
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	})
	cmd.Flags().IntVarP(&count, "count", "n", 10, "at most so `MANY`")
	m.flags(a, cmd)
	a.apiFlags(cmd)
	return cmd
}
