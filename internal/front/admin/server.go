package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/fault"
)

const (
	requestBytesMax   = 12 << 20 // messages of 8 MiB in base64
	requestsAtOnceMax = 4
	requestTimeout    = 30 * time.Second // for a body to arrive
	messagesMax       = 1000             // of one request
	waitMax           = 5 * time.Minute
)

// Server answers the API.
type Server struct {
	broker  *broker.Broker
	handler http.Handler
	bodies  chan struct{} // holds one for each body in memory

	ctx  context.Context // ends when the server stops
	stop context.CancelFunc
	mu   sync.Mutex
	work sync.WaitGroup // requests; none is added once stopped
	done bool           // guarded by mu
}

// NewServer makes a server that serves nothing until it is asked.
func NewServer(b *broker.Broker) *Server {
	s := &Server{broker: b, bodies: make(chan struct{}, requestsAtOnceMax)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(*call) (any, error){
		"GET /v1/queues":                  s.listQueues,
		"POST /v1/queues":                 s.createQueue,
		"GET /v1/queues/{name}":           s.describeQueue,
		"DELETE /v1/queues/{name}":        s.deleteQueue,
		"POST /v1/queues/{name}/purge":    s.purge,
		"GET /v1/queues/{name}/messages":  s.peek,
		"POST /v1/queues/{name}/messages": s.send,
		"POST /v1/queues/{name}/receive":  s.receive,
		"POST /v1/queues/{name}/ack":      s.ack,
		"POST /v1/queues/{name}/nack":     s.nack,
		"GET /v1/queues/{name}/redrives":  s.redrives,
		"POST /v1/queues/{name}/redrives": s.startRedrive,
		"DELETE /v1/redrives/{id}":        s.cancelRedrive,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, do) })
	}
	s.handler = http.NewCrossOriginProtection().Handler(mux)
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := local(r); err != nil {
		fail(w, err)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// local refuses whoever is not on this machine, and a browser that was led here
// by a name that somebody else owns.
func local(r *http.Request) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return errNotLocal
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "Via"} {
		if r.Header.Get(name) != "" {
			return errNotLocal
		}
	}
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	if name != "localhost" && net.ParseIP(strings.Trim(name, "[]")) == nil {
		return errHost
	}
	return nil
}

// Stop ends requests that wait, refuses further ones, and returns when none is
// left or ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.stop()
	ended := make(chan struct{})
	go func() {
		s.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.done {
		s.work.Add(1)
	}
	return !s.done
}

// call is a request on its way.
type call struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	ctx  context.Context // ends with the request and with the server
	held bool            // a place in bodies
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, do func(*call) (any, error)) {
	if !s.begin() {
		fail(w, errStopping)
		return
	}
	defer s.work.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	c := &call{s: s, w: w, r: r, ctx: ctx}
	answer, err := do(c)
	c.letGo()
	if err != nil && s.ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errStopping
	}
	if err != nil {
		fail(w, err)
		return
	}
	write(w, http.StatusOK, answer)
}

// read decodes the request's body, and keeps a place for it in memory until
// letGo or the answer.
func (c *call) read(v any) error {
	if t, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(t) != "application/json" {
		return fmt.Errorf("%w: the content type is %q, want application/json", errMalformed, t)
	}
	select {
	case c.s.bodies <- struct{}{}:
		c.held = true
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	control := http.NewResponseController(c.w)
	control.SetReadDeadline(time.Now().Add(requestTimeout)) // an error: the connection has none, as in tests
	d := json.NewDecoder(http.MaxBytesReader(c.w, c.r.Body, requestBytesMax))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return fmt.Errorf("%w: at most %d bytes are allowed", errTooLarge, requestBytesMax)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	return nil
}

// letGo says that the body is not needed any more.
func (c *call) letGo() {
	if c.held {
		c.held = false
		<-c.s.bodies
	}
}

func (c *call) queue() (*broker.Queue, error) { return c.s.broker.Queue(c.r.PathValue("name")) }

func fail(w http.ResponseWriter, err error) {
	write(w, status(fault.CodeOf(err)), errorAnswer{errorOf(err)})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // the client is gone if this fails
}
