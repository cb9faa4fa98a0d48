package main

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// What commands for triggers write with --json, as those for queues do.

type triggerJSON struct {
	Name        string          `json:"name"`
	Queue       string          `json:"queue"`
	On          []conditionJSON `json:"on"`
	Program     *programJSON    `json:"program,omitempty"`
	Webhook     *webhookJSON    `json:"webhook,omitempty"`
	MaxRunning  int32           `json:"max_running"`
	AttemptsMax int32           `json:"attempts_max"`
	Configured  bool            `json:"configured"` // it comes from the configuration file
	CreatedMS   int64           `json:"created_ms"` // since 1970
	Fired       int64           `json:"fired"`
	Succeeded   int64           `json:"succeeded"`
	Failed      int64           `json:"failed"`
	Waiting     int32           `json:"waiting"`
	Running     int32           `json:"running"`
	Runs        []runJSON       `json:"runs"` // the newest first
}

type conditionJSON struct {
	On          string `json:"on"`
	Depth       int32  `json:"depth,omitempty"`
	MinPriority int32  `json:"min_priority"`
	MaxWaitMS   int64  `json:"max_wait_ms,omitempty"`
	Armed       bool   `json:"armed"`
}

type programJSON struct {
	Argv      []string          `json:"argv"`
	Env       map[string]string `json:"env,omitempty"`
	Dir       string            `json:"dir,omitempty"`
	TimeoutMS int64             `json:"timeout_ms"` // 0: an hour
}

type webhookJSON struct {
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers,omitempty"`
	TimeoutMS int64             `json:"timeout_ms"` // 0: 30 seconds
}

type runJSON struct {
	ID        string `json:"id"`
	Condition int32  `json:"condition"` // which one of "on" fired
	State     string `json:"state"`
	Attempts  int32  `json:"attempts"`
	FiredMS   int64  `json:"fired_ms"`           // since 1970
	EndedMS   int64  `json:"ended_ms,omitempty"` // the same
	Failure   string `json:"failure,omitempty"`
}

func triggerOf(t *naruv1.Trigger) triggerJSON {
	s := t.GetSpec()
	out := triggerJSON{
		Name: s.GetTrigger(), Queue: s.GetQueue(), On: []conditionJSON{}, MaxRunning: s.GetMaxRunning(), AttemptsMax: s.GetAttemptsMax(),
		Configured: t.GetConfigured(), CreatedMS: stampMS(t.GetCreatedTime()), Fired: t.GetFired(), Succeeded: t.GetSucceeded(), Failed: t.GetFailed(),
		Waiting: t.GetWaiting(), Running: t.GetRunning(), Runs: []runJSON{},
	}
	for i, c := range s.GetConditions() {
		out.On = append(out.On, conditionJSON{
			On: c.GetOn(), Depth: c.GetDepth(), MinPriority: c.GetMinPriority(), MaxWaitMS: ms(c.GetMaxWait()),
			Armed: i < len(t.GetArmed()) && t.GetArmed()[i],
		})
	}
	if p := s.GetProgram(); p != nil {
		out.Program = &programJSON{p.GetArgv(), p.GetEnv(), p.GetDir(), ms(p.GetTimeout())}
	}
	if w := s.GetWebhook(); w != nil {
		out.Webhook = &webhookJSON{w.GetUrl(), w.GetHeaders(), ms(w.GetTimeout())}
	}
	for _, r := range t.GetRuns() {
		out.Runs = append(out.Runs, runJSON{
			r.GetId(), r.GetCondition(), r.GetState(), r.GetAttempts(), stampMS(r.GetFiredTime()), stampMS(r.GetEndedTime()), r.GetFailure(),
		})
	}
	return out
}

func stampMS(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMilli()
}

// String is a condition as --on takes it.
func (c *conditionJSON) String() string {
	text := c.On
	if c.Depth > 0 {
		text += fmt.Sprintf("=%d", c.Depth)
	}
	if c.MinPriority > 0 {
		text += fmt.Sprintf(",priority=%d", c.MinPriority)
	}
	if c.MaxWaitMS > 0 {
		text += ",wait=" + span(c.MaxWaitMS)
	}
	return text
}

// on is all conditions, any of which fires the trigger.
func (t *triggerJSON) on() string {
	var list []string
	for i := range t.On {
		list = append(list, t.On[i].String())
	}
	return strings.Join(list, " or ")
}

// work is what the trigger does, in a line.
func (t *triggerJSON) work() string {
	switch {
	case t.Program != nil:
		return strings.Join(t.Program.Argv, " ")
	case t.Webhook != nil:
		return "POST " + t.Webhook.URL
	}
	return ""
}

// ended says when a run ended, and how long that was after it was fired.
func (r *runJSON) ended() string {
	if r.EndedMS == 0 {
		return "-"
	}
	return (time.Duration(r.EndedMS-r.FiredMS) * time.Millisecond).String()
}
