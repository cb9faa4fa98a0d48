package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/objectstore/storetest"
)

func open(t testing.TB, cfg objectstore.S3Config) *objectstore.S3 {
	s, err := objectstore.NewS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// empty deletes all that is there.
func empty(t testing.TB, s objectstore.Store) {
	for {
		infos, err := s.List(t.Context(), "", "", objectstore.ListMax)
		if err != nil {
			t.Fatal(err)
		}
		if len(infos) == 0 {
			return
		}
		var keys []string
		for _, info := range infos {
			keys = append(keys, info.Key)
		}
		if err := s.Delete(t.Context(), keys...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVersitygw(t *testing.T) {
	g := start(t)
	for name, prefix := range map[string]string{"bucket": "", "prefix": "some/prefix"} {
		t.Run(name, func(t *testing.T) {
			n := 0
			storetest.Run(t, func(t *testing.T) objectstore.Store {
				n++
				return open(t, g.bucket(t, fmt.Sprintf("test-%s-%d", name, n), prefix))
			})
		})
	}
}

func TestNamedServer(t *testing.T) {
	text := os.Getenv("NARU_TEST_S3")
	if text == "" {
		t.Skip("NARU_TEST_S3 names no server")
	}
	cfg, err := objectstore.ParseS3URL(text)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) objectstore.Store {
		s := open(t, cfg)
		empty(t, s)
		return s
	})
}

func TestErrors(t *testing.T) {
	g := start(t)
	cfg := g.bucket(t, "naru-test", "")
	other := cfg
	other.Bucket = "no-such-bucket"
	wrong := cfg
	wrong.SecretKey = "wrong"
	for name, c := range map[string]struct {
		cfg  objectstore.S3Config
		want error
	}{"no bucket": {other, objectstore.ErrNoBucket}, "a wrong secret": {wrong, objectstore.ErrDenied}} {
		s := open(t, c.cfg)
		if err := s.Put(t.Context(), "a", []byte("x")); !errors.Is(err, c.want) {
			t.Errorf("%s: Put: %v", name, err)
		}
		if _, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, c.want) {
			t.Errorf("%s: Get: %v", name, err)
		}
		if err := objectstore.Probe(t.Context(), s, "probe"); !errors.Is(err, c.want) {
			t.Errorf("%s: Probe: %v", name, err)
		}
	}
}

// A body that is damaged on its way is refused, and nothing is there.
func TestDamagedBody(t *testing.T) {
	g := start(t)
	cfg := g.bucket(t, "naru-test", "")
	cfg.Transport = damaging{}
	damaged := open(t, cfg)
	cfg.Transport = nil
	s := open(t, cfg)
	if err := damaged.Put(t.Context(), "a", []byte("hello")); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if body, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("there is %q, %v", body, err)
	}
}

// damaging changes the first byte of what is sent.
type damaging struct{}

func (damaging) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.ContentLength > 0 {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body[0] ^= 1
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A server that stands still is given up after the time of a request. What it was
// sent may arrive when it goes on.
func TestPausedServer(t *testing.T) {
	g := start(t)
	cfg := g.bucket(t, "naru-test", "")
	cfg.RequestTimeout = 300 * time.Millisecond
	s := open(t, cfg)
	if err := s.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	g.pause(t)
	if err := s.Put(t.Context(), "b", []byte("mine")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get: %v", err)
	}
	g.resume(t)
	err := s.Put(t.Context(), "b", []byte("mine"))
	for errors.Is(err, context.DeadlineExceeded) {
		err = s.Put(t.Context(), "b", []byte("mine"))
	}
	if err != nil && !errors.Is(err, objectstore.ErrExists) {
		t.Errorf("once more: %v", err)
	}
	if body, err := s.Get(t.Context(), "b", 0, -1); err != nil || string(body) != "mine" {
		t.Errorf("there is %q, %v", body, err)
	}
}
