package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/coder/websocket"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
)

type fakeSystem struct{}

func (fakeSystem) Status() *naruv1.Status              { return &naruv1.Status{Version: "test", Ready: true} }
func (fakeSystem) Activity(time.Time) *naruv1.Activity { return &naruv1.Activity{} }
func (fakeSystem) Connections() *naruv1.ListConnectionsResponse {
	return &naruv1.ListConnectionsResponse{}
}
func (fakeSystem) Settings() *naruv1.ListSettingsResponse           { return &naruv1.ListSettingsResponse{} }
func (fakeSystem) Cluster(context.Context) (*naruv1.Cluster, error) { return &naruv1.Cluster{}, nil }
func (fakeSystem) Ready() error                                     { return nil }

// world is an API behind a real HTTP server.
type world struct {
	t      *testing.T
	s      *Server
	web    *httptest.Server
	client *http.Client // HTTP/2
}

func newWorld(t *testing.T) *world {
	t.Helper()
	b, err := broker.Open(broker.Config{Dir: t.TempDir(), Store: catalog.NewMem(), RetentionEvery: -1, AutoCreate: true, DefaultPartitions: 1})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, b, func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

// serve is an API of a broker that is ended as end does.
func serve(t *testing.T, b *broker.Broker, end func()) *world {
	w := &world{t: t, s: NewServer(Config{Broker: b, System: fakeSystem{}})}
	w.web = httptest.NewUnstartedServer(w.s)
	w.web.Config.Protocols = new(http.Protocols)
	w.web.Config.Protocols.SetHTTP1(true)
	w.web.Config.Protocols.SetUnencryptedHTTP2(true)
	w.web.Start()
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	w.client = &http.Client{Transport: &http.Transport{Protocols: h2}}
	t.Cleanup(func() {
		if err := w.s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		w.client.CloseIdleConnections()
		w.web.Close()
		end()
	})
	return w
}

// call asks by REST, and returns the status and the answer.
func (w *world) call(method, path, body string, headers ...string) (int, map[string]any, http.Header) {
	w.t.Helper()
	r, err := http.NewRequest(method, w.web.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		w.t.Fatalf("%s %s: %s: %v", method, path, b, err)
	}
	return resp.StatusCode, out, resp.Header
}

// must is call, for what has to succeed.
func (w *world) must(method, path, body string, headers ...string) map[string]any {
	w.t.Helper()
	code, out, _ := w.call(method, path, body, headers...)
	if code != 200 {
		w.t.Fatalf("%s %s: %d %v", method, path, code, out)
	}
	return out
}

// list returns what a field of each item of a list says.
func list(in map[string]any, name, field string) (out []string) {
	items, _ := in[name].([]any)
	for _, item := range items {
		out = append(out, fmt.Sprint(item.(map[string]any)[field]))
	}
	return out
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTopicsByREST(t *testing.T) {
	w := newWorld(t)
	made := w.must("POST", "/v1/topics", `{"topic":"orders","partitions":2,"settings":{"retention.ms":"60000"}}`)
	if made["partitionCount"] != 2.0 {
		t.Errorf("%v", made)
	}
	w.must("POST", "/v1/topics/orders/records", `{"records":[{"keyText":"a","text":"안녕","headers":[{"name":"h","bytes":"/w=="}],"contentType":"text/plain"},
		{"partition":1,"bytes":"/w=="},{"partition":1}]}`)
	got := w.must("GET", "/v1/topics/orders/records?partitions=1&maxRecords=10", "")
	want(t, list(got, "records", "bytes"), "/w==", "<nil>")
	if got["cursor"] != "1:2" || got["end"] != true {
		t.Errorf("%v", got)
	}
	got = w.must("GET", "/v1/topics/orders/records?filter=key=a", "")
	want(t, list(got, "records", "text"), "안녕")
	want(t, list(got, "records", "contentType"), "text/plain")
	w.must("POST", "/v1/topics/orders/records?key=k", "plain", "Content-Type", "text/plain; charset=utf-8")
	got = w.must("GET", "/v1/topics/orders/records?from=-10m&filter=key=k", "")
	want(t, list(got, "records", "contentType"), "text/plain; charset=utf-8")
	w.must("PATCH", "/v1/topics/orders", `{"partitions":3,"settings":{"retention.ms":"70000"},"reset":["max.message.bytes"]}`)
	if got := w.must("GET", "/v1/topics/orders", ""); got["partitionCount"] != 3.0 || got["records"] != "4" {
		t.Errorf("%v", got)
	}
	w.must("POST", "/v1/topics/orders:trim", `{"partition":1,"before":"1"}`)
	got = w.must("GET", "/v1/topics/orders/records?partitions=1&from=0", "")
	want(t, list(got, "records", "offset"), "1")
	want(t, list(w.must("GET", "/v1/topics", ""), "topics", "topic"), "orders")
	w.must("DELETE", "/v1/topics/orders", "")
	want(t, list(w.must("GET", "/v1/topics", ""), "topics", "topic"))
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.must("POST", "/v1/topics", fmt.Sprintf(`{"topic":"t%d"}`, i))
	}
	var all []string
	for token := ""; ; {
		got := w.must("GET", "/v1/topics?prefix=t&pageSize=2&pageToken="+token, "")
		all = append(all, list(got, "topics", "topic")...)
		if token = fmt.Sprint(got["nextPageToken"]); token == "" {
			break
		}
	}
	want(t, all, "t0", "t1", "t2", "t3", "t4")
}

func TestQueuesByREST(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"dead"}`)
	w.must("POST", "/v1/queues", `{"queue":"mails","settings":{"lanes":2,"lease":"60s","attemptsMax":2,"deadLetter":"dead"}}`)
	sent := w.must("POST", "/v1/queues/mails/messages", `{"messages":[{"text":"low"},{"text":"high","priority":1,"replyTo":"r","correlationId":"c"}]}`)
	if ids := list(sent, "results", "id"); len(ids) != 2 || len(ids[0]) != 36 {
		t.Errorf("%v", sent)
	}
	want(t, list(w.must("GET", "/v1/queues/mails/messages?maxMessages=5", ""), "messages", "delivery"), "", "")
	got := w.must("POST", "/v1/queues/mails/messages:receive", `{"maxMessages":2}`)
	want(t, list(got, "messages", "text"), "high", "low")
	want(t, list(got, "messages", "correlationId"), "c", "")
	d := list(got, "messages", "delivery")
	w.must("POST", "/v1/queues/mails/messages/"+d[0]+":ack", "")
	w.must("POST", "/v1/queues/mails/messages/"+d[1]+":extend", `{"lease":"90s"}`)
	w.must("POST", "/v1/queues/mails/messages/"+d[1]+":nack", `{"delay":"0s"}`)
	if code, got, _ := w.call("POST", "/v1/queues/mails/messages/"+d[0]+":ack", ""); code != 404 {
		t.Errorf("acked twice: %d %v", code, got)
	}
	outcome := w.must("POST", "/v1/queues/mails/messages:ack", `{"deliveries":["nonsense","`+d[0]+`"]}`)
	if text := fmt.Sprint(outcome); !strings.Contains(text, "malformed") || !strings.Contains(text, "not_found") {
		t.Errorf("%v", outcome)
	}
	outcome = w.must("POST", "/v1/queues/mails/messages:ack", `{"deliveries":["`+d[0]+`"]}`)
	if !strings.Contains(fmt.Sprint(outcome), "not_found") {
		t.Errorf("%v", outcome)
	}
	got = w.must("POST", "/v1/queues/mails/messages:receive", `{}`)
	want(t, list(got, "messages", "attempts"), "2")
	w.must("POST", "/v1/queues/mails/messages:reject", `{"deliveries":["`+list(got, "messages", "delivery")[0]+`"]}`)
	got = w.must("POST", "/v1/queues/dead/messages:receive", `{"wait":"10s","lease":"0.001s"}`)
	want(t, list(got, "messages", "text"), "low")
	w.must("POST", "/v1/queues/dead/messages:nack", `{"deliveries":["`+list(got, "messages", "delivery")[0]+`"]}`)
	task := w.must("POST", "/v1/queues/dead/redrives", `{}`)
	got = w.must("POST", "/v1/queues/mails/messages:receive", `{"wait":"10s"}`)
	want(t, list(got, "messages", "text"), "low")
	want(t, list(w.must("GET", "/v1/queues/dead/redrives", ""), "redrives", "id"), fmt.Sprint(task["id"]))
	if q := w.must("PATCH", "/v1/queues/mails", `{"settings":{"lease":"5s"}}`); q["settings"].(map[string]any)["lease"] != "5s" {
		t.Errorf("%v", q)
	}
	w.must("POST", "/v1/queues/mails:purge", "")
	if q := w.must("GET", "/v1/queues/mails", ""); q["stats"].(map[string]any)["inFlight"] != "0" {
		t.Errorf("%v", q)
	}
	w.must("DELETE", "/v1/queues/mails", "")
	want(t, list(w.must("GET", "/v1/queues", ""), "queues", "queue"), "dead")
}

// A repeated request with the same key has the same answer, and another is refused.
func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	for path, bodies := range map[string][2]string{
		"/v1/topics/t/records":  {`{"records":[{"text":"1"},{"text":"2"}]}`, `{"records":[{"text":"3"}]}`},
		"/v1/queues/q/messages": {`{"messages":[{"text":"1"},{"text":"2"}]}`, `{"messages":[{"text":"1"},{"text":"3"}]}`},
	} {
		first := w.must("POST", path, bodies[0], "Idempotency-Key", "k1")
		again := w.must("POST", path, bodies[0], "Idempotency-Key", "k1")
		want(t, list(again, "results", "offset"), list(first, "results", "offset")...)
		want(t, list(again, "results", "duplicate"), "true", "true")
		if code, got, _ := w.call("POST", path, bodies[1], "Idempotency-Key", "k1"); code != 400 || got["code"] != "failed_precondition" {
			t.Errorf("%s: another request under the key: %d %v", path, code, got)
		}
		other := w.must("POST", path, bodies[0], "Idempotency-Key", "k2")
		want(t, list(other, "results", "duplicate"), "false", "false")
	}
	if got := w.must("GET", "/v1/topics/t", ""); got["records"] != "4" {
		t.Errorf("%v", got)
	}
	reply := `{"replyTo":"q","correlationId":"c","message":{"text":"an answer"}}`
	first := w.must("POST", "/v1/replies", reply, "Idempotency-Key", "k1")
	if again := w.must("POST", "/v1/replies", reply, "Idempotency-Key", "k1"); again["id"] != first["id"] {
		t.Errorf("%v, then %v", first, again)
	}
	for _, path := range []string{"/v1/queues/q:request", "/v1/topics/t:collect"} {
		if code, got, _ := w.call("POST", path, `{"timeout":"0.01s"}`, "Idempotency-Key", "k"); code != 400 || !strings.Contains(fmt.Sprint(got["message"]), "Idempotency-Key") {
			t.Errorf("%s: %d %v", path, code, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	many := `{"records":[` + strings.Repeat(`{},`, itemsMax) + `{}]}`
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
		headers            []string
	}{
		{"GET", "/v1/topics/none", "", 404, "not_found", nil},
		{"GET", "/v1/nothing", "", 404, "not_found", nil},
		{"GET", "/v1/topics//records", "", 404, "not_found", nil},
		{"GET", "/v1/topics/../x", "", 404, "not_found", nil},
		{"GET", "/v1/topics", "", 406, "invalid_argument", []string{"Accept", "application/json;q=0"}},
		{"POST", "/v1/topics", `{}`, 415, "invalid_argument", []string{"Content-Encoding", "gzip"}},
		{"POST", "/v1/topics/t/records?colour=1", "x", 400, "invalid_argument", []string{"Content-Type", "text/plain"}},
		{"GET", "/v1/topics/__naru_queues/records", "", 404, "not_found", nil},
		{"POST", "/v1/topics/__naru_queues/records", `{"records":[{}]}`, 404, "not_found", nil},
		{"PUT", "/v1/topics", "", 405, "unimplemented", nil},
		{"POST", "/v1/topics", `{"topic":"a/b"}`, 400, "invalid_argument", nil},
		{"POST", "/v1/topics", `{"colour":1}`, 400, "invalid_argument", nil},
		{"POST", "/v1/topics", `{`, 400, "invalid_argument", nil},
		{"POST", "/v1/topics", `a=b`, 415, "invalid_argument", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"POST", "/v1/topics", `text`, 415, "invalid_argument", []string{"Content-Type", "text/plain"}},
		{"GET", "/v1/topics", "", 406, "invalid_argument", []string{"Accept", "application/vnd.naru.v2+json"}},
		{"GET", "/v1/topics?colour=1", "", 400, "invalid_argument", nil},
		{"GET", "/v1/topics?pageSize=x", "", 400, "invalid_argument", nil},
		{"POST", "/v1/topics/t/records", `{"records":[]}`, 400, "invalid_argument", nil},
		{"POST", "/v1/topics/t/records", many, 400, "invalid_argument", nil},
		{"POST", "/v1/topics/t/records", `{"records":[{"text":"` + strings.Repeat("x", requestBytesMax) + `"}]}`, 413, "resource_exhausted", nil},
		{"POST", "/v1/topics/t/records", `{"records":[{"text":"` + strings.Repeat("x", 2<<20) + `"}]}`, 413, "", nil},
		{"GET", "/v1/topics/t/records?from=soon", "", 400, "invalid_argument", nil},
		{"GET", "/v1/topics/t/records?cursor=x", "", 400, "invalid_argument", nil},
		{"POST", "/v1/queues", `{"queue":"q"}`, 409, "already_exists", nil},
		{"POST", "/v1/queues", `{"queue":"r","settings":{"lanes":11}}`, 400, "invalid_argument", nil},
		{"POST", "/v1/queues", `{"queue":"r","settings":{"deadLetter":"none"}}`, 404, "not_found", nil},
		{"POST", "/v1/queues/q/messages", `{"messages":[{"priority":1}]}`, 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/messages", `{"messages":[null]}`, 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/messages:receive", `{"maxMessages":1001}`, 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/messages:receive", `{"wait":"-1s"}`, 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/messages/x:ack", "", 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/messages/ffff-0-0-1:ack", "", 400, "invalid_argument", nil},
		{"POST", "/v1/queues/q/redrives", `{"to":"none"}`, 404, "not_found", nil},
		{"POST", "/v1/redrives/none:cancel", "", 404, "not_found", nil},
		{"POST", "/v1/queues/q:request", `{"message":{"text":"x"},"timeout":"0.01s"}`, 504, "deadline_exceeded", nil},
		{"POST", "/v1/replies", `{"replyTo":"none","correlationId":"x","message":{}}`, 404, "not_found", nil},
		{"GET", "/v1/groups/none", "", 404, "not_found", nil},
		{"POST", "/v1/topics/t/records", `{"records":[{}]}`, 400, "invalid_argument", []string{"Idempotency-Key", ""}},
		{"GET", "/v1/topics", "", 403, "permission_denied", []string{"X-Forwarded-For", "1.2.3.4"}},
		{"GET", "/v1/topics", "", 403, "permission_denied", []string{"Host", "evil.example:8080"}},
		{"GET", "/v1/topics", "", 403, "permission_denied", []string{"Sec-Fetch-Site", "cross-site"}},
		{"GET", "/v1/topics", "", 403, "permission_denied", []string{"Origin", "http://evil.example"}},
	} {
		code, got, h := w.call(c.method, c.path, c.body, c.headers...)
		if code != c.status || c.code != "" && got["code"] != c.code || got["message"] == "" {
			t.Errorf("%s %s %.80s %v: %d %.200s, want %d %s", c.method, c.path, c.body, c.headers, code, fmt.Sprint(got), c.status, c.code)
		}
		if code == 405 && h.Get("Allow") != "GET, POST" {
			t.Errorf("Allow: %q", h.Get("Allow"))
		}
	}
	w.must("GET", "/v1/topics", "", "Accept", "application/vnd.naru.v1+json")
}

func TestRemoteWhenAllowed(t *testing.T) {
	for remote, want := range map[bool]int{true: 200, false: 403} {
		w := newWorld(t)
		w.s.cfg.Remote = remote
		r := httptest.NewRequest("GET", "http://naru.example/v1/topics", nil)
		r.RemoteAddr = "10.1.2.3:4"
		got := httptest.NewRecorder()
		w.s.ServeHTTP(got, r)
		if got.Code != want {
			t.Errorf("remote %v: %d", remote, got.Code)
		}
	}
}

// events reads n events of a stream.
func (w *world) events(n int, path string, headers ...string) (ids, data []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", w.web.URL+path, nil)
	r.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	for part := make([]byte, 4096); len(data) < n; {
		k, err := resp.Body.Read(part)
		text.Write(part[:k])
		for {
			block, rest, ok := strings.Cut(text.String(), "\n\n")
			if !ok {
				break
			}
			text.Reset()
			text.WriteString(rest)
			for line := range strings.Lines(block) {
				if v, ok := strings.CutPrefix(line, "id: "); ok {
					ids = append(ids, strings.TrimSpace(v))
				} else if v, ok := strings.CutPrefix(line, "data: "); ok {
					var rec struct{ Text string }
					if err := json.Unmarshal([]byte(v), &rec); err != nil {
						w.t.Fatal(err)
					}
					data = append(data, rec.Text)
				}
			}
		}
		if err != nil {
			w.t.Fatalf("%d of %d events: %v", len(data), n, err)
		}
	}
	return ids, data
}

// Last-Event-ID goes on behind the event that has it.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t","partitions":2}`)
	for i := range 6 {
		w.must("POST", "/v1/topics/t/records", fmt.Sprintf(`{"records":[{"partition":%d,"text":"%d"}]}`, i%2, i))
	}
	ids, data := w.events(6, "/v1/topics/t/records?from=earliest")
	for i := range 5 {
		_, rest := w.events(5-i, "/v1/topics/t/records", "Last-Event-ID", ids[i])
		want(t, rest, data[i+1:]...)
	}
}

