package objectstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/narumq/naru/internal/objectstore"
	"github.com/narumq/naru/internal/objectstore/storetest"
)

// server starts an S3 server in this process with one bucket.
func server(t *testing.T) string {
	backend := s3mem.New()
	if err := backend.CreateBucket("naru-test"); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, cfg objectstore.S3Config) *objectstore.S3 {
	cfg.Bucket, cfg.PathStyle, cfg.AccessKey, cfg.SecretKey = "naru-test", true, "key", "secret"
	s, err := objectstore.NewS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestS3(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objectstore.Store {
		return open(t, objectstore.S3Config{Endpoint: server(t)})
	})
}

func TestS3WithPrefix(t *testing.T) {
	storetest.Run(t, func(t *testing.T) objectstore.Store {
		url := server(t)
		other := open(t, objectstore.S3Config{Endpoint: url})
		for _, key := range []string{"some/prefix-not", "a", "some/pre", "z"} {
			if err := other.Put(t.Context(), key, nil); err != nil {
				t.Fatal(err)
			}
		}
		return open(t, objectstore.S3Config{Endpoint: url, Prefix: "some/prefix"})
	})
}

// transport answers a request by itself, or with what the network gives.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, code string) (*http.Response, error) {
	body := ""
	if code != "" {
		body = "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>as said</Message></Error>"
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/xml"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// Each answer has its class, for each kind of call, and is asked for once.
func TestS3Errors(t *testing.T) {
	for _, c := range []struct {
		status        int
		code          string
		put, get, del error
	}{
		{412, "PreconditionFailed", objectstore.ErrExists, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{412, "", objectstore.ErrExists, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{409, "ConditionalRequestConflict", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{404, "NoSuchBucket", objectstore.ErrNoBucket, objectstore.ErrNoBucket, objectstore.ErrNoBucket},
		{404, "NoSuchKey", objectstore.ErrNotFound, objectstore.ErrNotFound, objectstore.ErrNotFound},
		{301, "PermanentRedirect", objectstore.ErrNoBucket, objectstore.ErrNoBucket, objectstore.ErrNoBucket},
		{403, "AccessDenied", objectstore.ErrDenied, objectstore.ErrDenied, objectstore.ErrDenied},
		{403, "SignatureDoesNotMatch", objectstore.ErrDenied, objectstore.ErrDenied, objectstore.ErrDenied},
		{400, "ExpiredToken", objectstore.ErrDenied, objectstore.ErrDenied, objectstore.ErrDenied},
		{400, "RequestTimeout", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{400, "BadDigest", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{400, "EntityTooLarge", objectstore.ErrInvalid, objectstore.ErrInvalid, objectstore.ErrInvalid},
		{429, "", objectstore.ErrThrottled, objectstore.ErrThrottled, objectstore.ErrThrottled},
		{503, "SlowDown", objectstore.ErrThrottled, objectstore.ErrThrottled, objectstore.ErrThrottled},
		{503, "ServiceUnavailable", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{500, "InternalError", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{501, "NotImplemented", objectstore.ErrNoConditions, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
		{502, "", objectstore.ErrUnavailable, objectstore.ErrUnavailable, objectstore.ErrUnavailable},
	} {
		var requests int
		s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: transport(func(r *http.Request) (*http.Response, error) {
			requests++
			return answer(r, c.status, c.code)
		})})
		name := fmt.Sprint(c.status, " ", c.code)
		if err := s.Put(t.Context(), "a", nil); !errors.Is(err, c.put) {
			t.Errorf("%s: put: %v", name, err)
		}
		if _, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, c.get) {
			t.Errorf("%s: get: %v", name, err)
		}
		if err := s.Delete(t.Context(), "a"); !errors.Is(err, c.del) {
			t.Errorf("%s: delete: %v", name, err)
		}
		if err := s.Delete(t.Context(), "a", "b"); !errors.Is(err, c.del) {
			t.Errorf("%s: delete of two: %v", name, err)
		}
		if requests != 4 {
			t.Errorf("%s: %d requests for 4 calls", name, requests)
		}
	}
}

func TestS3WithoutAnswer(t *testing.T) {
	s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: transport(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("connection reset by peer")
	})})
	if err := s.Put(t.Context(), "a", nil); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Error(err)
	}
}

// A put that was applied and not answered, and that the caller makes again, comes
// back as ErrExists: it is there, once.
func TestS3PutAppliedWithoutAnswer(t *testing.T) {
	lose := true
	s := open(t, objectstore.S3Config{Endpoint: server(t), Transport: transport(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if lose && err == nil {
			lose = false
			_ = resp.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
		return resp, err
	})})
	if err := s.Put(t.Context(), "a", []byte("mine")); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("without an answer: %v", err)
	}
	if err := s.Put(t.Context(), "a", []byte("mine")); !errors.Is(err, objectstore.ErrExists) {
		t.Errorf("once more: %v", err)
	}
	if body, err := s.Get(t.Context(), "a", 0, -1); err != nil || string(body) != "mine" {
		t.Errorf("there is %q, %v", body, err)
	}
}

// What every put carries: a condition, a checksum, and no question before the body.
func TestS3PutHeaders(t *testing.T) {
	var seen http.Header
	s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: transport(func(r *http.Request) (*http.Response, error) {
		seen = r.Header
		return answer(r, 200, "")
	})})
	for _, c := range []struct {
		body     []byte
		checksum string
	}{{[]byte("123456789"), "4waSgw=="}, {make([]byte, 32), "ipE2qg=="}, {make([]byte, 9<<20), ""}} {
		if err := s.Put(t.Context(), "a", c.body); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"If-None-Match": "*", "Expect": "", "X-Amz-Trailer": "", "Content-Encoding": ""} {
			if got := seen.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if got := seen.Get("X-Amz-Checksum-Crc32c"); c.checksum != "" && got != c.checksum {
			t.Errorf("the checksum of %q is %q, want %q", c.body, got, c.checksum) // RFC 3720, B.4
		}
	}
}

