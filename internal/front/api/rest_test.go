package api

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bodies are read into buffers that later requests use too.
func TestRawBodiesAreNotMixedUp(t *testing.T) {
	w := newWorld(t)
	const posters, each = 8, 25
	var wg sync.WaitGroup
	for p := range posters {
		wg.Go(func() {
			for i := range each {
				w.must("POST", "/v1/topics/raw/records", strings.Repeat(fmt.Sprintf("%d/%d ", p, i), 40), "Content-Type", "text/plain")
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, v := range list(w.must("GET", "/v1/topics/raw/records?maxRecords=1000", ""), "records", "text") {
		var p, i int
		if _, err := fmt.Sscanf(v, "%d/%d ", &p, &i); err != nil || v != strings.Repeat(fmt.Sprintf("%d/%d ", p, i), 40) || seen[v] {
			t.Errorf("%.60q… (%v)", v, err)
		}
		seen[v] = true
	}
	if len(seen) != posters*each {
		t.Errorf("%d of %d bodies are there", len(seen), posters*each)
	}
}

// HEAD has an end, also of events.
func TestHeadOfEvents(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, "HEAD", "/v1/topics/t/records", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	r.Header.Set("Accept", "text/event-stream, */*")
	answer := httptest.NewRecorder()
	if w.s.ServeHTTP(answer, r); ctx.Err() != nil || answer.Code != 200 {
		t.Error(answer.Code, ctx.Err())
	}
}
