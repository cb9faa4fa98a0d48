package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

func newServer(t *testing.T) (*Server, *broker.Broker) {
	t.Helper()
	b, err := broker.Open(broker.Config{
		Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(b)
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, b
}

// request is one from this machine; change may spoil it.
func request(method, path, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5555"
	r.Header.Set("Content-Type", "application/json")
	if change != nil {
		change(r)
	}
	return r
}

// ask returns the status and the answer, decoded into out if that is not nil.
func ask(t *testing.T, s *Server, out any, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request(method, path, body, nil))
	if out != nil {
		if w.Code != 200 {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, w.Body.String()
}

func TestLifeOfAMessage(t *testing.T) {
	s, _ := newServer(t)
	var q Queue
	ask(t, s, &q, "POST", "/v1/queues", `{"name":"mails","lanes":2,"lease_ms":60000,"attempts_max":2,"dead_letter":""}`)
	if q.Topic != "mails" || !q.Owned || q.Lanes != 2 || q.LeaseMS != 60000 || q.RetentionMS != 345600000 {
		t.Errorf("%+v", q)
	}
	var sent SendAnswer
	ask(t, s, &sent, "POST", "/v1/queues/mails/messages",
		`{"messages":[{"value":"bG93"},{"value":"aGlnaA==","lane":1,"headers":[{"key":"a","value":"gA=="},{"key":"n","value":null}]}]}`)
	if len(sent.Results) != 2 || sent.Results[0].Error != nil || len(sent.Results[1].ID) != 36 {
		t.Fatalf("%+v", sent)
	}
	var peeked, got Deliveries
	ask(t, s, &peeked, "GET", "/v1/queues/mails/messages?max=5", "")
	if len(peeked.Messages) != 2 || peeked.Messages[0].Receipt != "" {
		t.Errorf("peek: %+v", peeked)
	}
	ask(t, s, &got, "POST", "/v1/queues/mails/receive", `{"max":2}`)
	if len(got.Messages) != 2 || string(got.Messages[0].Value) != "high" || got.Messages[0].Attempts != 1 || got.LeaseMS != 60000 {
		t.Fatalf("receive: %+v", got)
	}
	if h := got.Messages[0].Headers; len(h) != 2 || !bytes.Equal(h[0].Value, []byte{0x80}) || h[1].Value != nil {
		t.Errorf("headers %+v", h)
	}
	var ended Outcomes
	high, low := got.Messages[0].Receipt, got.Messages[1].Receipt
	ask(t, s, &ended, "POST", "/v1/queues/mails/ack", `{"receipts":["`+high+`"]}`)
	ask(t, s, &ended, "POST", "/v1/queues/mails/nack", `{"receipts":["`+low+`"]}`)
	ask(t, s, &ended, "POST", "/v1/queues/mails/ack", `{"receipts":["`+high+`"]}`)
	if len(ended.Errors) != 1 || ended.Errors[0] == nil || ended.Errors[0].Code != "not_found" {
		t.Errorf("acked twice: %+v", ended)
	}
	ask(t, s, &got, "POST", "/v1/queues/mails/receive", `{"max":10,"lease_ms":1000}`)
	if len(got.Messages) != 1 || got.Messages[0].Attempts != 2 || got.LeaseMS != 1000 {
		t.Errorf("after a nack: %+v", got)
	}
	ask(t, s, &q, "GET", "/v1/queues/mails", "")
	if q.Stats.InFlight != 1 || q.Stats.Ready != 0 || q.Stats.Acked != 1 || q.Stats.Redelivered != 1 {
		t.Errorf("%+v", q.Stats)
	}
	ask(t, s, &struct{}{}, "POST", "/v1/queues/mails/purge", "")
	ask(t, s, &peeked, "GET", "/v1/queues/mails/messages", "")
	if len(peeked.Messages) != 0 {
		t.Errorf("after a purge: %+v", peeked)
	}
	ask(t, s, &struct{}{}, "DELETE", "/v1/queues/mails", "")
	var list QueueList
	ask(t, s, &list, "GET", "/v1/queues", "")
	if len(list.Queues) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestRedrives(t *testing.T) {
	s, _ := newServer(t)
	ask(t, s, &Queue{}, "POST", "/v1/queues", `{"name":"dead"}`)
	ask(t, s, &Queue{}, "POST", "/v1/queues", `{"name":"mails","attempts_max":1,"dead_letter":"dead"}`)
	ask(t, s, &SendAnswer{}, "POST", "/v1/queues/mails/messages", `{"messages":[{"value":"MQ=="}]}`)
	var got Deliveries
	ask(t, s, &got, "POST", "/v1/queues/mails/receive", `{"max":1}`)
	ask(t, s, &Outcomes{}, "POST", "/v1/queues/mails/nack", `{"receipts":["`+got.Messages[0].Receipt+`"]}`)
	ask(t, s, &got, "POST", "/v1/queues/mails/receive", `{"max":1}`)
	if len(got.Messages) != 0 {
		t.Fatalf("delivered more often than allowed: %+v", got)
	}
	// It arrives in the other queue when its record is durable.
	ask(t, s, &got, "POST", "/v1/queues/dead/receive", `{"max":1,"wait_ms":10000,"lease_ms":1}`)
	if len(got.Messages) != 1 {
		t.Fatal("no dead letter")
	}
	var q Queue
	if ask(t, s, &q, "GET", "/v1/queues/dead", ""); fmt.Sprint(q.Sources) != "[mails]" {
		t.Errorf("sources %v", q.Sources)
	}
	ask(t, s, &Outcomes{}, "POST", "/v1/queues/dead/nack", `{"receipts":["`+got.Messages[0].Receipt+`"]}`)
	var task Redrive
	ask(t, s, &task, "POST", "/v1/queues/dead/redrives", `{"per_second":100}`)
	if task.ID == "" || task.PerSecond != 100 {
		t.Errorf("%+v", task)
	}
	ask(t, s, &got, "POST", "/v1/queues/mails/receive", `{"max":1,"wait_ms":10000}`)
	if len(got.Messages) != 1 || string(got.Messages[0].Value) != "1" {
		t.Fatalf("not moved back: %+v", got)
	}
	var list Redrives
	ask(t, s, &list, "GET", "/v1/queues/dead/redrives", "")
	if len(list.Redrives) != 1 || list.Redrives[0].ID != task.ID {
		t.Errorf("%+v", list)
	}
	if code, body := ask(t, s, nil, "DELETE", "/v1/redrives/none", ""); code != 404 {
		t.Error(code, body)
	}
}

func TestRefusals(t *testing.T) {
	s, _ := newServer(t)
	ask(t, s, &Queue{}, "POST", "/v1/queues", `{"name":"q"}`)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/v1/queues/none", "", 404, "not_found"},
		{"POST", "/v1/queues", `{"name":"q"}`, 409, "already_exists"},
		{"POST", "/v1/queues", `{"name":"a/b"}`, 400, "invalid_argument"},
		{"POST", "/v1/queues", `{"name":"r","lanes":11}`, 400, "invalid_argument"},
		{"POST", "/v1/queues", `{"name":"r","colour":1}`, 400, "invalid_argument"},
		{"POST", "/v1/queues", `{`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/messages", `{"messages":[]}`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/messages", `{"messages":[` + strings.Repeat(`{},`, messagesMax) + `{}]}`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/messages", `{"messages":[{"value":"` + strings.Repeat("A", requestBytesMax) + `"}]}`, 429, "resource_exhausted"},
		{"POST", "/v1/queues/q/messages", `{"messages":[{"lane":1}]}`, 400, "invalid_argument"},
		{"POST", "/v1/queues", `{"name":"r","dead_letter":"none"}`, 404, "not_found"},
		{"POST", "/v1/queues/q/receive", `{"max":0}`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/receive", `{"max":1001}`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/ack", `{"receipts":["x"]}`, 400, "invalid_argument"},
		{"POST", "/v1/queues/q/ack", `{"receipts":["ffff-0-0-1"]}`, 400, "invalid_argument"},
		{"GET", "/v1/queues/q/messages?max=x", "", 400, "invalid_argument"},
		{"POST", "/v1/queues/q/redrives", `{"to":"none"}`, 404, "not_found"},
	} {
		code, body := ask(t, s, nil, c.method, c.path, c.body)
		var answer errorAnswer
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error == nil || code != c.status || answer.Error.Code != c.code {
			t.Errorf("%s %s %.80s: %d %s, want %d %s", c.method, c.path, c.body, code, body, c.status, c.code)
		}
	}
	if code, _ := ask(t, s, nil, "PUT", "/v1/queues/q", ""); code != 405 {
		t.Error("PUT:", code)
	}
}

// Whoever is not on this machine, and a page in somebody's browser, get nothing.
func TestOnlyLocal(t *testing.T) {
	s, _ := newServer(t)
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"local":         {func(*http.Request) {}, 200},
		"localhost":     {func(r *http.Request) { r.Host = "localhost:8080" }, 200},
		"IPv6":          {func(r *http.Request) { r.Host, r.RemoteAddr = "[::1]:8080", "[::1]:7" }, 200},
		"other machine": {func(r *http.Request) { r.RemoteAddr = "10.1.2.3:7" }, 403},
		"proxy":         {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "1.2.3.4") }, 403},
		"rebound name":  {func(r *http.Request) { r.Host = "evil.example:8080" }, 403},
		"other origin": {func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "http://evil.example")
		}, 403},
		"a form": {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400},
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, request("POST", "/v1/queues", `{"name":"q-`+strings.ReplaceAll(name, " ", "-")+`"}`, c.change))
		if w.Code != c.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
}

