package main

import (
	"context"
	"os"

	"golang.org/x/term"
)

func main() {
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		env:         os.LookupEnv,
		inTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(int(a.run(context.Background(), os.Args[1:])))
}