func TestSubscribe(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	for name, options := range map[string][]connect.ClientOption{"connect": nil, "grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()}} {
		client := naruv1connect.NewTopicServiceClient(w.client, w.web.URL, options...)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		stream, err := client.Subscribe(ctx, &naruv1.SubscribeRequest{Topic: "t"})
		if err != nil {
			t.Fatal(name, err)
		}
		if !stream.Receive() || len(stream.Msg().Records) != 0 {
			t.Fatal(name, "not told that it is subscribed", stream.Err())
		}
		if _, err := client.Produce(ctx, &naruv1.ProduceRequest{Topic: "t", Records: []*naruv1.NewRecord{{Value: &naruv1.NewRecord_Text{Text: name}}}}); err != nil {
			t.Fatal(name, err)
		}
		if !stream.Receive() || stream.Msg().Records[0].GetText() != name {
			t.Error(name, stream.Msg(), stream.Err())
		}
		cancel()
		stream.Close()
	}
	_, err := naruv1connect.NewTopicServiceClient(w.client, w.web.URL, connect.WithGRPC()).GetTopic(context.Background(), &naruv1.GetTopicRequest{Topic: "none"})
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Error(err)
	}
}

func (w *world) sendTexts(queue string, n int) {
	w.t.Helper()
	in := &naruv1.SendRequest{Queue: queue}
	for i := range n {
		in.Messages = append(in.Messages, &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: fmt.Sprint(i)}})
	}
	if _, err := w.s.Send(context.Background(), in); err != nil {
		w.t.Fatal(err)
	}
}

