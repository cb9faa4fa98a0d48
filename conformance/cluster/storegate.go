package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// storeGate stands before the S3 server and does what networks and stores do to requests as a whole.
type storeGate struct {
	server *http.Server
	addr   string
	busy   atomic.Int32 // of 100 requests, how many get 503
	deaf   atomic.Int32 // of 100 PUTs, how many are done and get no answer
	lies   atomic.Bool  // PUTs of the log are acknowledged, and dropped
	done   struct{ busy, deaf, lies atomic.Int64 }
}

// errDeaf ends a request whose answer nobody shall get.
var errDeaf = errors.New("the answer is lost")

func newStoreGate(to string) (*storeGate, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &storeGate{addr: ln.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPut && draw(&g.deaf) {
				g.done.deaf.Add(1)
				return errDeaf
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // ends the connection
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64},
	}
	g.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case draw(&g.busy):
			g.done.busy.Add(1)
			http.Error(w, "<Error><Code>SlowDown</Code><Message>please reduce your request rate</Message></Error>", http.StatusServiceUnavailable)
		case r.Method == http.MethodPut && g.lies.Load():
			g.done.lies.Add(1)
			w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		default:
			proxy.ServeHTTP(w, r)
		}
	})}
	go func() { _ = g.server.Serve(ln) }()
	return g, nil
}

// draw tells whether it happens this time. What is hit depends on the moment anyway, so no seed would help here.
func draw(percent *atomic.Int32) bool {
	n := percent.Load()
	return n > 0 && rand.Int32N(100) < n
}

func (g *storeGate) close() { _ = g.server.Close() }

func (g *storeGate) String() string {
	return fmt.Sprintf("%d requests refused with 503, %d answers to PUTs lost, %d PUTs dropped", g.done.busy.Load(), g.done.deaf.Load(), g.done.lies.Load())
}
