// Request and response: the order taker asks the barista, and waits for the coffee.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
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

const queue = "styles.request-response"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := queues.CreateQueue(ctx, &naru.CreateQueueRequest{Queue: queue})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}
	go barista(ctx)

	for _, drink := range []string{"flat white", "cortado"} {
		fmt.Printf("order taker: asks for a %s\n", drink)
		answer := must(calls.Request(ctx, &naru.RequestRequest{
			Queue:   queue,
			Message: &naru.NewMessage{Value: &naru.NewMessage_Text{Text: drink}},
			Timeout: durationpb.New(10 * time.Second),
		}))
		fmt.Printf("order taker: has %q\n", answer.Reply.GetText())
	}
}

// barista answers one request after the other. It need not know who asks: the
// request says where the answer goes.
func barista(ctx context.Context) {
	for {
		got := must(queues.Receive(ctx, &naru.ReceiveRequest{Queue: queue, Wait: durationpb.New(10 * time.Second)}))
		for _, order := range got.Messages {
			must(calls.Reply(ctx, &naru.ReplyRequest{
				ReplyTo:       order.ReplyTo,
				CorrelationId: order.CorrelationId,
				Message:       &naru.NewMessage{Value: &naru.NewMessage_Text{Text: "a hot " + order.GetText()}},
			}))
			must(queues.Ack(ctx, &naru.AckRequest{Queue: queue, Delivery: order.Delivery}))
		}
	}
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
