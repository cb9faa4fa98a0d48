package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/trigger"
)

// triggersAskMax is how long a question about triggers may take.
const triggersAskMax = 10 * time.Second

// errUnseen: a list without the triggers of some slots would be a wrong one.
var errUnseen = fault.New(fault.Unavailable, "the triggers of some brokers cannot be seen at the moment")

// slotTriggers are the triggers of a slot.
type slotTriggers struct {
	Slot journal.SlotID
	List []TriggerInfo
}

// triggersHere are the triggers of the slots that are open here: those of a name, or all
// if there is none.
func (b *Broker) triggersHere(name string) []slotTriggers {
	list := []slotTriggers{}
	for _, s := range b.slots.all() {
		list = append(list, slotTriggers{s.id, s.triggers.infos(name)})
	}
	return list
}

// seeTriggers returns the triggers of all slots, by name: those of a name, or all if
// there is none. Slots that nobody had are asked for again, for ownerWaitMax. With an error
// it returns those that it has seen.
func (b *Broker) seeTriggers(ctx context.Context, name string) (list []TriggerInfo, err error) {
	asked, cancel := context.WithTimeout(ctx, triggersAskMax)
	defer cancel()
	look := time.NewTicker(ownerLookEvery)
	defer look.Stop()
	seen := make(map[journal.SlotID]bool)
	for end := time.Now().Add(b.cfg.waits.owner); ; {
		news := b.slots.news()
		err = b.askForTriggers(asked, name, func(s slotTriggers) {
			if !seen[s.Slot] { // it may have moved while both were asked
				seen[s.Slot], list = true, append(list, s.List...)
			}
		})
		slices.SortStableFunc(list, func(x, y TriggerInfo) int { return strings.Compare(x.Spec.Name, y.Spec.Name) })
		switch {
		case len(seen) == len(b.slots.byID), name != "" && len(list) > 0:
			return list, nil
		case ctx.Err() != nil:
			return list, context.Cause(ctx)
		case b.ctx.Err() != nil:
			return list, ErrQueueClosed
		case time.Now().After(end):
			return list, fmt.Errorf("%w: %d of %d slots were: %v", errUnseen, len(seen), len(b.slots.byID), err)
		}
		select {
		case <-news:
		case <-look.C:
		case <-asked.Done():
		case <-b.ctx.Done():
		}
	}
}

// askForTriggers asks those who have slots, all at the same time, and takes what each
// has. Its error is that of one who did not answer.
func (b *Broker) askForTriggers(ctx context.Context, name string, take func(slotTriggers)) (err error) {
	owners := make(map[int32]bool) // at most one for each slot
	for i := range b.slots.byID {
		owners[b.Owner(journal.SlotID(i))] = true
	}
	delete(owners, 0)
	type answer struct {
		list []slotTriggers
		err  error
	}
	answers := make(chan answer, len(owners))
	for node := range owners {
		if node == b.NodeID() {
			answers <- answer{b.triggersHere(name), nil}
			continue
		}
		go func() {
			list, err := b.triggersOf(ctx, node, name)
			answers <- answer{list, err}
		}()
	}
	for range owners {
		a := <-answers
		if a.err != nil {
			err = a.err
		}
		for _, s := range a.list {
			take(s)
		}
	}
	return err
}

// triggersOf asks one of them.
func (b *Broker) triggersOf(ctx context.Context, node int32, name string) (list []slotTriggers, err error) {
	client, err := b.cfg.Cluster.Peer(node)
	if err != nil {
		return nil, fmt.Errorf("broker %d: %w", node, err)
	}
	e := &encoder{}
	e.text(name)
	answer, err := client.Do(ctx, askTriggers, e.payload()...)
	if err == nil && !(&decoder{b: answer}).json(&list) {
		err = peer.ErrMalformed
	}
	if err != nil {
		return nil, fmt.Errorf("broker %d: %w", node, err)
	}
	return list, nil
}

// askSlot is a question for whoever has a slot, and its answer, both as JSON. If that is
// this broker, here does it instead.
func (b *Broker) askSlot(ctx context.Context, id journal.SlotID, m peer.Method, question, into any, here func(*slot) error) error {
	ctx, cancel := context.WithTimeout(ctx, triggersAskMax)
	defer cancel()
	e := &encoder{}
	e.unsigned(uint64(id))
	e.json(question)
	for {
		if s := b.slot(id); s != nil {
			return here(s)
		}
		answer, err := b.askOwner(ctx, id, m, e.payload()...)
		switch {
		case errors.Is(err, errHere):
			continue
		case err == nil && into != nil && !(&decoder{b: answer}).json(into):
			return peer.ErrMalformed
		}
		return err
	}
}

// serveTriggers answers what is about triggers.
func (s *peerSession) serveTriggers(c *peer.Call, d *decoder) {
	if c.Method == askTriggers {
		name := d.text()
		go func() {
			e := &encoder{}
			e.json(s.b.triggersHere(name))
			reply(c, e, d.fail())
		}()
		return
	}
	id := d.unsigned()
	if err := d.fail(); err != nil {
		c.Fail(err)
		return
	}
	var at *slot
	if id < uint64(len(s.b.slots.byID)) {
		at = s.b.slot(journal.SlotID(id))
	}
	if at == nil {
		refuse(c)
		return
	}
	go func() {
		e := &encoder{}
		reply(c, e, at.triggers.serve(c, d, e))
	}()
}

// serve answers a call about triggers of the slot.
func (t *triggers) serve(c *peer.Call, d *decoder, e *encoder) error {
	if c.Method == askDeleteTrigger {
		var name string
		if !d.json(&name) {
			return peer.ErrMalformed
		}
		return t.delete(name)
	}
	var spec trigger.Spec
	if !d.json(&spec) {
		return peer.ErrMalformed
	}
	make := t.create
	if c.Method == askNameTrigger {
		make = func(spec trigger.Spec) (TriggerInfo, error) { return t.name(c.Context(), spec) }
	}
	info, err := make(spec)
	e.json(info)
	return err
}
