package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

// What the shop has. A demo on a server that runs already begins by deleting these.
const (
	counterQueue    = "demo.counter" // customers ask here
	ordersQueue     = "demo.orders"  // baristas take from here
	readyTopic      = "demo.ready"   // in the round with events baristas say here what is ready
	buzzerQueue     = "demo.buzzer"  // the buzzer's view of it
	customersClient = "demo.customers"
)

// The two rounds.
const (
	styleCalls  = "calls"
	styleEvents = "events"
)

var styleText = map[string]string{
	styleCalls:  "calls: the order taker calls a barista and waits for the coffee, and so does the line",
	styleEvents: "events: the order taker puts the order into a queue, and the buzzer calls the customer",
}

// How long people and machines take at speed 1.
const (
	arrivalEvery = 25 * time.Millisecond
	orderingTime = 10 * time.Millisecond
)

// brewingTime depends on the drink, and is the same in both rounds.
func brewingTime(order int) time.Duration {
	return time.Duration(60+10*(order%5)) * time.Millisecond
}

// demoCallTimeout is the longest that the API allows; flags are checked to stay below.
const demoCallTimeout = 5 * time.Minute

// demoWait is how long a role waits for the next message before it asks again.
const demoWait = 10 * time.Second

// shop is the public API as the demo uses it.
type shop struct {
	queues naruv1connect.QueueServiceClient
	topics naruv1connect.TopicServiceClient
	calls  naruv1connect.CallServiceClient
}

func newShop(addr string) shop {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: demoCustomersMax + 4}}
	url := "http://" + addr
	return shop{
		queues: naruv1connect.NewQueueServiceClient(client, url),
		topics: naruv1connect.NewTopicServiceClient(client, url),
		calls:  naruv1connect.NewCallServiceClient(client, url),
	}
}

// clear deletes what the demo makes on a server.
func (s shop) clear(ctx context.Context) error {
	queues := []string{counterQueue, ordersQueue, buzzerQueue}
	channel, err := s.calls.OpenReplyChannel(ctx, &naru.OpenReplyChannelRequest{Client: customersClient})
	if err != nil {
		return fmt.Errorf("open the reply channel: %w", err)
	}
	for _, name := range append(queues, channel.Queue) {
		_, err := s.queues.DeleteQueue(ctx, &naru.DeleteQueueRequest{Queue: name})
		if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
			return fmt.Errorf("delete queue %s: %w", name, err)
		}
	}
	_, err = s.topics.DeleteTopic(ctx, &naru.DeleteTopicRequest{Topic: readyTopic})
	if err != nil && connect.CodeOf(err) != connect.CodeNotFound {
		return fmt.Errorf("delete topic %s: %w", readyTopic, err)
	}
	return nil
}

// order is what is passed around, as JSON.
type order struct {
	Order  int       `json:"order"`
	Drink  string    `json:"drink"`
	Buzzer string    `json:"buzzer,omitempty"` // the customers' reply channel
	Taken  time.Time `json:"taken,omitzero"`   // when the order taker turned to the customer
}

// json is an order as the value of a message.
func (o *order) json() string {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // no value of it can fail
	}
	return string(b)
}

func (o *order) message() *naru.NewMessage {
	return &naru.NewMessage{Value: &naru.NewMessage_Text{Text: o.json()}, ContentType: "application/json"}
}

func orderOf(m *naru.Message) (o order, err error) {
	if err := json.Unmarshal([]byte(m.GetText()), &o); err != nil {
		return o, fmt.Errorf("message %s is not an order: %w", m.Id, err)
	}
	return o, nil
}

// role is one process of the shop.
type role struct {
	demoFlags
	shop
	style    string
	hold     int           // of a barista: which of its coffees never gets ready
	patience time.Duration // of customers

	mu  sync.Mutex
	out *json.Encoder
}

// demoRoles are the commands that `naru demo` starts.
func (a *app) demoRoles() []*cobra.Command {
	var cmds []*cobra.Command
	for name, play := range map[string]func(*role, context.Context) error{
		"order-taker": (*role).takeOrders,
		"barista":     (*role).brew,
		"buzzer":      (*role).buzz,
		"customers":   (*role).visit,
	} {
		r := &role{out: json.NewEncoder(a.out)}
		cmd := &cobra.Command{Use: name, Short: "A role of the demo", Hidden: true, Args: args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), a.in, play) }}
		f := cmd.Flags()
		r.flags(cmd)
		f.StringVar(&r.style, "style", styleEvents, "calls or events")
		f.IntVar(&r.customers, "customers", 50, "how many come")
		f.IntVar(&r.hold, "hold", 0, "which coffee is never ready; 0 is none")
		f.DurationVar(&r.patience, "patience", time.Minute, "how long customers wait for their coffee")
		cmds = append(cmds, cmd)
	}
	return cmds
}

// run plays a role until its standard input ends, also because the demo is gone.
func (r *role) run(ctx context.Context, in io.Reader, play func(*role, context.Context) error) error {
	if err := r.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		io.Copy(io.Discard, in)
		cancel()
	}()
	r.shop = newShop(r.http)
	if err := play(r, ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

func (r *role) say(e demoEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Encode(e)
}

// takes so long, at the speed of the demo.
func (r *role) takes(ctx context.Context, d time.Duration) error { return pause(ctx, r.scaled(d)) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// each takes one order after the other from a queue, and acknowledges what is done.
func (r *role) each(ctx context.Context, queue string, work func(*naru.Message, order) error) error {
	for {
		got, err := r.queues.Receive(ctx, &naru.ReceiveRequest{Queue: queue, MaxMessages: 1, Wait: durationpb.New(demoWait)})
		if err != nil {
			return fmt.Errorf("receive from %s: %w", queue, err)
		}
		for _, m := range got.Messages {
			o, err := orderOf(m)
			if err == nil {
				err = work(m, o)
			}
			if err != nil {
				return err
			}
			if err := r.ack(ctx, queue, m); err != nil {
				return err
			}
		}
	}
}

// ack ends a delivery. If its lease has ended meanwhile, the order comes again, and
// those after us have to see that it was served.
func (r *role) ack(ctx context.Context, queue string, m *naru.Message) error {
	_, err := r.queues.Ack(ctx, &naru.AckRequest{Queue: queue, Delivery: m.Delivery})
	if leaseEnded(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ack on %s: %w", queue, err)
	}
	return nil
}

func (r *role) reply(ctx context.Context, to, correlation string, o order) error {
	if to == "" {
		return errors.New("a request says not where its answer goes")
	}
	_, err := r.calls.Reply(ctx, &naru.ReplyRequest{ReplyTo: to, CorrelationId: correlation, Message: o.message()})
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return nil
}
