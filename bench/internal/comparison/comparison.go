// Package comparison is what the programs that compare Naru with other servers have in common
// on their command lines, and what they do with their results.
package comparison

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/narumq/naru/bench/internal/peer"
	"github.com/narumq/naru/bench/internal/report"
)

// Options are what was asked for.
type Options struct {
	Sides   []string // the first is compared with the others
	Rounds  int
	Quick   bool
	Out     string // an absolute path once Prepare was called
	Naru    string // a binary; Prepare builds one if it is empty
	Profile bool
	Command string // how the program is run, before its flags

	name  string
	from  string
	write bool
	args  []string
}

// Main runs a program until it is done or interrupted.
func Main(name string, run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// Parse reads the command line of the program that f is named after. The sides are its default; takes says
// how long --quick takes.
func Parse(f *flag.FlagSet, args []string, sides, takes string) (*Options, error) {
	o := &Options{name: f.Name(), args: args, Command: "go run ./" + f.Name()}
	f.BoolVar(&o.Quick, "quick", false, "one round with less of everything, about "+takes)
	list := f.String("sides", sides, "what to compare, the first with the others")
	f.IntVar(&o.Rounds, "rounds", 0, "times that each side is run, in turns (default 3, 1 with --quick)")
	f.StringVar(&o.Out, "out", "out", "where programs, data directories and results go; its file system is what is measured")
	f.StringVar(&o.Naru, "naru", "", "a naru binary to run instead of building one")
	f.StringVar(&o.from, "from", "", "print the table of these saved results (out/"+o.name+".json) instead of running")
	f.BoolVar(&o.write, "write", false, "put the table into README.md")
	f.BoolVar(&o.Profile, "profile", false, "write a CPU profile of Naru for each row to the out directory")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	o.Sides = strings.Split(*list, ",")
	switch {
	case o.Rounds >= 1:
	case o.Quick:
		o.Rounds = 1
	default:
		o.Rounds = 3
	}
	return o, nil
}

// Run measures, saves the results and prints their table; or prints the table of saved ones.
func (o *Options) Run(measure func() (*report.Results, error)) error {
	if o.from != "" {
		results, err := report.Load(o.from)
		if err != nil {
			return err
		}
		return o.publish(results)
	}
	debug.SetGCPercent(400) // the load generator shares the cores with the servers
	results, err := measure()
	if err != nil {
		return err
	}
	results.Command = o.Command
	for _, arg := range o.args {
		if filepath.IsAbs(arg) { // of this machine only
			arg = filepath.Base(arg)
		}
		results.Command += " " + arg
	}
	if err := results.Save(filepath.Join(o.Out, o.name+".json")); err != nil {
		return err
	}
	if err := o.publish(results); err != nil {
		return err
	}
	if n := len(results.Failures()); n > 0 {
		return fmt.Errorf("%d row(s) failed", n)
	}
	return nil
}

func (o *Options) publish(r *report.Results) error {
	fmt.Print(r.Markdown())
	if o.write {
		return r.WriteReadme("README.md", o.name)
	}
	return nil
}

// Prepare makes the out directory, and asks for the sides in their order; what side returns
// for a name that it does not know is an error that names those it does.
func (o *Options) Prepare(ctx context.Context, side func(ctx context.Context, name string) (peer.Spec, error)) (specs []peer.Spec, err error) {
	if _, err := os.Stat(filepath.Join(o.name, "doc.go")); err != nil {
		return nil, fmt.Errorf("run this in the bench directory: %w", err)
	}
	if o.Out, err = filepath.Abs(o.Out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, err
	}
	for _, name := range o.Sides {
		if name == report.Naru && o.Naru == "" {
			o.Naru = filepath.Join(o.Out, "naru-"+o.name)
			if err := peer.BuildNaru(ctx, "..", o.Naru); err != nil {
				return nil, err
			}
		}
		spec, err := side(ctx, name)
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// Version is the first line that a program prints of itself.
func Version(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// Revision is the commit that was built, marked when the tree differs from it.
func Revision() string { return Version("git", "describe", "--always", "--dirty") }
