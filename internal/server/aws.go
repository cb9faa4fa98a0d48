package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/front/kinesis"
	"github.com/narumq/naru/internal/front/sqs"
)

// awsBodyTimeout is for a request to arrive, whole.
const awsBodyTimeout = 60 * time.Second

// awsEndpoint is the endpoint of AWS services.
type awsEndpoint struct {
	addr    net.Addr
	server  *http.Server
	sqs     *sqs.Server
	kinesis *kinesis.Server
}

// awsKeys reads the access keys, if there are any.
func (s *Server) awsKeys() (*aws.Keys, error) {
	if s.cfg.AWSKeys == "" {
		return nil, nil
	}
	b, err := os.ReadFile(s.cfg.AWSKeys)
	if err != nil {
		return nil, fmt.Errorf("--aws-keys: %w", err)
	}
	keys, err := aws.ParseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("--aws-keys %s: %w", s.cfg.AWSKeys, err)
	}
	return keys, nil
}

// serveAWS begins to answer on ln.
func (s *Server) serveAWS(ln net.Listener, keys *aws.Keys) *awsEndpoint {
	e := &awsEndpoint{addr: ln.Addr(), sqs: sqs.NewServer(s.broker), kinesis: kinesis.NewServer(s.broker, kinesis.Config{Limits: s.cfg.KinesisLimits})}
	handler := aws.NewServer(aws.Config{
		Services: map[string]aws.Service{sqs.Target: e.sqs, kinesis.Target: e.kinesis}, Query: e.sqs, Keys: keys, Log: s.log, Observer: s.metrics.awsObserver(),
	})
	e.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       awsBodyTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpHeaderBytesMax,
		ConnState:         s.awsConns.state,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: httpStreamsMax, SendPingTimeout: httpPingAfter, PingTimeout: httpPingTimeout},
	}
	e.server.Protocols.SetHTTP1(true)
	e.server.Protocols.SetUnencryptedHTTP2(true) // event streams, without TLS
	if keys == nil {
		s.log.Info("aws: no --aws-keys, so any credentials are accepted", "address", e.addr.String())
	}
	ln = limit(ln, s.cfg.ConnectionsMax)
	go func() {
		if err := e.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("aws endpoint %s: %w", e.addr, err)
		}
	}()
	return e
}

// shutdown answers what was read; long polls and subscriptions end at once.
func (e *awsEndpoint) shutdown(ctx context.Context) error {
	e.sqs.Stop()
	e.kinesis.Stop()
	err := e.server.Shutdown(ctx)
	if err != nil {
		e.server.Close()
	}
	return err
}