// Requests end by themselves, and tell that they did not hear.
func TestS3TimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, objectstore.S3Config{
			Endpoint: "http://s3.test", RequestTimeout: 3 * time.Second,
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}),
		})
		for _, size := range []int{0, 5 << 20} {
			start := time.Now()
			err := s.Put(t.Context(), "a", make([]byte, size))
			want := 3*time.Second + time.Duration(size>>20)*time.Second
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != want {
				t.Errorf("%d bytes: %v after %v, want %v", size, err, took, want)
			}
		}
		start := time.Now()
		_, err := s.Get(t.Context(), "a", 0, -1)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
			t.Errorf("a get without an answer: %v after %v", err, took)
		}
	})
}

// stuck is a body that gives nothing until its request ends.
type stuck struct{ ctx context.Context }

func (b stuck) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b stuck) Close() error { return nil }

func TestS3TimeLimitOfBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, objectstore.S3Config{
			Endpoint: "http://s3.test", RequestTimeout: 3 * time.Second,
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				time.Sleep(2 * time.Second) // the bubble's
				resp, err := answer(r, 200, "")
				resp.Body, resp.ContentLength = stuck{r.Context()}, 7<<20
				resp.Header.Set("Content-Length", "7340032")
				return resp, err
			}),
		})
		start := time.Now()
		_, err := s.Get(t.Context(), "a", 0, -1)
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 12*time.Second {
			t.Errorf("%v after %v, want 2 s, 3 s and 7 MiB", err, took)
		}
	})
}

// No more requests are on their way than allowed; reads do not wait for writes.
func TestS3Concurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy, most := map[string]int{}, map[string]int{}
		enter, leave := make(chan string), make(chan string)
		go func() {
			for {
				select {
				case m, more := <-enter:
					if !more {
						return
					}
					busy[m]++
					most[m] = max(most[m], busy[m])
				case m := <-leave:
					busy[m]--
				}
			}
		}()
		s := open(t, objectstore.S3Config{
			Endpoint: "http://s3.test", WritesMax: 3, ReadsMax: 2,
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				enter <- r.Method
				time.Sleep(time.Second) // the bubble's
				leave <- r.Method
				return answer(r, 503, "SlowDown")
			}),
		})
		done := make(chan bool)
		for i := range 20 {
			go func() {
				if i%2 == 0 {
					_ = s.Put(t.Context(), "a", nil)
				} else {
					_, _ = s.Stat(t.Context(), "a")
				}
				done <- true
			}()
		}
		for range 20 {
			<-done
		}
		close(enter)
		synctest.Wait()
		if most["PUT"] != 3 || most["HEAD"] != 2 {
			t.Errorf("at most %v at once", most)
		}
	})
}

// A server that ignores ranges, or lists out of order, is not believed.
func TestS3DoubtfulServers(t *testing.T) {
	whole := transport(func(r *http.Request) (*http.Response, error) {
		resp, err := answer(r, 200, "")
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("0123456789")), 10
		resp.Header.Set("Content-Length", "10")
		return resp, err
	})
	s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: whole})
	for _, c := range [][2]int64{{0, 5}, {5, 5}, {5, -1}, {0, 100}} {
		if body, err := s.Get(t.Context(), "a", c[0], c[1]); !errors.Is(err, objectstore.ErrUnavailable) {
			t.Errorf("a server without ranges: Get(%d, %d) = %q, %v", c[0], c[1], body, err)
		}
	}
	unordered := transport(func(r *http.Request) (*http.Response, error) {
		resp, err := answer(r, 200, "")
		text := "<ListBucketResult><Contents><Key>b</Key></Contents><Contents><Key>a</Key></Contents></ListBucketResult>"
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		return resp, err
	})
	s = open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: unordered})
	if infos, err := s.List(t.Context(), "", "", 10); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("a listing out of order: %v, %v", infos, err)
	}
}

