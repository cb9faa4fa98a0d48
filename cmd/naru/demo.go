package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
)

// demoFlags are the command line of demo, and what its children get of it.
type demoFlags struct {
	http      string
	speed     float64
	customers int
	stay      bool
}

// Limits of the demo. The slowest round must end within a call's five minutes.
const (
	demoCustomersMin, demoCustomersMax = 10, 100
	demoSpeedMin, demoSpeedMax         = 0.05, 20
)

func (f *demoFlags) check() error {
	if f.customers < demoCustomersMin || f.customers > demoCustomersMax {
		return usageError("--customers %d: want %d to %d", f.customers, demoCustomersMin, demoCustomersMax)
	}
	if !(f.speed >= demoSpeedMin && f.speed <= demoSpeedMax) {
		return usageError("--speed %v: want %v to %v", f.speed, demoSpeedMin, demoSpeedMax)
	}
	f.http = strings.TrimSuffix(strings.TrimPrefix(f.http, "http://"), "/")
	if _, _, err := net.SplitHostPort(f.http); err != nil && f.http != "" {
		return usageError("--http %q: want host:port, such as %s", f.http, defaultHTTP)
	}
	return nil
}

// scaled is how long something takes at the speed of this demo.
func (f *demoFlags) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / f.speed)
}

func (a *app) demoCommand() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play the coffee shop: calls against events",
		Long: "Play a coffee shop of separate processes: customers, an order taker, three baristas and a buzzer.\n" +
			"In the first round the order taker calls a barista and waits, and so does the line. In the second\n" +
			"orders and coffees are events, and a barista is killed over a cup. The report compares the waiting.\n" +
			"Without --http a server of its own runs on a temporary directory. Fails if an order is lost or\n" +
			"served twice.",
		Example: "  naru demo\n" +
			"  naru demo --speed 0.1 --stay    # slowly, to watch it in the console",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.demo(cmd.Context(), &f)
		},
	}
	f.flags(cmd)
	cmd.Flags().IntVar(&f.customers, "customers", 50, "how many come in each round")
	cmd.Flags().BoolVar(&f.stay, "stay", false, "keep the server until an interrupt, or on a running one what the demo made, to look at it")
	a.jsonFlag(cmd)
	cmd.AddCommand(a.demoRoles()...)
	return cmd
}

// flags adds what the demo and its roles have in common.
func (f *demoFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.http, "http", "", "`ADDR` of the HTTP endpoint of a server that runs already")
	cmd.Flags().Float64Var(&f.speed, "speed", 1, "how fast people and machines work; below 1 is slower")
}

// demo plays both rounds and reports.
func (a *app) demo(ctx context.Context, f *demoFlags) (err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stage := &stage{ctx: ctx, fail: end}
	defer func() { err = errors.Join(err, stage.close()) }()
	own := f.http == ""
	if own {
		if f.http, err = stage.serve(); err != nil {
			return whyEnded(ctx, err)
		}
	}
	fmt.Fprintf(a.err, "console  http://%s/\n", f.http)

	report, err := a.playBoth(ctx, f, stage)
	if !own && !f.stay {
		if e := tidy(ctx, f); err == nil {
			err = e
		}
	}
	if connect.CodeOf(err) == connect.CodeUnavailable {
		return unreachable{f.http, "--http", "HTTP", err}
	}
	if err != nil {
		return whyEnded(ctx, err)
	}
	if err := a.show(report, report.write); err != nil {
		return err
	}
	if own && f.stay {
		fmt.Fprintf(a.err, "\nthe server runs on at http://%s/ until an interrupt\n", f.http)
		<-ctx.Done()
	}
	return report.judge()
}

// playBoth plays the two rounds.
func (a *app) playBoth(ctx context.Context, f *demoFlags, s *stage) (*demoReport, error) {
	report := &demoReport{Customers: f.customers, Speed: f.speed}
	for i, style := range []string{styleCalls, styleEvents} {
		fmt.Fprintf(a.err, "round %d  %s\n", i+1, styleText[style])
		outcome, err := newRound(a, f, s, style).play(ctx)
		if err != nil {
			return nil, err
		}
		report.Rounds = append(report.Rounds, outcome)
	}
	return report, nil
}

// tidy leaves a server that is not the demo's own as it was, also after an interrupt.
func tidy(ctx context.Context, f *demoFlags) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return newShop(f.http).clear(ctx)
}

// whyEnded prefers the reason that the demo was ended for to what it led to.
func whyEnded(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return coded{errors.New("interrupted"), exitInterrupted}
	}
	return err
}

// demoProgram is the program that children run: this one.
func demoProgram() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the demo starts this program again, but cannot tell where it is: %w", err)
	}
	return name, nil
}