// toldAtEnd closes a channel when the body was read.
type toldAtEnd struct {
	io.ReadCloser
	read chan struct{}
}

func (b *toldAtEnd) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.read != nil && (err != nil || bytes.HasSuffix(p[:n], []byte("}"))) {
		close(b.read)
		b.read = nil
	}
	return n, err
}

// A receive that waits ends with the server, and none begins after that.
func TestStopEndsWaiting(t *testing.T) {
	s, _ := newServer(t)
	ask(t, s, &Queue{}, "POST", "/v1/queues", `{"name":"q"}`)
	read := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &toldAtEnd{r.Body, read}
		s.ServeHTTP(w, r)
	}))
	defer web.Close()
	type outcome struct {
		code int
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		r, err := http.Post(web.URL+"/v1/queues/q/receive", "application/json", strings.NewReader(`{"max":1,"wait_ms":300000}`))
		if err != nil {
			ended <- outcome{0, err}
			return
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
		ended <- outcome{r.StatusCode, nil}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	<-read
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-ended; got.code != 503 {
		t.Errorf("%+v, want 503", got)
	}
	if code, body := ask(t, s, nil, "GET", "/v1/queues", ""); code != 503 {
		t.Error(code, body)
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range fault.Codes() {
		if n := status(code); n < 400 || n > 599 {
			t.Errorf("%v: status %d", code, n)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add("7-0-10-1")
	f.Add("7-0-8000000000000000-1")
	f.Add("7--1-0-1")
	f.Fuzz(func(t *testing.T, text string) {
		tag, err := parseReceipt(7, text)
		if err != nil {
			return
		}
		if tag.Offset < 0 || tag.Source < 0 || tag.Attempt < 0 {
			t.Errorf("%q is %+v", text, tag)
		}
		if again, err := parseReceipt(7, receipt(7, tag)); err != nil || again != tag {
			t.Errorf("%q is %+v, then %+v, %v", text, tag, again, err)
		}
	})
}

func TestReceiptRoundTrip(t *testing.T) {
	tag := queue.Tag{Source: 9, Offset: record.Offset(1<<62 - 1), Attempt: 1<<31 - 1}
	if got, err := parseReceipt(1<<64-1, receipt(1<<64-1, tag)); err != nil || got != tag {
		t.Errorf("%+v, %v", got, err)
	}
}
