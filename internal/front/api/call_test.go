package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// open begins a request whose body does not come.
func (w *world) open(path, head string) (net.Conn, *bufio.Reader) {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.web.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n\r\n{", path, head)
	return conn, bufio.NewReader(conn)
}

// A body that does not come is not waited for, and keeps no place from others.
func TestSlowBodies(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	w.s.slow = 200 * time.Millisecond
	var answers []*bufio.Reader
	for i := range largeRequestsMax + 1 {
		head := "Content-Length: 100000"
		if i == largeRequestsMax {
			head = "Content-Length: 10"
		}
		_, r := w.open("/v1/topics/t/records", head)
		answers = append(answers, r)
	}
	w.must("POST", "/v1/topics/t/records", `{"records":[{"text":"`+strings.Repeat("x", 100_000)+`"}]}`)
	for _, r := range answers {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusRequestTimeout {
			t.Error(resp.Status)
		}
	}
}

// A body that nobody wants keeps no connection.
func TestBodiesOfRefusedCalls(t *testing.T) {
	w := newWorld(t)
	w.s.slow = 100 * time.Millisecond
	_, r := w.open("/v1/nothing", "Content-Length: 100000")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusNotFound {
		t.Fatal(resp, err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("the connection is open still: %v", err)
	}
}

// The time that a body may take is not that of the call.
func TestSlowCallsAfterTheBody(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/queues", `{"queue":"q"}`)
	w.s.slow = time.Millisecond
	for _, client := range []*http.Client{http.DefaultClient, w.client} {
		resp, err := client.Post(w.web.URL+"/v1/queues/q/messages:receive", "application/json", strings.NewReader(`{"wait":"0.1s"}`))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%s %s %v", resp.Status, b, err)
		}
	}
}

// Bodies that do not say how long they are count as well.
func TestLargeBodiesWithoutLength(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	for range largeRequestsMax {
		w.s.large <- struct{}{}
	}
	more := make(chan struct{})
	body, in := io.Pipe()
	answered := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest("POST", w.web.URL+"/v1/topics/t/records", body)
		r.Header.Set("Content-Type", "text/plain")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	go func() {
		for range 8 {
			io.WriteString(in, strings.Repeat("x", smallBytesMax/4))
		}
		close(more)
		in.Close()
	}()
	<-more // the network has it; the server has not taken it all
	select {
	case code := <-answered:
		t.Fatalf("answered %d while there was no place", code)
	default:
	}
	w.must("POST", "/v1/topics/t/records", `{"records":[{"text":"small"}]}`)
	<-w.s.large
	if code := <-answered; code != 200 {
		t.Error(code)
	}
	for range largeRequestsMax - 1 {
		<-w.s.large
	}
}
