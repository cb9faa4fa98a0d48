package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/api"
	"github.com/narumq/naru/internal/front/kafka"
	"github.com/narumq/naru/internal/vfs"
)

// Options of Start that are not for users to configure.
type Options struct {
	Log     *slog.Logger  // default: nothing is logged
	Version string        // shown in metrics
	FS      vfs.FS        // default vfs.OS()
	Store   catalog.Store // default a file in the data directory

	member *membership // nil: a broker of its own, over a data directory
}

// Server is a running broker with its endpoints.
type Server struct {
	cfg     Config
	log     *slog.Logger
	started time.Time
	ready   time.Duration // from Start to readiness
	metrics *metrics

	member    *membership // nil: alone
	lock      io.Closer
	broker    *broker.Broker
	kafka     *kafka.Server
	kafkaAddr net.Addr // nil: off
	http      *httpEndpoint
	aws       *awsEndpoint
	amqp      atomic.Pointer[amqpEndpoint] // nil: off, or elsewhere in the cluster
	api       atomic.Pointer[api.Server]   // nil until the broker is open
	version   string
	activity  *activity
	httpConns connTable
	awsConns  connTable

	managementConns connTable

	state  atomic.Pointer[string] // why not ready; nil is ready
	failed chan error             // an endpoint that ended by itself
	once   sync.Once
	err    error // what Close returned
}

// Endpoint is an address that the server answers at.
type Endpoint struct {
	Name string // kafka, aws, amqp, http
	Addr string // as a client would write it
}

// Start opens the data directory and the endpoints, and returns when both
// answer. The error names the setting that has to change.
func Start(cfg Config, opt Options) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Cluster != "" && opt.member == nil {
		return nil, errors.New("--cluster: a broker of a cluster is started with StartCluster")
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.FS == nil {
		opt.FS = vfs.OS()
	}
	s := &Server{cfg: cfg, log: opt.Log, started: time.Now(), metrics: newMetrics(opt.Version), failed: make(chan error, 4), version: opt.Version, member: opt.member}
	s.httpConns.protocol, s.awsConns.protocol, s.managementConns.protocol = httpProtocol, awsProtocol, managementProtocol
	s.notReady("starting")
	if s.member == nil { // else the process has said so
		s.cfg.warn(s.log)
	} else {
		s.metrics.registry.MustRegister(s.member.metrics)
	}
	if err := s.start(opt); err != nil {
		s.release(context.Background())
		return nil, err
	}
	s.ready = time.Since(s.started)
	s.metrics.startSeconds.Set(s.ready.Seconds())
	s.state.Store(nil)
	return s, nil
}

// start goes bottom up. Ports are taken before recovery, so that one in use is
// found at once, and HTTP answers during it: not ready yet.
func (s *Server) start(opt Options) (err error) {
	dir := filepath.ToSlash(s.cfg.DataDir)
	if err := s.lockDir(dir, opt); err != nil {
		return err
	}
	keys, err := s.awsKeys()
	if err != nil {
		return err
	}
	l, err := s.listen()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.kafka != nil {
		s.kafkaAddr = l.kafka.Addr()
	}
	if l.http != nil {
		s.http = s.serveHTTP(l.http)
	}
	if s.broker, err = broker.Open(s.brokerConfig(dir, opt)); err != nil {
		return fmt.Errorf("%s: %w", s.storage(), err)
	}
	s.metrics.watch(s.broker, s.cfg.TopicMetricsMax)
	if err := s.startTriggers(); err != nil {
		return err
	}
	if l.aws != nil {
		s.aws = s.serveAWS(l.aws, keys)
	}
	if l.amqp != nil && s.member == nil { // else it is where the exchanges are
		if err := s.serveAMQP(l.amqp, l.management); err != nil {
			return err
		}
	}
	if l.kafka != nil {
		if err := s.serveKafka(l.kafka); err != nil {
			return err
		}
	}
	// These look at the endpoints, which do not change from here on.
	s.activity = s.watchActivity()
	s.api.Store(api.NewServer(api.Config{Broker: s.broker, System: system{s}, Remote: s.cfg.APIRemote, Log: s.log}))
	return nil
}

