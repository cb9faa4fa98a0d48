package kinesis

import (
	"context"
	"sync"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/front/aws"
)

// Account is the account that all streams are of.
const Account = "000000000000"

// Target is the part of X-Amz-Target that names the service.
const Target = "Kinesis_20131202"

// requestBytesMax bounds a request: 10 MiB of records in base64, and what is around
// them.
const requestBytesMax = 16 << 20

// Config of a service.
type Config struct {
	Limits bool             // hold clients to the limits of Kinesis: see limits.go
	Now    func() time.Time // default time.Now
}

// Server answers the calls of Kinesis.
type Server struct {
	b      *broker.Broker
	tokens tokens
	now    func() time.Time
	limits *limits // nil: none
	reads  chan struct{}

	stopping context.Context // ends subscriptions
	stop     context.CancelFunc
	mu       sync.Mutex
	subs     map[string]*subscription // guarded by mu; by consumer and shard
}

// NewServer returns a service on a broker.
func NewServer(b *broker.Broker, cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{b: b, tokens: newTokens(b.ClusterID()), now: cfg.Now, subs: make(map[string]*subscription), reads: make(chan struct{}, readsMax)}
	if cfg.Limits {
		s.limits = newLimits()
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	return s
}

// Stop ends subscriptions. Consumers renew them elsewhere, or later.
func (s *Server) Stop() { s.stop() }

// Namespace implements aws.Service: errors are named alone.
func (s *Server) Namespace() (shape, xml string) { return "", "" }

// BodyBytesMax implements aws.Typed.
func (s *Server) BodyBytesMax() int64 { return requestBytesMax }

// Serve implements aws.Service.
func (s *Server) Serve(ctx context.Context, c *aws.Call) ([]byte, error) {
	serve, ok := actions[c.Action]
	if !ok {
		return nil, &aws.Error{Shape: "UnknownOperationException", Message: "The operation " + clip(c.Action) + " is not served here.", Common: true}
	}
	doc, err := serve(ctx, s, c)
	return doc, asError(err)
}

// Streams implements aws.Streamer.
func (s *Server) Streams(action string) bool { return action == subscribeToShard }

// ServeStream implements aws.Streamer.
func (s *Server) ServeStream(ctx context.Context, c *aws.Call, w *aws.EventWriter) error {
	var in subscribeIn
	if err := s.read(c, &in); err != nil {
		return asError(err)
	}
	return asError(s.subscribe(ctx, c, &in, w))
}

// subscribeToShard is the one action whose answer is a stream.
const subscribeToShard = "SubscribeToShard"

// action answers a call.
type action func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error)

// actions are filled by the actions' files.
var actions = map[string]action{}

// Serves tells whether there is an action of that name.
func Serves(name string) bool {
	_, ok := actions[name]
	return ok || name == subscribeToShard
}

// nothing is the output of an action that has none.
type nothing struct{}

// register adds an action.
func register[In, Out any](name string, f func(ctx context.Context, s *Server, c *aws.Call, in *In) (*Out, error)) {
	if Serves(name) {
		panic("kinesis: " + name + " is registered twice")
	}
	actions[name] = func(ctx context.Context, s *Server, c *aws.Call) ([]byte, error) {
		var in In
		if err := s.read(c, &in); err != nil {
			return nil, err
		}
		out, err := f(ctx, s, c, &in)
		if err != nil {
			return nil, err
		}
		if _, none := any(out).(*nothing); none || out == nil {
			return aws.Marshal(c, nil)
		}
		return aws.Marshal(c, out)
	}
}

// read decodes and checks a call's input.
func (s *Server) read(c *aws.Call, in any) error {
	if err := aws.Unmarshal(c, in); err != nil {
		return err
	}
	if err := validate(in); err != nil {
		return err
	}
	return s.limits.call(c.Action, s.now())
}
