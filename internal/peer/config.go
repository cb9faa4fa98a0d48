package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/narumq/naru/internal/fault"
)

// Limits.
const (
	// PayloadMax bounds what a call or an answer carries: the largest batch, and what
	// goes with it.
	PayloadMax = 33 << 20
	// CallsMax bounds the calls under way from one broker to another. Those that wait
	// for something count.
	CallsMax = 64 << 10
	// BytesMax bounds what those calls carry together.
	BytesMax = 64 << 20
	// TunnelsMax bounds the tunnels from one broker to another.
	TunnelsMax = 16 << 10

	frameMax       = PayloadMax + 64
	queuedBytesMax = 64 << 20 // of answers that wait to be sent, until no more calls are taken
	streamWindow   = 1 << 20
	connWindow     = 8 << 20
	headersMax     = 16 << 10
	peersMax       = 1024
)

// Times.
const (
	// SilenceMax is after how long without a byte a connection is cut.
	SilenceMax = 5 * time.Second

	pingEvery   = time.Second
	openMax     = 3 * time.Second // for a connection and its stream
	lingerMax   = 5 * time.Second // for what a closed tunnel has still to send
	backoffMin  = 100 * time.Millisecond
	backoffMax  = 2 * time.Second
	idleMax     = 10 * time.Minute // then a client that nobody uses is closed
	connectWait = 10 * time.Second // for a client's handshake
)

// Errors.
var (
	// ErrNotSent: the call did not leave this broker, so it had no effect.
	ErrNotSent = fault.New(fault.Unavailable, "the other broker was not reached")
	// ErrUnknownOutcome: the call was sent, and its answer did not come. It may have had
	// its effect.
	ErrUnknownOutcome = fault.New(fault.Unavailable, "the other broker did not answer: the outcome is unknown")
	// ErrRefused: the other broker is of another cluster, or not the one that was meant.
	ErrRefused = fault.New(fault.FailedPrecondition, "the other broker refused the connection")
	// ErrTooLarge: more than PayloadMax.
	ErrTooLarge = fault.New(fault.InvalidArgument, "too large for a call between brokers")
	// ErrMalformed: bytes from a peer make no sense.
	ErrMalformed = fault.New(fault.Internal, "malformed message from a peer")
)

// Config is what client and server have in common.
type Config struct {
	Node    int32  // this broker's number
	Cluster string // its cluster's id
	// TLS, if set, has this broker's certificate for both directions, and the
	// authorities that the others' must be of: see LoadTLS.
	TLS *tls.Config
	Log *slog.Logger // nil: none
	// Dial connects to an address; nil: by TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// LoadTLS makes a configuration for mutual TLS of PEM files: this broker's certificate
// and key, and the authorities that all brokers' certificates must be of. A certificate
// must be good for client and server, and have the host that the others connect to.
func LoadTLS(certFile, keyFile, caFile string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate of the brokers' connections: %w", err)
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("authorities of the brokers' connections: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of the brokers' connections: %s holds no certificate", caFile)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}, nil
}

// watched is a connection that is cut when nothing comes for SilenceMax.
type watched struct{ net.Conn }

func (w watched) Read(b []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(SilenceMax)); err != nil {
		return 0, err
	}
	return w.Conn.Read(b)
}

// watchedListener accepts such connections.
type watchedListener struct{ net.Listener }

func (l watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watched{c}, nil
}
