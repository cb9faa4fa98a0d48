package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/server"
)

const (
	clusterChange = time.Minute            // what a hand-over may take
	clusterLook   = 100 * time.Millisecond // between two looks at whether it is done
)

func (a *app) clusterMoveCommand() *cobra.Command {
	var undo bool
	cmd := a.clusterWork(&cobra.Command{
		Use:   "move SLOT [BROKER]",
		Short: "Have a slot owned by another broker",
		Long: "Have a slot owned by another broker, and wait until it is. It stays there for as long as that broker's process lives;\n" +
			"--undo takes that back, and the slot goes where it would have been. Clients of the slot's partitions and queues wait\n" +
			"for about a second.",
		Example: "  naru cluster move 17 3\n  naru cluster move 17 --undo",
	}, clusterChange, func(ctx context.Context, cfg server.Config, args []string) error {
		slot, broker, err := moveWhat(args)
		if err != nil {
			return err
		}
		if err := server.MoveSlot(ctx, cfg, slot, broker); err != nil {
			return err
		}
		st, err := awaitStatus(ctx, cfg, func(st *server.ClusterStatus) (bool, error) {
			if slot >= len(st.Slots) {
				return false, fmt.Errorf("the cluster has slots 0 to %d", len(st.Slots)-1)
			}
			s := st.Slots[slot]
			return s.Owner == broker || broker == 0, nil
		})
		if err != nil {
			return fmt.Errorf("slot %d: %w", slot, err)
		}
		return a.show(st.Slots[slot], func(w io.Writer) error {
			text := fmt.Sprintf("slot %d is at broker %d", slot, st.Slots[slot].Owner)
			if undo {
				text = fmt.Sprintf("slot %d goes where it falls", slot)
			}
			_, err := fmt.Fprintln(w, text)
			return err
		})
	})
	cmd.Args = args(func(cmd *cobra.Command, given []string) error {
		if undo {
			return cobra.ExactArgs(1)(cmd, given)
		}
		return cobra.ExactArgs(2)(cmd, given)
	})
	cmd.Flags().BoolVar(&undo, "undo", false, "take back what was said of this slot; does not wait")
	return cmd
}

// moveWhat reads SLOT and BROKER; without the latter it is 0.
func moveWhat(args []string) (slot int, broker int32, err error) {
	n, err := strconv.ParseUint(args[0], 10, 16)
	if err != nil {
		return 0, 0, usageError("SLOT %q: want a number, as `naru cluster status` shows it", args[0])
	}
	if len(args) == 2 {
		broker, err = brokerNumber(args[1])
	}
	return int(n), broker, err
}

func brokerNumber(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, usageError("BROKER %q: want a number, as `naru cluster members` shows it", text)
	}
	return int32(n), nil
}

func (a *app) clusterDrainCommand() *cobra.Command {
	var undo bool
	cmd := a.clusterWork(&cobra.Command{
		Use:   "drain BROKER",
		Short: "Have a broker hand over all that it owns",
		Long: "Have a broker hand over all that it owns, and wait until it has. It goes on to serve clients, by way of the owners, and takes\n" +
			"no slots that another broker could, for as long as its process lives; --undo lets it. It is refused if no other broker could:\n" +
			"all are drained, or not ready. When the others are gone later, drained ones serve rather than nobody. A broker that is to end\n" +
			"needs none of this: SIGTERM does the same.",
		Example: "  naru cluster drain 2\n  naru cluster drain 2 --undo",
		Args:    args(cobra.ExactArgs(1)),
	}, clusterChange, func(ctx context.Context, cfg server.Config, args []string) error {
		broker, err := brokerNumber(args[0])
		if err != nil {
			return err
		}
		if err := server.DrainBroker(ctx, cfg, broker, undo); err != nil {
			return err
		}
		var member server.ClusterMember
		_, err = awaitStatus(ctx, cfg, func(st *server.ClusterStatus) (bool, error) {
			member = server.ClusterMember{Broker: broker} // it may have left
			for _, m := range st.Members {
				if m.Broker == broker {
					member = m
				}
			}
			return undo || member.Slots == 0, nil
		})
		if err != nil {
			return fmt.Errorf("broker %d still owns %s: %w", broker, plural(int64(member.Slots), "slot"), err)
		}
		return a.show(member, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "broker %d owns %s\n", broker, plural(int64(member.Slots), "slot"))
			return err
		})
	})
	cmd.Flags().BoolVar(&undo, "undo", false, "let it own slots again; does not wait")
	return cmd
}

// awaitStatus asks etcd until what is there is what is wanted.
func awaitStatus(ctx context.Context, cfg server.Config, is func(*server.ClusterStatus) (bool, error)) (server.ClusterStatus, error) {
	tick := time.NewTicker(clusterLook)
	defer tick.Stop()
	for {
		st, err := server.ReadClusterStatus(ctx, cfg)
		if err != nil {
			return st, err
		}
		if done, err := is(&st); done || err != nil {
			return st, err
		}
		select {
		case <-ctx.Done():
			return st, fmt.Errorf("not done yet: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