// A consumer never has more in hand than its credit, and what it has goes back when
// its stream ends.
func TestConsume(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q","settings":{"lease":"60s"}}`)
	w.sendTexts("q", 10)
	client := naruv1connect.NewQueueServiceClient(w.client, w.web.URL, connect.WithGRPC())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	stream, err := client.Consume(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&naruv1.ConsumeRequest{Queue: "q", Credit: 3}); err != nil {
		t.Fatal(err)
	}
	var hand []string
	receive := func() {
		in, err := stream.Receive()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in.Messages {
			hand = append(hand, m.Delivery)
		}
		for _, s := range in.Settled {
			if s.Error != nil {
				t.Error(s)
			}
		}
		if len(hand) > 3 {
			t.Fatalf("%d in hand", len(hand))
		}
	}
	for range 5 {
		for len(hand) < 3 {
			receive()
		}
		ack := hand[0]
		hand = hand[1:]
		if err := stream.Send(&naruv1.ConsumeRequest{Ack: []string{ack}}); err != nil {
			t.Fatal(err)
		}
	}
	stream.CloseRequest()
	for {
		if _, err := stream.Receive(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.s.Receive(ctx, &naruv1.ReceiveRequest{Queue: "q", MaxMessages: 10})
	if err != nil || len(got.Messages) != 5 {
		t.Errorf("%d messages came back, want 5: %v", len(got.GetMessages()), err)
	}
}

func TestConsumeByWebSocket(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.sendTexts("q", 2)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	url := "ws" + strings.TrimPrefix(w.web.URL, "http") + "/v1/queues/q/messages:consume"
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	say := func(text string) {
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"credit":1}`)
	for _, want := range []string{"0", "1"} {
		var in struct {
			Messages []struct{ Delivery, Text string }
			Settled  []struct{ Error any }
		}
		for len(in.Messages) == 0 {
			_, b, err := conn.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &in); err != nil {
				t.Fatal(err)
			}
		}
		if in.Messages[0].Text != want {
			t.Errorf("%+v, want %s", in, want)
		}
		say(`{"ack":["` + in.Messages[0].Delivery + `"]}`)
	}
	say(`{"colour":1}`)
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
	if websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("a step that is none: %v", err)
	}
	if code, _, _ := w.call("GET", "/v1/queues/none/messages:consume", ""); code != 404 {
		t.Errorf("no such queue: %d", code)
	}
}

// Answers reach the calls that they belong to, and nobody else.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"work"}`)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	worker := make(chan struct{})
	go func() {
		defer close(worker)
		for ctx.Err() == nil {
			got, err := w.s.Receive(ctx, &naruv1.ReceiveRequest{Queue: "work", MaxMessages: 50, Wait: durationpb.New(time.Minute)})
			if err != nil {
				return
			}
			var names []string
			for _, m := range got.Messages {
				names = append(names, m.Delivery)
				if _, err := w.s.Reply(ctx, &naruv1.ReplyRequest{ReplyTo: m.ReplyTo, CorrelationId: m.CorrelationId,
					Message: &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: "re: " + m.GetText()}}}); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
			if len(names) > 0 {
				w.s.Ack(ctx, &naruv1.AckRequest{Queue: "work", Deliveries: names})
			}
		}
	}()
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for i := range 50 {
				text := fmt.Sprintf("%d/%d", caller, i)
				got, err := w.s.Request(ctx, &naruv1.RequestRequest{Queue: "work", Message: &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: text}}})
				if err != nil || got.Reply.GetText() != "re: "+text {
					t.Errorf("%s: %v, %v", text, got, err)
					return
				}
			}
		})
	}
	callers.Wait()
	cancel()
	<-worker
	// Nobody gets at the answers of others.
	for _, c := range [][3]string{{"POST", "/messages:receive", "{}"}, {"POST", ":purge", "{}"}, {"DELETE", "", ""}, {"PATCH", "", "{}"}, {"GET", "/messages", ""}} {
		if code, got, _ := w.call(c[0], "/v1/queues/"+callsQueue+c[1], c[2]); code != 404 {
			t.Errorf("%s %s: %d %v", c[0], c[1], code, got)
		}
	}
	want(t, list(w.must("GET", "/v1/queues", ""), "queues", "queue"), "work")
}

