package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// AMQP is served by every broker, though the exchanges are at one of them.
func TestClusterAMQP(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	for _, x := range []struct{ from, to *Cluster }{{a, b}, {b, a}} {
		publisher, consumer := amqpChannel(t, x.from), amqpChannel(t, x.to)
		q, err := publisher.QueueDeclare("", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := publisher.Confirm(false); err != nil {
			t.Fatal(err)
		}
		deliveries, err := consumer.Consume(q.Name, "", false, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := publisher.PublishWithDeferredConfirm("", q.Name, false, false, amqp091.Publishing{Body: []byte("hello")})
		if err != nil || !sent.Wait() {
			t.Fatalf("not confirmed: %v", err)
		}
		if d := <-deliveries; string(d.Body) != "hello" || d.Ack(false) != nil {
			t.Errorf("delivered %q", d.Body)
		}
	}
}

// What a client gives back is there when it looks next, wherever the queue is.
func TestClusterAMQPKeepsOrder(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	ch := amqpChannel(t, a)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i := range 8 { // of which some are at the other broker
		q, err := ch.QueueDeclare(fmt.Sprint("q", i), true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Publish("", q.Name, false, false, amqp091.Publishing{Body: []byte("m")}); err != nil {
			t.Fatal(err)
		}
		for turn := range 50 {
			d, ok, err := ch.Get(q.Name, false)
			if err != nil || !ok {
				t.Fatalf("%s, turn %d: %v, %v", q.Name, turn, ok, err)
			}
			if err := d.Nack(false, true); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A time to live of nothing ends with the next consumer that is free, however long it takes until a message is durable.
func TestClusterAMQPDeliversWhatMayNotWait(t *testing.T) {
	cfg := clusterConfig(t)
	cfg.FlushEvery = 300 * time.Millisecond
	c := newCloud(t)
	b, err := StartCluster(cfg, ClusterOptions{Bucket: c.bucket, Quorum: c.quorum, Lease: c.quorum})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	c.balanced(b)
	ch := amqpChannel(t, b)
	q, err := ch.QueueDeclare("q", true, false, false, false, amqp091.Table{"x-message-ttl": int32(0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	publish := func(body string) {
		sent, err := ch.PublishWithDeferredConfirm("", q.Name, false, false, amqp091.Publishing{Body: []byte(body)})
		if err != nil || !sent.Wait() {
			t.Fatalf("not confirmed: %v", err)
		}
	}
	publish("nobody waits")
	if _, ok, err := ch.Get(q.Name, true); ok || err != nil {
		t.Errorf("what nobody waited for is there, %v", err)
	}
	deliveries, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	publish("somebody waits")
	select {
	case d := <-deliveries:
		if string(d.Body) != "somebody waits" {
			t.Errorf("delivered %q", d.Body)
		}
	case <-time.After(10 * time.Second):
		t.Error("not delivered")
	}
}

// The management API has the ports of all brokers, whichever of them answers.
func TestClusterManagementKnowsAllPorts(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	for _, of := range []*Cluster{a, b} {
		_, port, err := net.SplitHostPort(addr(of, "amqp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []*Cluster{a, b} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", addr(at, "amqp-management")+"/api/health/checks/port-listener/"+port, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.SetBasicAuth("guest", "guest")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("port %s: status %d", port, answer.StatusCode)
			}
		}
	}
}

func amqpChannel(t *testing.T, b *Cluster) *amqp091.Channel {
	t.Helper()
	_, ch := dialAMQP(t, addr(b, "amqp"))
	return ch
}

// dialAMQP connects until the test ends.
func dialAMQP(t *testing.T, addr string) (*amqp091.Connection, *amqp091.Channel) {
	t.Helper()
	conn, err := amqp091.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, ch
}
