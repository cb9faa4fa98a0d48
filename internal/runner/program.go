package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

const (
	killAfter   = 3 * time.Second // from SIGTERM to SIGKILL
	outputAfter = 2 * time.Second // for a process that has ended, and left its output open
)

// inherited are the variables that programs have from the server; others may be
// secrets.
var inherited = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT"}

// runProgram starts a program and waits for it.
func (r *Runner) runProgram(ctx context.Context, p *trigger.Program, w *trigger.Work) error {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = trigger.ProgramTimeoutDefault
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it was killed after %v", timeout))
	defer cancel()
	log := r.log.With("trigger", w.Trigger.Name, "run", w.RunID())
	out := &lines{log: log}
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Dir, cmd.Env = p.Dir, environment(p, w)
	cmd.Stdout, cmd.Stderr = out, out // the same, so that one goroutine writes
	cmd.WaitDelay = killAfter + outputAfter
	ownGroup(cmd)
	var kill *time.Timer
	cmd.Cancel = func() error {
		kill = time.AfterFunc(killAfter, func() { killGroup(cmd) })
		return stopGroup(cmd)
	}
	log.Info("trigger starts a program", "program", p.Argv[0], "attempt", w.Attempt)
	err := cmd.Run()
	if kill != nil { // Cancel was called, and has returned
		kill.Stop()
		killGroup(cmd) // what is left of it
	}
	out.end()
	return explain(ctx, err, out.last)
}

// explain says why a program failed, with the last thing that it said.
func explain(ctx context.Context, err error, last string) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return nil // it has ended well, and left its output to a child
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// environment is what the program has: little of the server's own, what the trigger
// says, and what happened.
func environment(p *trigger.Program, w *trigger.Work) (env []string) {
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		env = append(env, name+"="+p.Env[name])
	}
	f := factsOf(w)
	env = append(env,
		"NARU_TRIGGER="+f.Trigger, "NARU_QUEUE="+f.Queue, "NARU_RUN="+f.Run, "NARU_ATTEMPT="+strconv.Itoa(int(f.Attempt)),
		"NARU_CONDITION="+strconv.Itoa(int(f.Condition)))
	if f.MessageID == "" {
		return append(env, "NARU_DEPTH="+strconv.FormatInt(f.Depth, 10))
	}
	return append(env,
		"NARU_MESSAGE_ID="+f.MessageID, "NARU_PARTITION="+strconv.Itoa(int(*f.Partition)), "NARU_OFFSET="+strconv.FormatInt(*f.Offset, 10))
}
