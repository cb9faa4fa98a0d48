package server

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/cluster"
	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/peer"
)

// An answer comes to the broker where its request waits, not to whoever reads first.
func TestClusterRequests(t *testing.T) {
	c := newCloud(t)
	all := []*Cluster{c.join(nil), c.join(nil)}
	c.balanced(all...)
	c.call(all[0], "/v1/queues", `{"queue":"work"}`)
	for i := range 6 {
		asked, other := all[i%2], all[(i+1)%2]
		answer := make(chan string, 1)
		go func() {
			defer close(answer)
			answer <- c.call(asked, "/v1/queues/work:request", `{"message":{"text":"ask"},"timeout":"10s"}`)
		}()
		got := c.call(other, "/v1/queues/work/messages:receive", `{"wait":"10s"}`)
		field := func(name string) string {
			m := regexp.MustCompile(`"` + name + `":\s*"([^"]+)"`).FindStringSubmatch(got)
			if m == nil {
				t.Fatalf("no %s in %s", name, got)
			}
			return m[1]
		}
		c.call(other, "/v1/replies", `{"replyTo":"`+field("replyTo")+`","correlationId":"`+field("correlationId")+`","message":{"text":"answered"}}`)
		c.call(other, "/v1/queues/work/messages:ack", `{"delivery":"`+field("delivery")+`"}`)
		if a := <-answer; !strings.Contains(a, "answered") {
			t.Fatalf("request %d: %s", i, a)
		}
	}
}

// A broker that is stopped ends no call; those who called it must not wait for longer than it is a member.
func TestClusterEndsCallsToWhoIsNoMember(t *testing.T) {
	c := newCloud(t)
	a := c.join(nil)
	c.balanced(a)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	stopped := peer.NewServer(peer.Config{Node: 9, Cluster: a.identity.Load().ID}, func(*peer.Call) { close(asked) }, nil)
	go func() { _ = stopped.Serve(l) }()
	t.Cleanup(stopped.Close)
	lease, err := c.quorum.Grant(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	member := fmt.Sprintf(`{"endpoints":{"peer":%q}}`, l.Addr())
	if _, err := c.quorum.Txn(t.Context(), nil, []coord.Op{coord.Put(cluster.LivePrefix+"member/0009", []byte(member), lease)}, nil); err != nil {
		t.Fatal(err)
	}
	var client *peer.Client
	c.until("knowing it", func() bool { client, err = a.metrics.slots.Load().Peer(9); return err == nil })
	ended := make(chan error, 1)
	client.Start(t.Context(), peer.Request{Method: 1}, func(_ []byte, err error) { ended <- err })
	<-asked
	if err := c.quorum.Revoke(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	c.until("an end of the call", func() bool { return len(ended) > 0 })
	if err := <-ended; !errors.Is(err, peer.ErrUnknownOutcome) {
		t.Error(err)
	}
}
