// Publish and asynchronous replies: the shop asks all roasters at once, and takes
// the offers that come before the deadline.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	naru "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

var (
	server = "http://" + strings.TrimPrefix(cmp.Or(os.Getenv("NARU_HTTP"), "127.0.0.1:8080"), "http://")
	topics = naruv1connect.NewTopicServiceClient(http.DefaultClient, server)
	calls  = naruv1connect.NewCallServiceClient(http.DefaultClient, server)
)

const topic = "styles.publish-async-replies"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := topics.CreateTopic(ctx, &naru.CreateTopicRequest{Topic: topic, Partitions: 1})
	if connect.CodeOf(err) != connect.CodeAlreadyExists {
		check(err)
	}
	var roasters sync.WaitGroup
	closed, atOnce := make(chan struct{}), make(chan struct{})
	close(atOnce)
	roaster(ctx, &roasters, "Busan: 19 EUR/kg", atOnce)
	roaster(ctx, &roasters, "Trieste: 17 EUR/kg", atOnce)
	roaster(ctx, &roasters, "Lima: 12 EUR/kg", closed) // answers when it is too late

	before := lateReplies(ctx)
	answer := must(calls.Collect(ctx, &naru.CollectRequest{
		Topic:   topic,
		Record:  &naru.NewRecord{Value: &naru.NewRecord_Text{Text: "20 kg of beans by Friday?"}},
		Timeout: durationpb.New(2 * time.Second),
	}))
	var offers []string
	for _, reply := range answer.Replies {
		offers = append(offers, reply.GetText())
	}
	slices.Sort(offers)
	fmt.Printf("shop: offers before the deadline: %q\n", offers)

	close(closed)
	roasters.Wait()
	for lateReplies(ctx) == before { // an answer is counted as soon as the server has seen it
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Printf("shop: late offers, counted and dropped: %d\n", lateReplies(ctx)-before)
}

// roaster reads one question, and answers it when the channel is closed.
func roaster(ctx context.Context, all *sync.WaitGroup, offer string, when <-chan struct{}) {
	now := must(topics.Read(ctx, &naru.ReadRequest{Topic: topic, From: "latest", MaxRecords: 1}))
	all.Go(func() {
		got := must(topics.Read(ctx, &naru.ReadRequest{Topic: topic, Cursor: now.Cursor, Wait: durationpb.New(30 * time.Second)}))
		<-when
		for _, question := range got.Records {
			must(calls.Reply(ctx, &naru.ReplyRequest{ReplyTo: question.ReplyTo, CorrelationId: question.CorrelationId,
				Message: &naru.NewMessage{Value: &naru.NewMessage_Text{Text: offer}}}))
		}
	})
}

func lateReplies(ctx context.Context) int64 {
	stats := must(calls.GetReplyStats(ctx, &naru.GetReplyStatsRequest{}))
	return stats.Late
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
