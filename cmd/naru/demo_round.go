package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
)

const (
	baristas     = 3
	victim       = "barista-2"
	victimsLast  = 2 // which of its coffees is the last
	demoAskAgain = 20 * time.Millisecond
)

// round is one of the two that the demo plays.
type round struct {
	shop
	flags  *demoFlags
	stage  *stage
	style  string
	app    *app
	lease  time.Duration // of an order: well above the time to brew, so that only a kill ends it
	events chan demoEvent

	channel      string // the customers' reply channel
	staff        []*actor
	customers    *actor
	victimBrewed int
	coffees      int
	outcome      roundReport
}

func newRound(a *app, f *demoFlags, s *stage, style string) *round {
	return &round{
		shop: newShop(f.http), flags: f, stage: s, style: style, app: a,
		lease:   max(time.Second, f.scaled(800*time.Millisecond)),
		events:  make(chan demoEvent, demoEventBuffer),
		outcome: roundReport{Style: style},
	}
}

// play opens the shop, plays until all have their coffee, and closes it.
func (r *round) play(ctx context.Context) (roundReport, error) {
	defer r.note("")
	if err := r.furnish(ctx); err != nil {
		return r.outcome, err
	}
	if err := r.open(ctx); err != nil {
		return r.outcome, err
	}
	began := time.Now()
	if err := r.follow(ctx, eventServed, 1); err != nil {
		return r.outcome, err
	}
	r.outcome.took = time.Since(began)
	if err := r.untilEmpty(ctx); err != nil {
		return r.outcome, err
	}
	r.customers.goHome()
	for _, p := range r.staff {
		p.goHome()
	}
	for len(r.events) > 0 {
		r.heard(<-r.events)
	}
	r.outcome.sum(r.flags.customers)
	return r.outcome, context.Cause(ctx)
}

// furnish makes the queues and the topic afresh.
func (r *round) furnish(ctx context.Context) error {
	if err := r.clear(ctx); err != nil {
		return err
	}
	channel, err := r.calls.OpenReplyChannel(ctx, &naru.OpenReplyChannelRequest{Client: customersClient})
	if err != nil {
		return fmt.Errorf("open the reply channel: %w", err)
	}
	r.channel = channel.Queue
	if _, err := r.topics.CreateTopic(ctx, &naru.CreateTopicRequest{Topic: readyTopic, Partitions: 1}); err != nil {
		return fmt.Errorf("create topic %s: %w", readyTopic, err)
	}
	for _, q := range []*naru.CreateQueueRequest{
		{Queue: counterQueue, Settings: &naru.NewQueueSettings{Lease: durationpb.New(demoCallTimeout)}},
		{Queue: ordersQueue, Settings: &naru.NewQueueSettings{Lease: durationpb.New(r.lease)}},
		{Queue: buzzerQueue, Topic: readyTopic, Settings: &naru.NewQueueSettings{Lease: durationpb.New(r.lease)}},
	} {
		if _, err := r.queues.CreateQueue(ctx, q); err != nil {
			return fmt.Errorf("create queue %s: %w", q.Queue, err)
		}
	}
	return nil
}

// open starts the staff, then lets the customers in.
func (r *round) open(ctx context.Context) error {
	enact := func(name, role string, more ...string) (*actor, error) {
		return r.stage.enact(name, role, r.events, append([]string{
			"--http", r.flags.http, "--speed", fmt.Sprint(r.flags.speed), "--style", r.style,
		}, more...)...)
	}
	roles := map[string]string{"order-taker": "order-taker"}
	for i := range baristas {
		roles[fmt.Sprintf("barista-%d", i+1)] = "barista"
	}
	if r.style == styleEvents {
		roles["buzzer"] = "buzzer"
	}
	for name, role := range roles {
		var more []string
		if name == victim && r.style == styleEvents {
			more = []string{"--hold", fmt.Sprint(victimsLast)}
		}
		p, err := enact(name, role, more...)
		if err != nil {
			return err
		}
		r.staff = append(r.staff, p)
	}
	if err := r.follow(ctx, eventReady, len(roles)); err != nil {
		return err
	}
	patience := r.flags.scaled(time.Duration(r.flags.customers)*200*time.Millisecond) + 10*r.lease + 30*time.Second
	var err error
	r.customers, err = enact("customers", "customers",
		"--customers", fmt.Sprint(r.flags.customers), "--patience", fmt.Sprint(patience))
	return err
}

// follow hears what the roles say until they have said one thing so often.
func (r *round) follow(ctx context.Context, until string, times int) error {
	for times > 0 {
		select {
		case e := <-r.events:
			r.heard(e)
			if e.Event == until {
				times--
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// note writes a line over that of the progress.
func (r *round) note(format string, args ...any) {
	if r.app.errTerminal {
		fmt.Fprint(r.app.err, "\r\033[K")
	}
	fmt.Fprintf(r.app.err, format, args...)
}

// progress is a line that changes, for who watches.
func (r *round) progress() {
	if r.app.errTerminal {
		r.note("         %d of %d have their coffee", r.coffees, r.flags.customers)
	}
}

// heard notes what a role says, and kills the victim over its last coffee.
func (r *round) heard(e demoEvent) {
	o := &r.outcome
	switch e.Event {
	case eventVisit:
		o.visits = append(o.visits, *e.Visit)
	case eventCoffee:
		r.coffees++
		r.progress()
	case eventBrewed:
		o.Brewed++
	case eventBrewing:
		if e.Attempts > 1 {
			if !slices.Contains(o.Redelivered, e.Order) {
				o.Redelivered = append(o.Redelivered, e.Order)
			}
			if o.Killed != nil && o.Killed.Order == e.Order {
				o.Killed.BrewedAgainBy = e.who.name
				r.note("         order %d comes again, and %s brews it\n", e.Order, e.who.name)
			}
		}
		if e.who.name == victim && r.style == styleEvents {
			if r.victimBrewed++; r.victimBrewed == victimsLast {
				e.who.kill()
				o.Killed = &killed{Barista: victim, Order: e.Order}
				r.note("         %s is killed while it brews order %d\n", victim, e.Order)
			}
		}
	}
}

// untilEmpty waits until nothing is under way any more: what is brewed twice has come
// to the buzzer by then. The order is that in which an order goes.
func (r *round) untilEmpty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*r.lease+10*time.Second)
	defer cancel()
	for _, name := range []string{counterQueue, ordersQueue, buzzerQueue, r.channel} {
		for {
			q, err := r.queues.GetQueue(ctx, &naru.GetQueueRequest{Queue: name})
			if err == nil {
				if s := q.Stats; s.GetReady()+s.GetInFlight()+s.GetDelayed() == 0 {
					break
				}
				err = pause(ctx, demoAskAgain)
			}
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil // orders are lost; the report says how many
			}
			if err != nil {
				return fmt.Errorf("look at queue %s: %w", name, err)
			}
		}
	}
	return nil
}
