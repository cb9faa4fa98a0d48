package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/narumq/naru/internal/front/api"
	"github.com/narumq/naru/internal/front/console"
)

// Bounds of the HTTP endpoint. Only requests of the API have bodies, which package
// api bounds.
const (
	httpHeaderBytesMax   = 16 << 10
	httpHeaderTimeout    = 5 * time.Second
	httpIdleTimeout      = 2 * time.Minute
	httpStreamsMax       = 1000             // of a connection, with HTTP/2: each call that waits is one
	httpPingAfter        = 30 * time.Second // of silence, with HTTP/2
	httpPingTimeout      = 15 * time.Second // then the client has vanished, and its leases end
	httpConnectionsMax   = 1000
	metricsAtOnceMax     = 4
	metricsScrapeTimeout = 20 * time.Second
)

type httpEndpoint struct {
	addr   net.Addr
	server *http.Server
}

// serveHTTP begins to answer on ln.
func (s *Server) serveHTTP(ln net.Listener) *httpEndpoint {
	e := &httpEndpoint{addr: ln.Addr(), server: &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: httpHeaderTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpHeaderBytesMax,
		ConnState:         s.httpConns.state,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: httpStreamsMax, SendPingTimeout: httpPingAfter, PingTimeout: httpPingTimeout},
	}}
	e.server.Protocols.SetHTTP1(true)
	e.server.Protocols.SetUnencryptedHTTP2(true) // gRPC, without TLS
	ln = limit(ln, min(httpConnectionsMax, s.cfg.ConnectionsMax))
	go func() {
		if err := e.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("http endpoint %s: %w", e.addr, err)
		}
	}()
	return e
}

func (e *httpEndpoint) shutdown(ctx context.Context) {
	if e.server.Shutdown(ctx) != nil {
		e.server.Close()
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: metricsAtOnceMax,
		Timeout:             metricsScrapeTimeout,
	}))
	// Alive is not ready: a broker whose disk failed serves reads, and a
	// restart would not repair the disk.
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.Handle("/", console.Handler())
	for _, path := range api.Paths() {
		mux.HandleFunc(path, s.serveAPI)
	}
	if s.cfg.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") { // the mux would tidy the path, and redirect
			s.serveAPI(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.metrics.answered.Add(1)
	if a := s.api.Load(); a != nil {
		a.ServeHTTP(w, r)
		return
	}
	api.NotReady(w)
}
