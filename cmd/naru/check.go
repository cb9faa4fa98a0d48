package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/narumq/naru/internal/server"
)

// checkReport is what `check --json` shows.
type checkReport struct {
	Directory  string           `json:"directory"`
	Whole      bool             `json:"whole"`
	Segments   int              `json:"segments"`
	Sealed     int              `json:"sealed"`
	Frames     int64            `json:"frames"`
	Records    int64            `json:"records"`
	Bytes      int64            `json:"bytes"`
	Partitions int              `json:"partitions"`
	Topics     int              `json:"topics"`
	TornTail   int64            `json:"torn_tail_bytes"`
	Findings   []server.Finding `json:"findings"`
}

func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Verify a data directory that no server uses",
		Long: "Read every byte of a data directory, change nothing, and say what is wrong.\n" +
			"A torn tail is the end of a write that a crash cut off and nobody was told of: it is\n" +
			"not damage, and the next start removes it.\n\n" +
			"Exit codes: 0 whole, 4 damage found, 1 the check could not be done.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return a.check(args[0]) },
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) check(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is a file", dir)
	}
	if err != nil {
		return fmt.Errorf("%w: want a server's --data directory", err)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	r := checkReport{Directory: dir, Findings: []server.Finding{}}
	sum, err := server.CheckDir(dir, func(f server.Finding) {
		r.Findings = append(r.Findings, f)
		if !a.json {
			fmt.Fprintln(a.out, f.Text)
		}
	})
	if err != nil {
		return err
	}
	r.Whole = len(r.Findings) == 0
	r.Segments, r.Sealed, r.Topics = sum.Journal.Segments, sum.Journal.Sealed, sum.Topics
	r.Frames, r.Records, r.Bytes = sum.Journal.Frames, sum.Journal.Records, sum.Journal.Bytes
	r.Partitions, r.TornTail = sum.Journal.Streams, sum.Journal.TornTail
	if err := a.show(r, r.write); err != nil {
		return err
	}
	if !r.Whole {
		return coded{errors.New("the directory is damaged: what is listed is not served, everything else is"), exitDamaged}
	}
	return nil
}

func (r *checkReport) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s: %s of %s in %s, %s in %s (%d sealed)\n", r.Directory,
		plural(int64(r.Topics), "topic"), humanBytes(r.Bytes), plural(int64(r.Partitions), "partition"),
		plural(r.Records, "record"), plural(int64(r.Segments), "segment"), r.Sealed)
	if r.TornTail > 0 {
		fmt.Fprintf(w, "torn tail of %s: not damage, the next start removes it\n", humanBytes(r.TornTail))
	}
	if r.Whole {
		fmt.Fprintln(w, "everything is whole")
	} else {
		fmt.Fprintf(w, "%s\n", plural(int64(len(r.Findings)), "finding"))
	}
	return err
}
