package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/broker"
)

const (
	requestBytesMax  = 16 << 20
	compressBytesMin = 1 << 10 // smaller answers cost more to compress than to send
	smallBytesMax    = 64 << 10
	largeRequestsMax = 32
	itemsMax         = 1_000 // records, messages or deliveries of one request
	waitMax          = 5 * time.Minute
)

// Config of a Server.
type Config struct {
	Broker *broker.Broker
	System System // what the server tells of itself
	Remote bool   // answer other machines too
	Log    *slog.Logger
}

// System is what only the whole server knows.
type System interface {
	Status() *naruv1.Status
	Activity(after time.Time) *naruv1.Activity
	Connections() *naruv1.ListConnectionsResponse
	Settings() *naruv1.ListSettingsResponse
	Cluster(context.Context) (*naruv1.Cluster, error)
	Ready() error
}

// Server is the API of one broker.
type Server struct {
	broker  *broker.Broker
	cfg     Config
	log     *slog.Logger
	mux     *http.ServeMux
	rest    router
	replies replies
	large   chan struct{}

	ctx    context.Context // ends with Stop
	cancel context.CancelFunc
	calls  sync.WaitGroup
	slow   time.Duration // bodyTimeout
	mu     sync.RWMutex  // held while a call begins; guards stopped
	done   bool
}

// NewServer returns an API that is ready to serve.
func NewServer(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{broker: cfg.Broker, cfg: cfg, log: cfg.Log, mux: http.NewServeMux(), large: make(chan struct{}, largeRequestsMax)}
	s.slow = bodyTimeout
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.replies.init(s)
	options := []connect.HandlerOption{
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			if longBodies[spec.Procedure] {
				return []connect.HandlerOption{connect.WithReadMaxBytes(consumeBytesMax)}
			}
			return []connect.HandlerOption{connect.WithReadMaxBytes(requestBytesMax)}
		}),
		connect.WithCompressMinBytes(compressBytesMin),
		connect.WithInterceptors(translate{s}),
		connect.WithRecover(func(_ context.Context, spec connect.Spec, _ http.Header, p any) error {
			return s.recovered(spec.Procedure, p)
		}),
	}
	s.mux.Handle(naruv1connect.NewTopicServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewQueueServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewGroupServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewCallServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewTriggerServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewUserServiceHandler(s, options...))
	s.mux.Handle(naruv1connect.NewSystemServiceHandler(s, options...))
	s.mux.Handle(healthPath, s.health(options))
	reflector := grpcreflect.NewStaticReflector(append([]string{healthService}, services...)...)
	s.mux.Handle(grpcreflect.NewHandlerV1(reflector, options...))
	s.mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options...))
	s.mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(naruv1.OpenAPI)
	})
	s.rest.init(s)
	return s
}

// restPath is before the paths of REST, in the version that there is.
const restPath = "/v1/"

// Paths are the patterns, as of http.ServeMux, that the API answers.
func Paths() []string {
	out := []string{restPath, "/openapi.yaml", healthPath, "/" + grpcreflect.ReflectV1ServiceName + "/", "/" + grpcreflect.ReflectV1AlphaServiceName + "/"}
	for _, name := range services {
		out = append(out, "/"+name+"/")
	}
	return out
}

// services are those of the definition.
var services = []string{
	naruv1connect.TopicServiceName, naruv1connect.QueueServiceName, naruv1connect.GroupServiceName,
	naruv1connect.CallServiceName, naruv1connect.TriggerServiceName, naruv1connect.UserServiceName,
	naruv1connect.SystemServiceName,
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.mayCall(r); err != nil {
		refuse(w, err)
		return
	}
	if !s.begin() {
		refuse(w, errStopping)
		return
	}
	defer s.calls.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := &call{s: s, ctx: ctx, control: http.NewResponseController(w)}
	defer c.end()
	defer context.AfterFunc(s.ctx, func() {
		cancel()
		c.hurry()
	})()
	if keys, ok := r.Header["Idempotency-Key"]; ok {
		if len(keys) > 1 || keys[0] == "" {
			refuse(w, invalid("Idempotency-Key is empty or there twice"))
			return
		}
		ctx = context.WithValue(ctx, idempotencyKey{}, keys[0])
	}
	r = r.WithContext(ctx)
	if !longBodies[r.URL.Path] {
		r.Body = c.body(r)
	}
	if strings.HasPrefix(r.URL.Path, restPath) { // the mux would tidy the path, and redirect
		s.rest.ServeHTTP(w, r)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// idempotencyKey is the key of a context's Idempotency-Key.
type idempotencyKey struct{}

func (s *Server) begin() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.done {
		return false
	}
	s.calls.Add(1)
	return true
}

// Stop ends waiting calls and streams, and waits for those that run, as long as ctx
// allows. Later calls are refused.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	s.cancel()
	ended := make(chan struct{})
	go func() {
		s.calls.Wait()
		s.replies.wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