// lockDir makes the data directory, which a member of a cluster does not have.
func (s *Server) lockDir(dir string, opt Options) (err error) {
	if s.member != nil {
		return nil
	}
	if err := opt.FS.MkdirAll(dir); err != nil {
		return fmt.Errorf("--data %s: %w", s.cfg.DataDir, err)
	}
	if s.lock, err = broker.Lock(opt.FS, dir); err != nil {
		return fmt.Errorf("--data: %w: stop it, or choose another directory", err)
	}
	return nil
}

// listen opens the endpoints' listeners. Those of a member are its process's.
func (s *Server) listen() (listeners, error) {
	if s.member != nil {
		return s.member.listeners, nil
	}
	return s.cfg.listen()
}

// storage is the setting that says where everything is.
func (s *Server) storage() string {
	if s.member != nil {
		return "--cluster " + s.cfg.Cluster
	}
	return "--data " + s.cfg.DataDir
}

func (s *Server) serveKafka(ln net.Listener) (err error) {
	if s.kafka, err = kafka.New(s.kafkaConfig()); err != nil {
		return err
	}
	s.metrics.watchKafka(s.kafka)
	go func() {
		if err := s.kafka.Serve(ln); err != nil {
			s.failed <- fmt.Errorf("kafka endpoint %s: %w", ln.Addr(), err)
		}
	}()
	return nil
}

func (s *Server) notReady(why string) { s.state.Store(&why) }

// Ready returns nil while clients can be served in full, else why not.
func (s *Server) Ready() error {
	if why := s.state.Load(); why != nil {
		return errors.New(*why)
	}
	if s.member != nil {
		if err := s.member.ready(); err != nil {
			return err
		}
	}
	return s.broker.Ready()
}

// StartTime is how long it took from Start to being ready.
func (s *Server) StartTime() time.Duration { return s.ready }

// Failed gives the error of an endpoint that ended without being asked to.
func (s *Server) Failed() <-chan error { return s.failed }

// Endpoints are the addresses that are on.
func (s *Server) Endpoints() []Endpoint {
	var list []Endpoint
	if s.kafkaAddr != nil {
		list = append(list, Endpoint{"kafka", s.kafkaAddr.String()})
	}
	if s.aws != nil {
		list = append(list, Endpoint{"aws", "http://" + s.aws.addr.String()})
	}
	if e := s.amqp.Load(); e != nil {
		list = append(list, Endpoint{"amqp", e.addr.String()})
		if e.mgmt != nil {
			list = append(list, Endpoint{"amqp-management", "http://" + e.mgmt.addr.String()})
		}
	}
	if s.http != nil {
		list = append(list, Endpoint{"http", "http://" + s.http.addr.String()})
	}
	return list
}

// Close ends the server in an orderly way, within ctx and the configured
// time: requests that were read get their answers, what was accepted becomes
// durable, the journal is sealed, and the lock is given back. What was
// acknowledged is safe whatever it returns.
func (s *Server) Close(ctx context.Context) error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, s.cfg.ShutdownTimeout)
		defer cancel()
		s.err = s.release(ctx)
	})
	return s.err
}

// release goes top down, whatever there is to release.
func (s *Server) release(ctx context.Context) error {
	s.notReady("shutting down")
	var problems []error
	if s.kafka != nil {
		if err := s.kafka.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("requests did not end in time: %w", err))
		}
	}
	if err := s.closeAMQP(ctx); err != nil {
		problems = append(problems, err)
	}
	if s.aws != nil {
		if err := s.aws.shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("aws: requests did not end in time: %w", err))
		}
	}
	if a := s.api.Load(); a != nil {
		if err := a.Stop(ctx); err != nil {
			problems = append(problems, fmt.Errorf("http: requests did not end in time: %w", err))
		}
	}
	if s.activity != nil {
		s.activity.end()
	}
	if s.broker != nil {
		problems = append(problems, s.closeBroker(ctx))
	}
	if s.http != nil {
		s.http.shutdown(ctx)
	}
	if s.lock != nil {
		problems = append(problems, s.lock.Close())
	}
	return errors.Join(problems...)
}

// closeBroker waits for the broker no longer than ctx allows: a disk that
// hangs must not keep the process.
func (s *Server) closeBroker(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.broker.Close() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("storage did not close in time: %w; the next start will recover", ctx.Err())
	}
}
