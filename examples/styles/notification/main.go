// Notification: the sender tells, expects no answer, and need not find anybody there.
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

const queue = "styles.notification"

func main() {
	server := "http://" + strings.TrimPrefix(cmp.Or(os.Getenv("NARU_HTTP"), "127.0.0.1:8080"), "http://")
	queues := naruv1connect.NewQueueServiceClient(http.DefaultClient, server)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := queues.CreateQueue(ctx, &naru.CreateQueueRequest{Queue: queue})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}

	// When Send answers, the message is on stable storage.
	must(queues.Send(ctx, &naru.SendRequest{Queue: queue, Messages: []*naru.NewMessage{{
		Value:       &naru.NewMessage_Text{Text: `{"event":"out of oat milk","left_ml":0}`},
		ContentType: "application/json",
	}}}))
	fmt.Println("barista: said that the oat milk is out, and goes on; the manager is not in yet")

	got := must(queues.Receive(ctx, &naru.ReceiveRequest{Queue: queue, Wait: durationpb.New(10 * time.Second)}))
	for _, m := range got.Messages {
		fmt.Printf("manager: comes in, and reads %s\n", m.GetText())
		must(queues.Ack(ctx, &naru.AckRequest{Queue: queue, Delivery: m.Delivery}))
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
