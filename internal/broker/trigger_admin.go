package broker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/narumq/naru/internal/trigger"
)

// CreateTrigger makes a trigger, at its queue's home. No two triggers of a cluster have
// the same name: where the name's own home is, one at a time is given out, and only once
// all slots were seen not to have it.
//
// Errors: trigger.ErrInvalid, catalog.ErrUnknownQueue, ErrTriggerExists,
// ErrProgramsOff, ErrTooManyTriggers, those of the log; errUnseen, ErrNotOwner.
func (b *Broker) CreateTrigger(ctx context.Context, spec trigger.Spec) (info TriggerInfo, err error) {
	if err := spec.Validate(); err != nil {
		return TriggerInfo{}, err
	}
	err = b.askSlot(ctx, b.homeOf(spec.Name), askNameTrigger, spec, &info, func(s *slot) (err error) {
		info, err = s.triggers.name(ctx, spec)
		return err
	})
	return info, err
}

// name makes a trigger whose name has its home here.
func (t *triggers) name(ctx context.Context, spec trigger.Spec) (info TriggerInfo, err error) {
	select {
	case t.naming <- struct{}{}:
		defer func() { <-t.naming }()
	case <-t.s.ctx.Done():
		return info, ErrNotOwner
	case <-ctx.Done():
		return info, context.Cause(ctx)
	}
	looks, stop := context.WithCancel(ctx)
	defer context.AfterFunc(t.s.ctx, stop)() // the slot's next owner waits for this one
	list, err := t.b.seeTriggers(looks, spec.Name)
	stop()
	switch {
	case len(list) > 0:
		return info, fmt.Errorf("%w: %s", ErrTriggerExists, spec.Name)
	case t.s.ctx.Err() != nil:
		return info, ErrNotOwner
	case err != nil:
		return info, err
	}
	// Who asked may go: the next one of that name has to see what becomes of this one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), triggersAskMax)
	defer cancel()
	err = t.b.askSlot(ctx, t.b.homeOf(spec.Queue), askCreateTrigger, spec, &info, func(s *slot) (err error) {
		info, err = s.triggers.create(spec)
		return err
	})
	return info, err
}

// endNaming waits for the name that is being given out, and lets no other be.
func (t *triggers) endNaming() { t.naming <- struct{}{} }

// create makes a trigger whose queue has its home here.
func (t *triggers) create(spec trigger.Spec) (TriggerInfo, error) {
	if err := spec.Validate(); err != nil {
		return TriggerInfo{}, err
	}
	// Another broker may have made the queue just now.
	_, unknown := t.b.Queue(spec.Queue)
	t.admin.Lock()
	defer t.admin.Unlock()
	if spec.Configured = false; spec.Program != nil && !t.cfg.Programs {
		return TriggerInfo{}, ErrProgramsOff
	}
	if unknown != nil {
		return TriggerInfo{}, unknown
	}
	if t.find(spec.Name) != nil {
		return TriggerInfo{}, fmt.Errorf("%w: %s", ErrTriggerExists, spec.Name)
	}
	if _, err := t.queue(spec.Queue); err != nil {
		return TriggerInfo{}, err
	}
	if err := t.define(&spec); err != nil {
		return TriggerInfo{}, err
	}
	t.b.log.Info("trigger created", "trigger", spec.Name, "queue", spec.Queue)
	t.poke()
	list := t.infos(spec.Name)
	if len(list) == 0 {
		return TriggerInfo{}, fmt.Errorf("%w: %s", ErrUnknownTrigger, spec.Name)
	}
	return list[0], nil
}

// DeleteTrigger forgets a trigger, wherever it is. Its work that runs goes on; what waits
// does not start.
//
// Errors: ErrUnknownTrigger, ErrConfigured, those of the log; errUnseen, ErrNotOwner.
func (b *Broker) DeleteTrigger(ctx context.Context, name string) error {
	list, err := b.seeTriggers(ctx, name)
	if len(list) == 0 {
		return unknownTrigger(name, err)
	}
	x := list[0]
	for _, other := range list { // a file may name one as a client did, of another queue
		if !other.Spec.Configured {
			x = other
		}
	}
	return b.askSlot(ctx, b.homeOf(x.Spec.Queue), askDeleteTrigger, name, nil, func(s *slot) error {
		return s.triggers.delete(name)
	})
}

func (t *triggers) delete(name string) error {
	t.admin.Lock()
	defer t.admin.Unlock()
	x := t.find(name)
	switch {
	case x == nil:
		return unknownTrigger(name, nil)
	case x.Spec.Configured:
		return fmt.Errorf("%w: %s: delete it there", ErrConfigured, name)
	}
	t.forget(x.ID)
	if err := t.append([]trigger.Command{trigger.Remove(x.ID)}); err != nil {
		return err
	}
	t.b.log.Info("trigger deleted", "trigger", name)
	return nil
}

// unknownTrigger is why a name was not found: err, if there is something to it.
func unknownTrigger(name string, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrUnknownTrigger, name)
}

// TriggerInfo is a trigger as it is now.
type TriggerInfo struct {
	Spec      trigger.Spec
	ID        trigger.ID
	CreatedAt time.Time
	Armed     []bool
	trigger.Totals
	Waiting, Running int
	Runs             []TriggerRun // the newest first
}

// TriggerRun is one of its runs.
type TriggerRun struct {
	trigger.Run
	Running bool
}

// Triggers returns the triggers of the whole cluster, by name.
//
// Errors: errUnseen, ctx's.
func (b *Broker) Triggers(ctx context.Context) ([]TriggerInfo, error) {
	list, err := b.seeTriggers(ctx, "")
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Trigger returns the trigger of that name, wherever it is.
//
// Errors: ErrUnknownTrigger, errUnseen, ctx's.
func (b *Broker) Trigger(ctx context.Context, name string) (TriggerInfo, error) {
	list, err := b.seeTriggers(ctx, name)
	if len(list) == 0 {
		return TriggerInfo{}, unknownTrigger(name, err)
	}
	return list[0], nil
}

// infos are the slot's triggers: that of a name, or all if there is none.
func (t *triggers) infos(name string) []TriggerInfo {
	list := []TriggerInfo{}
	t.log.Read(func() {
		for _, x := range t.table.Triggers() {
			if name == "" || name == x.Spec.Name {
				list = append(list, infoOf(x))
			}
		}
	})
	return list
}

func infoOf(x *trigger.Trigger) TriggerInfo {
	info := TriggerInfo{
		Spec: x.Spec, ID: x.ID, CreatedAt: time.UnixMilli(x.CreatedAt), Armed: slices.Clone(x.Armed()), Totals: x.Totals(),
		Waiting: x.Waiting(), Running: x.Running(),
	}
	for _, r := range x.Runs() {
		info.Runs = append(info.Runs, TriggerRun{r, x.IsRunning(r.Number)})
	}
	return info
}
