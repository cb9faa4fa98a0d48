package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A stream whose client does not read is ended with the server, and storage is closed
// as it should be.
func TestShutdownWithStreams(t *testing.T) {
	s := start(t, testConfig(t), Options{})
	base := s.addr("http")
	post := func(path, body string) {
		t.Helper()
		r, err := http.Post(base+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatal(path, r.Status)
		}
	}
	post("/v1/topics", `{"topic":"t"}`)
	for range 20 { // more than the network holds
		post("/v1/topics/t/records", `{"records":[{"text":"`+strings.Repeat("x", 900_000)+`"}]}`)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(conn, "GET /v1/topics/t/records?from=earliest HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// Until the broker is open the API says so as it says everything.
func TestAPIBeforeItIsReady(t *testing.T) {
	s := &Server{metrics: newMetrics("test")}
	s.notReady("starting")
	for _, path := range []string{"/v1/topics", "/naru.v1.TopicService/ListTopics"} {
		w := httptest.NewRecorder()
		s.routes().ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		got := fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"), " ", w.Header().Get("Retry-After"), " ", w.Body)
		if want := "503 application/json 1 {\"code\":\"unavailable\""; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// Calls that wait on one connection leave room for others.
func TestManyCallsOnOneConnection(t *testing.T) {
	s := start(t, testConfig(t), Options{})
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	client := &http.Client{Transport: &http.Transport{Protocols: h2, HTTP2: &http.HTTP2Config{StrictMaxConcurrentRequests: true}}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	post := func(path, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, "POST", s.addr("http")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	post("/v1/topics", `{"topic":"t"}`).Body.Close()
	for range 400 {
		r, err := http.NewRequestWithContext(ctx, "GET", s.addr("http")+"/v1/topics/t/records", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
	}
	if resp := post("/v1/topics/t/records", `{"records":[{"text":"v"}]}`); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}
