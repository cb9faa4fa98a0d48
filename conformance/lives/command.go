package lives

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Options are what a program that kills a server takes from its command line.
type Options struct {
	Naru  string // a binary; built from this repository if empty
	Data  string // where the data directory goes; a temporary one if empty
	Kills int
	Seed  uint64
	Break bool // lose acknowledged bytes on purpose, and expect that it shows
	Limit time.Duration
}

// Verdict is what a program found.
type Verdict struct {
	Anomalies []string       // one line each
	Names     []string       // of all kinds of anomalies: a check each
	Count     map[string]int // of the anomalies by name
	Shows     []string       // the names that a loss on purpose may show as; nil: any
}

// anomaliesPrinted is how many anomalies are printed in full.
const anomaliesPrinted = 20

// Main plays a story and exits, with 0 if nothing is wrong. Its last line counts the checks.
func Main(name string, play func(context.Context, Options) (Verdict, error)) {
	var o Options
	flag.StringVar(&o.Naru, "naru", "", "a naru binary; built from this repository if empty")
	flag.StringVar(&o.Data, "data", "", "where the data directory goes; a temporary one if empty")
	flag.IntVar(&o.Kills, "kills", 20, "how often the server is killed")
	flag.Uint64Var(&o.Seed, "seed", uint64(time.Now().UnixNano()), "of the moments and what clients do")
	flag.BoolVar(&o.Break, "break", false, "lose acknowledged bytes on purpose, and expect that it shows")
	flag.DurationVar(&o.Limit, "limit", 4*time.Minute, "give up after this long")
	flag.Parse()
	fmt.Printf("%s: seed %d, %d kills\n", name, o.Seed, o.Kills)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	v, err := play(ctx, o)
	if err != nil {
		fmt.Printf("%s: %v\n%s: 0 passed, 1 failed\n", name, err, name)
		os.Exit(1)
	}
	os.Exit(v.report(name, o.Break))
}

// report prints the verdict, one check an anomaly's name, and returns the exit
// code. With --break there is one check: that the loss shows.
func (v Verdict) report(name string, broken bool) int {
	for _, line := range v.Anomalies[:min(len(v.Anomalies), anomaliesPrinted)] {
		fmt.Println("  ", line)
	}
	passed, failed := 0, 0
	check := func(ok bool, text string) {
		if ok {
			passed++
			return
		}
		failed++
		fmt.Printf("%s: %s\n", name, text)
	}
	if broken {
		fmt.Printf("%s: it shows as %v\n", name, v.Count)
		check(v.shows(), "acknowledged bytes were lost on purpose, and nothing showed it")
	} else {
		for _, kind := range v.Names {
			check(v.Count[kind] == 0, fmt.Sprintf("%s: %d", kind, v.Count[kind]))
		}
	}
	fmt.Printf("%s: %d passed, %d failed\n", name, passed, failed)
	return min(failed, 1)
}

func (v Verdict) shows() bool {
	if v.Shows == nil {
		return len(v.Anomalies) > 0
	}
	for _, kind := range v.Shows {
		if v.Count[kind] > 0 {
			return true
		}
	}
	return false
}

// storiesTold is how many of them are printed.
const storiesTold = 5

// Tell prints the stories of the first values with which something is wrong.
func Tell[T any](found []T, value func(T) string, story func(value string) []string) {
	told := map[string]bool{}
	for _, a := range found {
		v := value(a)
		if told[v] || len(told) == storiesTold {
			continue
		}
		told[v] = true
		fmt.Println("  story of", v)
		for _, line := range story(v) {
			fmt.Println("    ", line)
		}
	}
}

// Strings writes values out.
func Strings[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}
