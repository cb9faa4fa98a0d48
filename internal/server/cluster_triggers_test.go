package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// A trigger that a client made at one broker fires where its queue is, and what is under way there when that broker leaves
// runs again, under its id, at the other one.
func TestClusterTriggers(t *testing.T) {
	runs, gone := make(chan string, 100), make(chan struct{})
	var leave sync.Once
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then it shows that a client has gone
		runs <- r.Header.Get("Idempotency-Key")
		select {
		case <-gone:
		case <-r.Context().Done():
		}
	}))
	defer hook.Close()
	defer leave.Do(func() { close(gone) })
	next := func() string {
		t.Helper()
		select {
		case id := <-runs:
			return id
		case <-time.After(20 * time.Second):
			t.Fatal("the hook was not called")
			return ""
		}
	}
	c := newCloud(t)
	a := c.join(nil)
	c.balanced(a)
	c.call(a, "/v1/queues", `{"queue":"mails"}`)
	c.call(a, "/v1/triggers", `{"spec":{"trigger":"t","queue":"mails","conditions":[{"on":"first"}],"webhook":{"url":"`+hook.URL+`"}}}`)
	c.call(a, "/v1/queues/mails/messages", `{"messages":[{"text":"x"}]}`)
	id := next()
	b := c.join(nil)
	c.balanced(a, b)
	for _, broker := range []*Cluster{a, b} {
		if code, text := status(t, broker, "/v1/triggers"); code != http.StatusOK || !strings.Contains(text, id) {
			t.Errorf("%d %s", code, text)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.balanced(b)
	if again := next(); again != id {
		t.Errorf("run %s, was %s", again, id)
	}
	leave.Do(func() { close(gone) })
	once, ended := regexp.MustCompile(`"fired":\s*"1"`), regexp.MustCompile(`"succeeded":\s*"1"`)
	c.until("ended once", func() bool {
		_, text := status(t, b, "/v1/triggers")
		return once.MatchString(text) && ended.MatchString(text)
	})
}
