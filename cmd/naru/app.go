package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// app is the outside world as commands see it.
type app struct {
	in       io.Reader
	out, err io.Writer
	env      func(string) (string, bool)

	inTerminal, errTerminal bool

	server  string        // --server
	http    string        // --http of the commands for queues
	timeout time.Duration // --timeout
	json    bool          // --json of the command that runs
}

// exitCode is what the process ends with. Scripts depend on it: never renumber.
type exitCode int

const (
	exitOK          exitCode = 0
	exitFailed      exitCode = 1 // the server refused, or something went wrong
	exitUsage       exitCode = 2 // wrong flags or arguments
	exitUnreachable exitCode = 3 // no broker answers at --server
	exitDamaged     exitCode = 4 // naru check found damage

	exitInterrupted exitCode = 130 // as shells report SIGINT
)

// coded gives an error its exit code.
type coded struct {
	error
	code exitCode
}

func (e coded) Unwrap() error { return e.error }

func usageError(format string, args ...any) error {
	return coded{fmt.Errorf(format, args...), exitUsage}
}

const defaultServer = "127.0.0.1:9092"

// run executes a command line. SIGINT and SIGTERM cancel the command's
// context; commands end in an orderly way and a second signal kills.
func (a *app) run(ctx context.Context, args []string) exitCode {
	ctx, stop := untilSignal(ctx)
	defer stop()

	root := a.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	err = explain(err, a.server)
	fmt.Fprintf(a.err, "naru: %v\n", err)
	code := exitFailed
	if c := (coded{}); errors.As(err, &c) {
		code = c.code
	}
	if code == exitUsage {
		fmt.Fprintf(a.err, "Run %q for help.\n", cmd.CommandPath()+" --help")
	}
	return code
}

// untilSignal ends the context at the first signal. By then a second one has
// its default effect again, which is to end the process.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "naru",
		Short:         "A durable message broker that speaks Kafka and SQS",
		Long:          "naru is a message broker in one binary: `naru serve` runs it, the other commands work with it.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          a.noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return coded{err, exitUsage} })
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(
		a.serveCommand(), a.topicCommand(), a.groupCommand(),
		a.produceCommand(), a.consumeCommand(),
		a.queueCommand(), a.sendCommand(), a.receiveCommand(), a.triggerCommand(), a.userCommand(), a.benchCommand(),
		a.importCommand(), a.clusterCommand(), a.devCommand(), a.demoCommand(),
		a.checkCommand(), a.versionCommand(),
	)
	return root
}

// noSuchCommand is the argument check of commands that only have subcommands.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		text += fmt.Sprintf(", did you mean %q?", like[0])
	}
	return coded{errors.New(text), exitUsage}
}

// parent makes a command that only groups others.
func (a *app) parent(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: a.noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(children...)
	return cmd
}

// args wraps a cobra argument check so that its failure is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError("%w: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// clientFlags adds what every command that talks to a broker has.
func (a *app) clientFlags(cmd *cobra.Command) {
	server := defaultServer
	if v, ok := a.env("NARU_SERVER"); ok && v != "" {
		server = v
	}
	cmd.Flags().StringVar(&a.server, "server", server, "`ADDR` of the broker, or several with commas between (NARU_SERVER)")
	cmd.Flags().DurationVar(&a.timeout, "timeout", 15*time.Second, "how long to wait for the broker's answer")
}

// jsonFlag adds --json.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "write JSON")
}
