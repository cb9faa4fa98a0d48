package coord

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// EtcdConfig says how to reach an etcd.
type EtcdConfig struct {
	Endpoints      []string // HOST:PORT, or URLs of http or https
	Prefix         string   // of all keys; "" for none
	TLS            *tls.Config
	User, Password string
	// RequestTimeout is for one call, 0 for RequestTimeoutDefault. Range takes it
	// for each page. Watch has none.
	RequestTimeout time.Duration
}

// Defaults and limits of Etcd.
const (
	RequestTimeoutDefault = 5 * time.Second // what etcd's own tools wait
	EndpointsMax          = 16
	PrefixBytesMax        = 256
	RangeKeysMax          = 1 << 20
	rangePage             = 500
	answerBytesMax        = 64 << 20
	// A server that does not answer at all is given up after both together. etcd
	// refuses clients that ask more often than every 5 s.
	pingInterval, pingTimeout = 10 * time.Second, 3 * time.Second
)

// Etcd is a Store in an etcd of version 3.4 or later. It connects when it is first
// needed, and to another endpoint when one fails.
type Etcd struct {
	cfg EtcdConfig

	mu     sync.Mutex // held while the client is made
	client *clientv3.Client
	closed bool
}

var _ Store = (*Etcd)(nil)

// NewEtcd prepares access to an etcd. It connects to nothing: a cluster that is away
// now may come later. Close ends it.
func NewEtcd(cfg EtcdConfig) (*Etcd, error) {
	if n := len(cfg.Endpoints); n < 1 || n > EndpointsMax {
		return nil, fmt.Errorf("coord: %w: %d endpoints; 1 to %d may be", ErrInvalid, n, EndpointsMax)
	}
	for _, e := range cfg.Endpoints {
		if e == "" {
			return nil, fmt.Errorf("coord: %w: an empty endpoint", ErrInvalid)
		}
	}
	if len(cfg.Prefix) > PrefixBytesMax {
		return nil, fmt.Errorf("coord: %w: a prefix of %d bytes, more than %d", ErrInvalid, len(cfg.Prefix), PrefixBytesMax)
	}
	if (cfg.User == "") != (cfg.Password == "") {
		return nil, fmt.Errorf("coord: %w: one of user and password is missing", ErrInvalid)
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = RequestTimeoutDefault
	}
	return &Etcd{cfg: cfg}, nil
}

// Close ends all calls that are on their way.
func (e *Etcd) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if e.client == nil {
		return nil
	}
	return e.client.Close()
}

// connect returns the client. With a user, making one asks etcd for a token, so that
// it may fail.
func (e *Etcd) connect() (*clientv3.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fmt.Errorf("%w: it was closed", ErrUnavailable)
	}
	if e.client != nil {
		return e.client, nil
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints: e.cfg.Endpoints, TLS: e.cfg.TLS, Username: e.cfg.User, Password: e.cfg.Password,
		DialTimeout: e.cfg.RequestTimeout, DialKeepAliveTime: pingInterval, DialKeepAliveTimeout: pingTimeout,
		MaxCallRecvMsgSize: answerBytesMax, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(once)},
	})
	if err != nil {
		return nil, err
	}
	e.client = client
	return client, nil
}

// once keeps the client from sending a transaction again that a server may have
// applied. The client takes an ended context for one of its own and tries again,
// whatever the call; the second attempt then fails its conditions because of the
// first, and its answer would be false.
func once(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, req, reply, cc, opts...)
	code := status.Code(err)
	if method != txnMethod || ctx.Err() != nil || code != codes.DeadlineExceeded && code != codes.Canceled {
		return err
	}
	return status.Error(codes.Unavailable, "the server ended the call: "+err.Error())
}

const txnMethod = "/etcdserverpb.KV/Txn"

// call does one request within its time and gives its error a class. A call that
// fails because ctx ended says so.
func (e *Etcd) call(ctx context.Context, what string, do func(context.Context, *clientv3.Client) error) error {
	err := ctx.Err()
	if err == nil {
		var client *clientv3.Client
		if client, err = e.connect(); err == nil {
			limited, cancel := context.WithTimeout(ctx, e.cfg.RequestTimeout)
			defer cancel()
			err = do(limited, client)
			if err != nil && limited.Err() != nil {
				err = limited.Err()
			}
		}
	}
	if err != nil {
		return fmt.Errorf("coord: %s: %w", what, classify(err))
	}
	return nil
}

// unavailable is for what grpc tells of connections.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
