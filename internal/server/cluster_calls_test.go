package server

import (
	"regexp"
	"strings"
	"testing"
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
