package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// client is the calls that are measured. All workers use it at the same time.
type client interface {
	// produce has one record on the topic.
	produce(ctx context.Context, topic, text string) error
	// receive takes a message off the queue and acknowledges it; none is "".
	receive(ctx context.Context, queue string) (text string, err error)
	close() error
}

const callPatience = 30 * time.Second

var errResult = errors.New("the answer has not one result, without an error")

// overJSON calls the REST paths over HTTP/1.1, on a connection for each worker.
type overJSON struct {
	base      string
	transport *http.Transport
}

func newJSON(addr string, workers int) *overJSON {
	return &overJSON{base: "http://" + addr + "/v1/", transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}}
}

func (c *overJSON) close() error {
	c.transport.CloseIdleConnections()
	return nil
}

func (c *overJSON) call(ctx context.Context, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", path, resp.Status, answer)
	}
	return json.Unmarshal(answer, out)
}

// results are of Produce and of Ack.
type results struct {
	Results []struct{ Error *struct{ Code string } }
}

func (r *results) one() error {
	if len(r.Results) != 1 || r.Results[0].Error != nil {
		return errResult
	}
	return nil
}

func (c *overJSON) produce(ctx context.Context, topic, text string) error {
	var out results
	if err := c.call(ctx, "topics/"+topic+"/records", []byte(`{"records":[{"text":"`+text+`"}]}`), &out); err != nil {
		return err
	}
	return out.one()
}

func (c *overJSON) receive(ctx context.Context, queue string) (string, error) {
	var got struct {
		Messages []struct{ Delivery, Text string }
	}
	if err := c.call(ctx, "queues/"+queue+"/messages:receive", []byte(`{"maxMessages":1}`), &got); err != nil || len(got.Messages) == 0 {
		return "", err
	}
	var out results
	if err := c.call(ctx, "queues/"+queue+"/messages/"+got.Messages[0].Delivery+":ack", nil, &out); err != nil {
		return "", err
	}
	return got.Messages[0].Text, out.one()
}

// overGRPC calls with grpc-go, all workers on one connection, as a program would.
type overGRPC struct{ conn *grpc.ClientConn }

func newGRPC(addr string) (*overGRPC, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	return &overGRPC{conn}, err
}

func (c *overGRPC) close() error { return c.conn.Close() }

func (c *overGRPC) produce(ctx context.Context, topic, text string) error {
	in := &naruv1.ProduceRequest{Topic: topic, Records: []*naruv1.NewRecord{{Value: &naruv1.NewRecord_Text{Text: text}}}}
	var out naruv1.ProduceResponse
	if err := c.conn.Invoke(ctx, "/naru.v1.TopicService/Produce", in, &out); err != nil {
		return err
	}
	if len(out.GetResults()) != 1 || out.GetResults()[0].GetError() != nil {
		return errResult
	}
	return nil
}

func (c *overGRPC) receive(ctx context.Context, queue string) (string, error) {
	var got naruv1.ReceiveResponse
	if err := c.conn.Invoke(ctx, "/naru.v1.QueueService/Receive", &naruv1.ReceiveRequest{Queue: queue, MaxMessages: 1}, &got); err != nil || len(got.GetMessages()) == 0 {
		return "", err
	}
	m := got.GetMessages()[0]
	var out naruv1.SettleResponse
	if err := c.conn.Invoke(ctx, "/naru.v1.QueueService/Ack", &naruv1.AckRequest{Queue: queue, Delivery: m.GetDelivery()}, &out); err != nil {
		return "", err
	}
	if len(out.GetResults()) != 1 || out.GetResults()[0].GetError() != nil {
		return "", errResult
	}
	return m.GetText(), nil
}