// Collect takes what comes until the deadline; what comes later is dropped.
func TestCollect(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"news"}`)
	ctx := context.Background()
	r, err := w.s.openReader("news", nil, "earliest", "", "")
	if err != nil {
		t.Fatal(err)
	}
	r.watch()
	defer r.close()
	type outcome struct {
		got *naruv1.CollectResponse
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		got, err := w.s.Collect(ctx, &naruv1.CollectRequest{Topic: "news", Record: &naruv1.NewRecord{}, MaxReplies: 2, Timeout: durationpb.New(time.Minute)})
		ended <- outcome{got, err}
	}()
	<-r.waiter.C()
	list, err := s1(w.s.read(context.Background(), r, 1, readBytesMax))
	if err != nil {
		t.Fatal(err)
	}
	reply := func(text string) {
		_, err := w.s.Reply(ctx, &naruv1.ReplyRequest{ReplyTo: list.ReplyTo, CorrelationId: list.CorrelationId, Message: &naruv1.NewMessage{Value: &naruv1.NewMessage_Text{Text: text}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	reply("1")
	reply("2")
	got := <-ended
	if got.err != nil || len(got.got.Replies) != 2 {
		t.Fatalf("%v %v", got.got, got.err)
	}
	reply("late")
	for end := time.Now().Add(20 * time.Second); ; {
		if st, _ := w.s.GetReplyStats(ctx, nil); st.Late == 1 && st.Delivered == 2 && st.Waiting == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the late answer was not counted")
		}
	}
}

func s1(list []*naruv1.Record, err error) (*naruv1.Record, error) {
	if err != nil || len(list) == 0 {
		return nil, errors.Join(err, errors.New("no record"))
	}
	return list[0], nil
}

// Calls that wait end with the server, and none begins after that.
func TestStopEndsWaiting(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	var calls sync.WaitGroup
	begun := make(chan struct{}, 2)
	for _, path := range []string{"/v1/queues/q/messages:receive", "/v1/queues/q:request"} {
		calls.Go(func() {
			r, _ := http.NewRequest("POST", w.web.URL+path, strings.NewReader(`{"wait":"60s"}`))
			if strings.HasSuffix(path, "request") {
				r, _ = http.NewRequest("POST", w.web.URL+path, strings.NewReader(`{"message":{"text":"x"}}`))
			}
			r.Header.Set("Content-Type", "application/json")
			begun <- struct{}{}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != 503 && resp.StatusCode != 200 { // 200: it was given the request of the other
				t.Errorf("%s: %d", path, resp.StatusCode)
			}
		})
	}
	<-begun
	<-begun
	if err := w.s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	if code, got, h := w.call("GET", "/v1/topics", ""); code != 503 || h.Get("Retry-After") == "" {
		t.Error(code, got)
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, code := range fault.Codes() {
		c, ok := codes[code]
		if !ok || statuses[c] < 400 {
			t.Errorf("%v: %v, status %d", code, c, statuses[c])
		}
	}
}

// Every path of the definition is served.
func TestEveryPathIsServed(t *testing.T) {
	w := newWorld(t)
	served := 0
	for path, verbs := range w.s.rest.routes {
		served += len(verbs)
		if !bytes.Contains(naruv1.OpenAPI, []byte(strings.Split(path, "*")[0])) {
			t.Errorf("%s is not in the document", path)
		}
	}
	if served < 40 {
		t.Errorf("%d paths", served)
	}
}

func TestHealth(t *testing.T) {
	w := newWorld(t)
	for service, want := range map[string]string{"": "\x00\x00\x00\x00\x02\x08\x01", "naru.v1.TopicService": "\x00\x00\x00\x00\x02\x08\x01", "none": ""} {
		body := append([]byte{0, 0, 0, 0, byte(len(service) + 2), 0x0A, byte(len(service))}, service...)
		r, _ := http.NewRequest("POST", w.web.URL+"/grpc.health.v1.Health/Check", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/grpc")
		resp, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != want || (want == "") != (resp.Trailer.Get("Grpc-Status") == "5" || resp.Header.Get("Grpc-Status") == "5") {
			t.Errorf("%q: %q %v", service, b, resp.Trailer)
		}
	}
}
