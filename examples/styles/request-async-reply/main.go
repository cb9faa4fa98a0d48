// Request and asynchronous reply: the caller asks and ends. The reply is there
// when it is back, for its reply channel is a queue that outlives it.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

var (
	server = "http://" + strings.TrimPrefix(cmp.Or(os.Getenv("NARU_HTTP"), "127.0.0.1:8080"), "http://")
	queues = naruv1connect.NewQueueServiceClient(http.DefaultClient, server)
	calls  = naruv1connect.NewCallServiceClient(http.DefaultClient, server)
)

const queue = "styles.request-async-reply"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if len(os.Args) > 1 { // the caller, a process of its own
		map[string]func(context.Context){"ask": ask, "collect": collect}[os.Args[1]](ctx)
		return
	}
	_, err := queues.CreateQueue(ctx, &naru.CreateQueueRequest{Queue: queue})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}
	caller(ctx, "ask")
	barista(ctx)
	caller(ctx, "collect")
}

// ask opens the client's channel before its first request, and does not wait.
func ask(ctx context.Context) {
	channel := must(calls.OpenReplyChannel(ctx, &naru.OpenReplyChannelRequest{Client: "styles.office"}))
	must(queues.Send(ctx, &naru.SendRequest{Queue: queue, Messages: []*naru.NewMessage{{
		Value:   &naru.NewMessage_Text{Text: "40 coffees for the meeting"},
		ReplyTo: channel.Queue, CorrelationId: "order-1001",
	}}}))
	fmt.Println("caller: asked for 40 coffees as order-1001, and ends")
}

// collect opens the same channel again and takes what has come meanwhile.
func collect(ctx context.Context) {
	channel := must(calls.OpenReplyChannel(ctx, &naru.OpenReplyChannelRequest{Client: "styles.office"}))
	reply := receive(ctx, channel.Queue)
	fmt.Printf("caller: is back, and finds for %s: %s\n", reply.CorrelationId, reply.GetText())
}

func barista(ctx context.Context) {
	order := receive(ctx, queue)
	must(calls.Reply(ctx, &naru.ReplyRequest{ReplyTo: order.ReplyTo, CorrelationId: order.CorrelationId,
		Message: &naru.NewMessage{Value: &naru.NewMessage_Text{Text: order.GetText() + " are ready"}}}))
	fmt.Println("barista: answers while the caller is away")
}

// receive takes one message and acknowledges it.
func receive(ctx context.Context, queue string) *naru.Message {
	for {
		got := must(queues.Receive(ctx, &naru.ReceiveRequest{Queue: queue, Wait: durationpb.New(10 * time.Second)}))
		for _, m := range got.Messages {
			must(queues.Ack(ctx, &naru.AckRequest{Queue: queue, Delivery: m.Delivery}))
			return m
		}
	}
}

// caller runs this program again, in a role.
func caller(ctx context.Context, role string) {
	cmd := exec.CommandContext(ctx, os.Args[0], role)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	check(cmd.Run())
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
