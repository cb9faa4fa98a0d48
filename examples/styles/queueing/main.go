// Queueing: orders wait in a queue, each goes to one of the baristas, and comes
// again if its barista goes home without finishing it.
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
)

const queue = "styles.queueing"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := queues.CreateQueue(ctx, &naru.CreateQueueRequest{Queue: queue})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}
	var orders []*naru.NewMessage
	for i := range 3 {
		orders = append(orders, &naru.NewMessage{Value: &naru.NewMessage_Text{Text: fmt.Sprint("order ", i+1)}})
	}
	must(queues.Send(ctx, &naru.SendRequest{Queue: queue, Messages: orders}))
	fmt.Println("order taker: 3 orders are in the queue")

	first := take(ctx, "Minjun")
	second := take(ctx, "Seoyeon") // another order: the first is leased
	finish(ctx, "Seoyeon", second)
	_ = first // Minjun goes home; the lease of two seconds ends
	finish(ctx, "Seoyeon", take(ctx, "Seoyeon"))
	finish(ctx, "Seoyeon", take(ctx, "Seoyeon"))
}

// take leases the next order; nobody else gets it meanwhile.
func take(ctx context.Context, name string) *naru.Message {
	for {
		got := must(queues.Receive(ctx, &naru.ReceiveRequest{Queue: queue,
			Lease: durationpb.New(2 * time.Second), Wait: durationpb.New(10 * time.Second)}))
		for _, m := range got.Messages {
			fmt.Printf("%s: takes %s, attempt %d\n", name, m.GetText(), m.Attempts)
			return m
		}
	}
}

// finish ends the delivery for good.
func finish(ctx context.Context, name string, m *naru.Message) {
	must(queues.Ack(ctx, &naru.AckRequest{Queue: queue, Delivery: m.Delivery}))
	fmt.Printf("%s: has finished %s\n", name, m.GetText())
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
