package main

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMarksSeeOnlyWhatWasSentOnce(t *testing.T) {
	m := newMarks(2)
	if err := errors.Join(m.see(text(0)), m.see(text(1))); err != nil || m.count.Load() != 2 {
		t.Fatal(err, m.count.Load())
	}
	for _, foreign := range []string{text(1), text(2), text(0)[1:], strings.Repeat("x", textBytes), ""} {
		if m.see(foreign) == nil {
			t.Errorf("%.20q was seen", foreign)
		}
	}
}

func TestFirstErrorEndsTheLoop(t *testing.T) {
	want := errors.New("refused")
	d, err := closedLoop(context.Background(), 4, time.Minute, func(context.Context) (bool, error) { return true, want })
	if err != want || d.calls != 0 {
		t.Errorf("%d calls, %v", d.calls, err)
	}
}

// The clients understand the servers that do nothing, so the two do the same work.
func TestClientsUnderstandDoNothing(t *testing.T) {
	web := httptest.NewServer(newFixedJSON())
	defer web.Close()
	try(t, newJSON(web.Listener.Addr().String(), 1))

	for name, serve := range map[string]func(net.Listener) error{"grpc-go": serveGRPC, "connect-go": serveConnect} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(name, err)
		}
		defer ln.Close()
		go serve(ln) // until the listener is closed
		c, err := newGRPC(ln.Addr().String())
		if err != nil {
			t.Fatal(name, err)
		}
		try(t, c)
	}
}

func try(t *testing.T, c client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	if err := c.produce(ctx, "t", text(0)); err != nil {
		t.Error(err)
	}
	if got, err := c.receive(ctx, "q"); err != nil || newMarks(20_000).see(got) != nil {
		t.Errorf("%.20q, %v", got, err)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
