package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/vfs"
)

func testConfig(t *testing.T) Config {
	c := DefaultConfig()
	c.DataDir, c.KafkaAddr, c.AWSAddr, c.HTTPAddr = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	c.AMQPAddr, c.ManagementAddr = "127.0.0.1:0", "127.0.0.1:0"
	c.SegmentBytes = 1 << 20
	c.ShutdownTimeout = 10 * time.Second
	return c
}

func start(t *testing.T, c Config, opt Options) *Server {
	t.Helper()
	s, err := Start(c, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func (s *Server) addr(name string) string {
	for _, e := range s.Endpoints() {
		if e.Name == name {
			return e.Addr
		}
	}
	return ""
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func kafkaClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produce(t *testing.T, cl *kgo.Client, topic, value string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

func TestStartServeStop(t *testing.T) {
	c := testConfig(t)
	s := start(t, c, Options{Version: "test"})
	http := s.addr("http")
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n", "/": "<!doctype html>", "/v1/topics": "{", "/openapi.yaml": "#"} {
		if code, body := get(t, http+path); code != 200 || !strings.HasPrefix(body, want) {
			t.Errorf("%s: %d %q", path, code, body)
		}
	}
	for path, want := range map[string]int{"/debug/pprof/": 404, "/nothing": 404} {
		if code, _ := get(t, http+path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	if err := produce(t, kafkaClient(t, s.addr("kafka")), "t", "kept"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("closed twice: %v", err)
	}

	again := start(t, c, Options{})
	cl := kafkaClient(t, again.addr("kafka"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	records := cl.PollFetches(ctx).Records()
	if len(records) != 1 || string(records[0].Value) != "kept" {
		t.Errorf("after a restart: %v", records)
	}
}

func TestPprofWhenAsked(t *testing.T) {
	c := testConfig(t)
	c.Pprof = true
	s := start(t, c, Options{})
	if code, body := get(t, s.addr("http")+"/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(body, "goroutine profile") {
		t.Errorf("%d %q", code, body)
	}
}

// A journal that cannot write is alive, and not ready; reads go on.
func TestNotReadyWhenStorageFails(t *testing.T) {
	mem := vfs.NewMem()
	c := testConfig(t)
	c.DataDir = "naru-data"
	s := start(t, c, Options{FS: mem, Store: catalog.NewMem()})
	cl := kafkaClient(t, s.addr("kafka"), kgo.RecordRetries(1), kgo.ProduceRequestTimeout(2*time.Second))
	if err := produce(t, cl, "t", "before"); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is on fire")
	mem.SetFault(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return broken
		}
		return nil
	})
	if err := produce(t, cl, "t", "lost"); err == nil {
		t.Error("a record was acknowledged without a sync")
	}
	mem.SetFault(nil) // it does not get better by itself
	code, body := get(t, s.addr("http")+"/readyz")
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "storage failed") {
		t.Errorf("/readyz: %d %q", code, body)
	}
	if code, body := get(t, s.addr("http")+"/healthz"); code != 200 {
		t.Errorf("/healthz: %d %q", code, body)
	}
	if _, body := get(t, s.addr("http")+"/metrics"); !strings.Contains(body, "\nnaru_ready 0\n") {
		t.Error("naru_ready is not 0")
	}
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, flag := range []string{"kafka", "http"} {
		c := testConfig(t)
		if flag == "kafka" {
			c.KafkaAddr = ln.Addr().String()
		} else {
			c.HTTPAddr = ln.Addr().String()
		}
		_, err := Start(c, Options{})
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "--"+flag+" "+ln.Addr().String()) ||
			!strings.Contains(err.Error(), "another address") {
			t.Errorf("%s: %v", flag, err)
		}
		// Nothing is left behind: the same directory starts with another port.
		c.KafkaAddr, c.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
		s, err := Start(c, Options{})
		if err != nil {
			t.Fatalf("after a failed start: %v", err)
		}
		s.Close(context.Background())
	}
}

func TestDirectoryInUse(t *testing.T) {
	c := testConfig(t)
	s := start(t, c, Options{})
	_, err := Start(c, Options{})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), c.DataDir) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	start(t, c, Options{})
}

func TestDirectoryIsAFile(t *testing.T) {
	c := testConfig(t)
	c.DataDir += "/file"
	if err := os.WriteFile(c.DataDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(c, Options{}); err == nil || !strings.Contains(err.Error(), "--data "+c.DataDir) {
		t.Errorf("error %v", err)
	}
}

func TestOffAndWarnings(t *testing.T) {
	c := testConfig(t)
	c.HTTPAddr, c.AWSAddr, c.ManagementAddr = Off, Off, Off
	c.KafkaAddr, c.AMQPAddr = "0.0.0.0:0", "0.0.0.0:0"
	var log bytes.Buffer
	s := start(t, c, Options{Log: slog.New(slog.NewTextHandler(&syncWriter{w: &log}, nil))})
	if list := s.Endpoints(); len(list) != 2 || list[0].Name != "kafka" || list[1].Name != "amqp" {
		t.Errorf("endpoints %v", list)
	}
	s.Close(context.Background())
	if !strings.Contains(log.String(), "no authentication") || !strings.Contains(log.String(), "endpoint=kafka") ||
		!strings.Contains(log.String(), "there are no users") {
		t.Errorf("no warning: %s", &log)
	}
}

type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *syncWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}

// Shutdown is bounded even if a client has something open for ever.
func TestShutdownIsBounded(t *testing.T) {
	c := testConfig(t)
	c.ShutdownTimeout = time.Second
	s := start(t, c, Options{})
	conn, err := net.Dial("tcp", s.addr("kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte{0, 0, 0, 100, 0}); err != nil { // a request that never ends
		t.Fatal(err)
	}
	began := time.Now()
	err = s.Close(context.Background())
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("took %v, error %v", took, err)
	}
	if _, err := Start(c, Options{}); err != nil {
		t.Errorf("the directory is not free: %v", err)
	}
}

// Clients are told where to come back to: the configured address, or the one
// that they have reached already.
func TestAdvertised(t *testing.T) {
	for _, advertised := range []string{"", "broker.example:7777"} {
		c := testConfig(t)
		c.KafkaAdvertised = advertised
		s := start(t, c, Options{})
		want := advertised
		if want == "" {
			want = s.addr("kafka")
		}
		resp, err := kafkaClient(t, s.addr("kafka")).SeedBrokers()[0].Request(context.Background(), kmsg.NewPtrMetadataRequest())
		if err != nil {
			t.Fatal(err)
		}
		b := resp.(*kmsg.MetadataResponse).Brokers[0]
		if got := net.JoinHostPort(b.Host, fmt.Sprint(b.Port)); got != want {
			t.Errorf("advertised %q: clients are told %s, want %s", advertised, got, want)
		}
	}
}

func TestLimitedListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := limit(inner, 1)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	first, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	dial()
	second := make(chan net.Conn, 1)
	go func() {
		c, _ := ln.Accept()
		second <- c
	}()
	select {
	case <-second:
		t.Fatal("two connections at once")
	default:
	}
	first.Close()
	first.Close() // gives its place back once
	if c := <-second; c == nil {
		t.Fatal("the place was not given back")
	}
	done := make(chan error, 1)
	go func() {
		_, err := ln.Accept()
		done <- err
	}()
	ln.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
