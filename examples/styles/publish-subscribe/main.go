// Publish and subscribe: the barista calls out orders without knowing who listens.
// Here that is nobody, then one, then two.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	naru "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

var (
	server = "http://" + strings.TrimPrefix(cmp.Or(os.Getenv("NARU_HTTP"), "127.0.0.1:8080"), "http://")
	topics = naruv1connect.NewTopicServiceClient(http.DefaultClient, server)
)

const topic = "styles.publish-subscribe"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := topics.CreateTopic(ctx, &naru.CreateTopicRequest{Topic: topic, Partitions: 1})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}
	var hear sync.WaitGroup
	publish(ctx, "order 1", 0)
	subscribe(ctx, &hear, "customer", 2)
	publish(ctx, "order 2", 1)
	subscribe(ctx, &hear, "screen", 1)
	publish(ctx, "order 3", 2)
	hear.Wait()
}

func publish(ctx context.Context, text string, subscribers int) {
	must(topics.Produce(ctx, &naru.ProduceRequest{Topic: topic, Records: []*naru.NewRecord{{
		Value: &naru.NewRecord_Text{Text: text},
	}}}))
	fmt.Printf("barista: calls %s; subscribers: %d\n", text, subscribers)
}

// subscribe hears the next records, as many as told. The cursor is taken first, so
// that nothing is missed however long it takes until the stream is there.
func subscribe(ctx context.Context, hear *sync.WaitGroup, name string, records int) {
	now := must(topics.Read(ctx, &naru.ReadRequest{Topic: topic, From: "latest", MaxRecords: 1}))
	stream := must(topics.Subscribe(ctx, &naru.SubscribeRequest{Topic: topic, Cursor: now.Cursor}))
	hear.Go(func() {
		defer stream.Close()
		for records > 0 && stream.Receive() {
			for _, r := range stream.Msg().Records {
				fmt.Printf("%s: hears %s\n", name, r.GetText())
				records--
			}
		}
		check(stream.Err())
	})
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
