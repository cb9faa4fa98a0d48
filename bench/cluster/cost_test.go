package main

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDollarsOfAMonth(t *testing.T) {
	requests, storage := dollars(1, 10, 2, 1.5)
	// 2,628,000 MiB, each with 10 PUTs and 2 GETs; 604,800 MiB kept, and half as much of two hours more.
	if want := 2_628_000 * (10*0.000005 + 2*0.0000004); math.Abs(requests-want) > 0.001 {
		t.Errorf("requests cost %.3f, want %.3f", requests, want)
	}
	if want := (604_800.0 + 3600) / 1024 * 0.023; math.Abs(storage-want) > 0.001 {
		t.Errorf("storage costs %.3f, want %.3f", storage, want)
	}
}

func TestCounterCountsWhatIsBilled(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("x", int(n)+2))
	}))
	defer store.Close()
	c, err := newCounter(store.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for _, call := range []struct{ method, path, body string }{
		{"PUT", "/b/k", "12345"}, {"GET", "/b/k", ""}, {"HEAD", "/b/k", ""}, {"GET", "/b?list-type=2", ""},
		{"GET", "/b/?list-type=2", ""}, {"DELETE", "/b/k", ""}, {"POST", "/b?delete", "1"}, {"POST", "/b/k?uploads", ""},
	} {
		r, err := http.NewRequest(call.method, c.url+call.path, strings.NewReader(call.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	if puts, gets, deletes := c.puts.Load(), c.gets.Load(), c.deletes.Load(); puts != 4 || gets != 2 || deletes != 2 {
		t.Errorf("%d like PUT, %d like GET, %d like DELETE; want 4, 2, 2", puts, gets, deletes)
	}
	if in := c.in.Load(); in != 6 {
		t.Errorf("%d bytes were sent, want 6", in)
	}
}