// A truncated body is no body.
func TestS3ShortBody(t *testing.T) {
	s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: transport(func(r *http.Request) (*http.Response, error) {
		resp, err := answer(r, 200, "")
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("01234")), 10
		resp.Header.Set("Content-Length", "10")
		return resp, err
	})})
	if body, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("Get = %q, %v", body, err)
	}
}

// A body that is not what its checksum says is no body.
func TestS3DamagedBody(t *testing.T) {
	s := open(t, objectstore.S3Config{Endpoint: "http://s3.test", Transport: transport(func(r *http.Request) (*http.Response, error) {
		resp, err := answer(r, 200, "")
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("12345678x")), 9
		resp.Header.Set("Content-Length", "9")
		resp.Header.Set("X-Amz-Checksum-Crc32c", "4waSgw==") // of 123456789
		return resp, err
	})})
	if body, err := s.Get(t.Context(), "a", 0, -1); !errors.Is(err, objectstore.ErrUnavailable) {
		t.Errorf("Get = %q, %v", body, err)
	}
}

func TestS3WithoutCredentials(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": t.TempDir() + "/none", "AWS_SHARED_CREDENTIALS_FILE": t.TempDir() + "/none",
	} {
		t.Setenv(name, value)
	}
	s, err := objectstore.NewS3(t.Context(), objectstore.S3Config{Bucket: "naru-test", Endpoint: "http://s3.test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a", nil); !errors.Is(err, objectstore.ErrDenied) {
		t.Error(err)
	}
}

func TestS3Observe(t *testing.T) {
	var seen []objectstore.S3Request
	s := open(t, objectstore.S3Config{Endpoint: server(t), Observe: func(r objectstore.S3Request) { seen = append(seen, r) }})
	_ = s.Put(t.Context(), "a", []byte("12345"))
	_, _ = s.Get(t.Context(), "a", 1, 3)
	_, _ = s.Get(t.Context(), "b", 0, -1)
	if len(seen) != 3 || seen[0].Bytes != 5 || seen[1].Bytes != 3 || seen[1].Kind != objectstore.OpGet ||
		!errors.Is(seen[2].Err, objectstore.ErrNotFound) || seen[0].Took <= 0 {
		t.Errorf("%+v", seen)
	}
}

func TestParseS3URL(t *testing.T) {
	for text, want := range map[string]objectstore.S3Config{
		"s3://my.bucket-1":                           {Bucket: "my.bucket-1"},
		"s3://bucket/":                               {Bucket: "bucket"},
		"s3://bucket/some/prefix":                    {Bucket: "bucket", Prefix: "some/prefix"},
		"s3://bucket/p/?region=eu-west-3":            {Bucket: "bucket", Prefix: "p", Region: "eu-west-3"},
		"s3://bucket?endpoint=http://127.0.0.1:9000": {Bucket: "bucket", Endpoint: "http://127.0.0.1:9000", PathStyle: true},
		"s3://bucket?endpoint=https%3A%2F%2Fs3.example&path-style=false": {Bucket: "bucket", Endpoint: "https://s3.example"},
		"s3://bucket?path-style=true":                                    {Bucket: "bucket", PathStyle: true},
	} {
		got, err := objectstore.ParseS3URL(text)
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "bucket", "http://bucket", "s3://", "s3://b", "s3://Bucket", "s3://user@bucket", "s3://bucket/a//b", "s3://bucket/A",
		"s3://bucket?endpoint=ftp://x", "s3://bucket?endpoint=host:9000", "s3://bucket?path-style=yes", "s3://bucket?acl=public",
		"s3://bucket/" + strings.Repeat("a", 300), "s3://bucket#x", "s3://bucket/%zz",
	} {
		if got, err := objectstore.ParseS3URL(text); !errors.Is(err, objectstore.ErrInvalid) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// A body is only left out of the signature where nobody is between here and the server. Its checksum is signed always.
func TestBodiesAreSignedUnlessNobodyIsBetween(t *testing.T) {
	for endpoint, unsigned := range map[string]bool{
		"": true, "https://s3.example": true, "http://127.0.0.1:9000": true, "http://[::1]:9000": true,
		"http://s3.example": false, "http://10.0.0.1:9000": false, "http://localhost:9000": false,
	} {
		var header http.Header
		s, err := objectstore.NewS3(t.Context(), objectstore.S3Config{
			Bucket: "bucket", Region: "r", Endpoint: endpoint, PathStyle: true, AccessKey: "a", SecretKey: "s",
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				header = r.Header
				return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "key", []byte("body")); err != nil {
			t.Fatal(err)
		}
		if got := header.Get("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD"; got != unsigned {
			t.Errorf("%q: the body is not signed: %v, want %v", endpoint, got, unsigned)
		}
		if !strings.Contains(header.Get("Authorization"), "x-amz-checksum-crc32c") {
			t.Errorf("%q: the checksum is not signed: %s", endpoint, header.Get("Authorization"))
		}
	}
}
