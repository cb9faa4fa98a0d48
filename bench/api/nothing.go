package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/bench/internal/peer"
)

// doNothing, as the first argument, makes this program servers that do nothing. The
// second says which.
const doNothing = "do-nothing"

// Names of those sides.
const (
	sideNothing = "nothing" // net/http, and grpc-go: what Naru is compared with
	sideConnect = "connect" // connect-go, which Naru serves gRPC with: how much of the difference is that
)

// nothing is this program as one of them: HTTP on the first port, gRPC on the second.
func nothing(name, title string) (peer.Spec, error) {
	self, err := os.Executable()
	return peer.Spec{
		Name: name, Title: title, Durability: "keeps nothing",
		Command: func(h peer.Home) []string { return []string{self, doNothing, name, h.Addr(), grpcAddr(h)} },
	}, err
}

func grpcAddr(h peer.Home) string { return fmt.Sprintf("127.0.0.1:%d", h.SecondPort) }

// The answers, which are as long as Naru's.
var (
	fixedTime = time.Date(2026, 11, 21, 12, 34, 56, 789_000_000, time.UTC)
	produced  = &naruv1.ProduceResponse{Results: []*naruv1.Produced{{Offset: 12_345, Timestamp: timestamppb.New(fixedTime)}}}
	received  = &naruv1.ReceiveResponse{
		Messages: []*naruv1.Message{{
			Id: "00000000-0000-0000-0000-000000000000", Delivery: fixedDelivery, Attempts: 1, SentTime: timestamppb.New(fixedTime),
			FirstReceivedTime: timestamppb.New(fixedTime), Offset: 12_345, Value: &naruv1.Message_Text{Text: text(12_345)},
		}},
		Lease: durationpb.New(10 * time.Minute),
	}
	settled = &naruv1.SettleResponse{Results: []*naruv1.Settled{{Delivery: fixedDelivery}}}
)

const fixedDelivery = "2-0-3039-1"

// serveNothing serves until the process ends.
func serveNothing(name, httpAddr, grpcAddr string) error {
	plain, err := net.Listen("tcp", httpAddr)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", grpcAddr)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- http.Serve(plain, newFixedJSON()) }()
	serve := serveGRPC
	if name == sideConnect {
		serve = serveConnect
	}
	go func() { failed <- serve(ln) }()
	return <-failed
}

func serveGRPC(ln net.Listener) error {
	server := grpc.NewServer()
	for _, d := range services {
		server.RegisterService(&d, nil)
	}
	return server.Serve(ln)
}

var services = []grpc.ServiceDesc{
	{ServiceName: "naru.v1.TopicService", Methods: []grpc.MethodDesc{fixed[naruv1.ProduceRequest]("Produce", produced)}},
	{ServiceName: "naru.v1.QueueService", Methods: []grpc.MethodDesc{
		fixed[naruv1.ReceiveRequest]("Receive", received),
		fixed[naruv1.AckRequest]("Ack", settled),
	}},
}

// fixed is a method that decodes its request and gives always the same answer.
func fixed[In any](name string, out proto.Message) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		return out, decode(new(In))
	}}
}

// fixedJSON reads a body, and answers what the path's end stands for.
type fixedJSON map[string][]byte

func newFixedJSON() fixedJSON {
	as := protojson.MarshalOptions{EmitDefaultValues: true}
	out := fixedJSON{}
	for end, m := range map[string]proto.Message{"/records": produced, ":receive": received, ":ack": settled} {
		b, err := as.Marshal(m)
		if err != nil {
			panic(err) // of a message above
		}
		out[end] = append(b, '\n')
	}
	return out
}

func (f fixedJSON) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(f[r.URL.Path[strings.LastIndexAny(r.URL.Path, "/:"):]])
}
