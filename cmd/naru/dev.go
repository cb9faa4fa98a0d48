package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

func (a *app) devCommand() *cobra.Command {
	return a.parent("dev", "Try things out", a.devClusterCommand())
}

// devClusterProgram starts the parts of a cluster. It is none of this binary: etcd and an S3 server would make it several times larger.
const devClusterProgram = "conformance/cluster"

func (a *app) devClusterCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cluster",
		Short: "Start a cluster on this machine, to try it",
		Long: "Start three brokers, an etcd and an S3 server on loopback, print how to connect, and end and remove all of it at Ctrl-C.\n" +
			"The servers are built by Go from the sources of Naru, in whose directory this has to be called.",
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := sourceTree()
			if err != nil {
				return err
			}
			self, err := os.Executable()
			if err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "naru-dev-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			// Not go run, which passes no signal on: what it started would stay.
			program := filepath.Join(dir, "cluster.exe")
			build := a.program(cmd.Context(), filepath.Join(root, devClusterProgram), "go", "build", "-o", program, ".")
			run := a.program(cmd.Context(), build.Dir, program, "--dev", "--naru", self)
			if err = build.Run(); err == nil {
				err = run.Run()
			}
			if err != nil && cmd.Context().Err() == nil {
				return fmt.Errorf("%s: %w", devClusterProgram, err)
			}
			return nil
		},
	}
}

// program is a command in a directory, which is interrupted when ctx ends.
func (a *app) program(ctx context.Context, dir, name string, arg ...string) *exec.Cmd {
	p := exec.CommandContext(ctx, name, arg...)
	p.Dir, p.Stdin, p.Stdout, p.Stderr = dir, a.in, a.out, a.err
	p.Cancel = func() error { return p.Process.Signal(os.Interrupt) }
	return p
}

// sourceTree is the directory with Naru's sources in or above the current one, if Go is there too.
func sourceTree() (string, error) {
	const how = "get Go and the sources of Naru, and call this in their directory, or there: go -C " + devClusterProgram + " run . --dev"
	if _, err := exec.LookPath("go"); err != nil {
		return "", errors.New("go is not installed: " + how)
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, serr := os.Stat(filepath.Join(dir, devClusterProgram, "main.go")); serr == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("the sources of Naru are not here: " + how)
		}
		dir = up
	}
	return "", err
}
