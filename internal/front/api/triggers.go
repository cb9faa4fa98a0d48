package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/trigger"
)

// ListTriggers implements naruv1connect.TriggerServiceHandler.
func (s *Server) ListTriggers(ctx context.Context, _ *naruv1.ListTriggersRequest) (*naruv1.ListTriggersResponse, error) {
	out := &naruv1.ListTriggersResponse{}
	list, err := s.broker.Triggers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range list {
		out.Triggers = append(out.Triggers, showTrigger(&list[i]))
	}
	return out, nil
}

// GetTrigger implements naruv1connect.TriggerServiceHandler.
func (s *Server) GetTrigger(ctx context.Context, in *naruv1.GetTriggerRequest) (*naruv1.Trigger, error) {
	t, err := s.broker.Trigger(ctx, in.GetTrigger())
	if err != nil {
		return nil, err
	}
	return showTrigger(&t), nil
}

// CreateTrigger implements naruv1connect.TriggerServiceHandler.
func (s *Server) CreateTrigger(ctx context.Context, in *naruv1.CreateTriggerRequest) (*naruv1.Trigger, error) {
	spec, err := triggerSpec(in.GetSpec())
	if err != nil {
		return nil, err
	}
	t, err := s.broker.CreateTrigger(ctx, spec)
	if err != nil {
		return nil, err
	}
	return showTrigger(&t), nil
}

// DeleteTrigger implements naruv1connect.TriggerServiceHandler.
func (s *Server) DeleteTrigger(ctx context.Context, in *naruv1.DeleteTriggerRequest) (*naruv1.DeleteTriggerResponse, error) {
	return &naruv1.DeleteTriggerResponse{}, s.broker.DeleteTrigger(ctx, in.GetTrigger())
}

// triggerSpec reads a spec; the broker checks it.
func triggerSpec(in *naruv1.TriggerSpec) (spec trigger.Spec, err error) {
	spec = trigger.Spec{Name: in.GetTrigger(), Queue: in.GetQueue(), MaxRunning: in.GetMaxRunning(), AttemptsMax: in.GetAttemptsMax()}
	length := func(name string, d *durationpb.Duration) (v time.Duration) {
		if err == nil {
			v, err = span(name, d, 0, durationMax)
		}
		return v
	}
	for _, c := range in.GetConditions() {
		spec.Conditions = append(spec.Conditions, trigger.Condition{
			On: trigger.On(c.GetOn()), Depth: c.GetDepth(), MinPriority: c.GetMinPriority(), MaxWait: length("max wait", c.GetMaxWait()),
		})
	}
	if p := in.GetProgram(); p != nil {
		spec.Program = &trigger.Program{Argv: p.GetArgv(), Env: p.GetEnv(), Dir: p.GetDir(), Timeout: length("timeout", p.GetTimeout())}
	}
	if w := in.GetWebhook(); w != nil {
		spec.Webhook = &trigger.Webhook{URL: w.GetUrl(), Headers: w.GetHeaders(), Timeout: length("timeout", w.GetTimeout())}
	}
	if err == nil && spec.Program == nil && spec.Webhook == nil {
		err = invalid("the trigger does nothing: want a program or a webhook")
	}
	return spec, err
}

func showTrigger(t *broker.TriggerInfo) *naruv1.Trigger {
	out := &naruv1.Trigger{
		Spec: showTriggerSpec(&t.Spec), CreatedTime: stamp(t.CreatedAt.UnixMilli()), Armed: t.Armed,
		Fired: t.Fired, Succeeded: t.Succeeded, Failed: t.Failed, Waiting: int32(t.Waiting), Running: int32(t.Running), Configured: t.Spec.Configured,
	}
	for i := range t.Runs {
		r := &t.Runs[i]
		run := &naruv1.TriggerRun{
			Id: trigger.RunID(t.ID, r.Number), Condition: r.Condition, FiredTime: stamp(r.FiredAt), State: r.State.String(), Attempts: r.Attempts, Failure: r.Failure,
		}
		if r.State != trigger.Waiting {
			run.EndedTime = stamp(r.EndedAt)
		} else if r.Running {
			run.State = "running"
		}
		out.Runs = append(out.Runs, run)
	}
	return out
}

func showTriggerSpec(s *trigger.Spec) *naruv1.TriggerSpec {
	length := func(d time.Duration) *durationpb.Duration {
		if d == 0 {
			return nil
		}
		return durationpb.New(d)
	}
	out := &naruv1.TriggerSpec{Trigger: s.Name, Queue: s.Queue, MaxRunning: s.MaxRunning, AttemptsMax: s.AttemptsMax}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		out.Conditions = append(out.Conditions, &naruv1.TriggerCondition{On: string(c.On), Depth: c.Depth, MinPriority: c.MinPriority, MaxWait: length(c.MaxWait)})
	}
	if p := s.Program; p != nil {
		out.Action = &naruv1.TriggerSpec_Program{Program: &naruv1.TriggerProgram{Argv: p.Argv, Env: p.Env, Dir: p.Dir, Timeout: length(p.Timeout)}}
	}
	if w := s.Webhook; w != nil {
		out.Action = &naruv1.TriggerSpec_Webhook{Webhook: &naruv1.TriggerWebhook{Url: w.URL, Headers: w.Headers, Timeout: length(w.Timeout)}}
	}
	return out
}
