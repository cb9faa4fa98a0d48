package main

import (
	"context"
	"net"
	"net/http"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

// serveConnect answers gRPC by connect-go and net/http, as Naru does, with nothing behind.
func serveConnect(ln net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle(naruv1connect.NewTopicServiceHandler(idleTopics{}))
	mux.Handle(naruv1connect.NewQueueServiceHandler(idleQueues{}))
	server := &http.Server{Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.Serve(ln)
}

type idleTopics struct {
	naruv1connect.UnimplementedTopicServiceHandler
}

func (idleTopics) Produce(context.Context, *naruv1.ProduceRequest) (*naruv1.ProduceResponse, error) {
	return produced, nil
}

type idleQueues struct {
	naruv1connect.UnimplementedQueueServiceHandler
}

func (idleQueues) Receive(context.Context, *naruv1.ReceiveRequest) (*naruv1.ReceiveResponse, error) {
	return received, nil
}

func (idleQueues) Ack(context.Context, *naruv1.AckRequest) (*naruv1.SettleResponse, error) {
	return settled, nil
}
