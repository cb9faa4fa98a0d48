package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Server takes calls from other brokers.
type Server struct {
	cfg    Config
	grpc   *grpc.Server
	handle func(*Call)
	tunnel func(name string, conn net.Conn)
}

// NewServer makes a server. handle is called for each call, those of one stream in
// their order: it must not block for long, and may answer later. tunnel is called for
// each connection on a goroutine of its own, and closes it.
func NewServer(cfg Config, handle func(*Call), tunnel func(name string, conn net.Conn)) *Server {
	s := &Server{cfg: cfg, handle: handle, tunnel: tunnel}
	s.grpc = grpc.NewServer(
		grpc.Creds(serverCredentials(cfg.TLS)), grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(frameMax), grpc.MaxSendMsgSize(frameMax), grpc.MaxConcurrentStreams(TunnelsMax+1),
		grpc.StaticStreamWindowSize(streamWindow), grpc.StaticConnWindowSize(connWindow),
		grpc.ConnectionTimeout(connectWait), grpc.MaxHeaderListSize(headersMax),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: SilenceMax}), // where there are tunnels only
	)
	calls, tunnels := callsDesc, tunnelDesc
	calls.Handler = func(_ any, stream grpc.ServerStream) error { return s.serveCalls(stream) }
	tunnels.Handler = func(_ any, stream grpc.ServerStream) error { return s.serveTunnel(stream) }
	s.grpc.RegisterService(&grpc.ServiceDesc{
		ServiceName: "naru.peer.v1.Peer", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{calls, tunnels},
	}, s)
	return s
}

func serverCredentials(cfg *tls.Config) credentials.TransportCredentials {
	if cfg == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(cfg.Clone())
}

// Serve takes connections until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(watchedListener{l}); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Close ends all connections, and the contexts of all calls.
func (s *Server) Close() { s.grpc.Stop() }

// Session is a stream of calls from another broker.
type Session struct {
	node int32
	ctx  context.Context
	out  *outbox

	mu    sync.Mutex // guards what follows
	calls map[uint64]*Call
	bytes int               // of their payloads
	lost  map[uint64]func() // by answer that was not confirmed
	ended bool
}

// Node is the number of the broker that calls.
func (s *Session) Node() int32 { return s.node }

// Context ends with the session: the other broker is gone, or was not heard of.
func (s *Session) Context() context.Context { return s.ctx }

func (s *Server) serveCalls(stream grpc.ServerStream) error {
	node, _, err := s.welcome(stream)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	session := &Session{node: node, ctx: ctx, out: newOutbox(), calls: make(map[uint64]*Call), lost: make(map[uint64]func())}
	s.cfg.log().Debug("a broker connected", "node", node)
	written := make(chan error, 1)
	go func() {
		err := session.out.run(ctx, stream.SendMsg)
		cancel()
		written <- err
	}()
	err = session.read(stream, s.handle)
	cancel()
	session.end()
	<-written // gRPC wants no SendMsg after the handler
	s.cfg.log().Debug("a broker is gone", "node", node, "err", err)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// read takes calls until the stream ends.
func (s *Session) read(stream grpc.ServerStream, handle func(*Call)) error {
	for {
		var b []byte
		if err := stream.RecvMsg(&b); err != nil {
			return err
		}
		f, err := parseFrame(b)
		if err != nil {
			return err
		}
		switch f.kind {
		case kindPing:
			s.out.put(outgoing{message: (&frame{kind: kindPing}).buffer(nil)})
		case kindCall:
			c, err := s.add(&f)
			if err != nil {
				return err
			}
			handle(c)
			if err := s.out.waitSpace(s.ctx); err != nil {
				return err
			}
		case kindCancel:
			s.mu.Lock()
			c := s.calls[f.id]
			s.mu.Unlock()
			if c != nil {
				c.cancel()
			}
		case kindConfirm:
			s.mu.Lock()
			delete(s.lost, f.id)
			s.mu.Unlock()
		default:
			return fmt.Errorf("%w: kind %d from a client", ErrMalformed, f.kind)
		}
	}
}

// add notes a call, if there may be one more.
func (s *Session) add(f *frame) (*Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.calls) >= CallsMax || s.bytes+len(f.payload) > BytesMax:
		return nil, fmt.Errorf("%w: %d calls with %d bytes under way", ErrMalformed, len(s.calls), s.bytes)
	case s.calls[f.id] != nil:
		return nil, fmt.Errorf("%w: call %d twice", ErrMalformed, f.id)
	}
	c := &Call{Method: f.method, Payload: f.payload, Session: s, id: f.id, bytes: len(f.payload)}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	s.calls[f.id] = c
	s.bytes += c.bytes
	return c, nil
}

// end tells of the answers that nobody confirmed.
func (s *Session) end() {
	s.mu.Lock()
	s.ended = true
	lost := s.lost
	s.lost = nil
	s.mu.Unlock()
	for _, f := range lost {
		f()
	}
}
