package peer

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// tunnelBytes is what one message of a tunnel carries at most.
const tunnelBytes = 32 << 10

// tunnel is one end of a tunnel: two pipes, which have deadlines, and which the
// goroutines at their other ends copy to and from the stream.
type tunnel struct {
	in, out       net.Conn
	local, remote net.Addr
	cut           atomic.Bool // the stream broke
}

func (t *tunnel) Read(b []byte) (int, error) {
	n, err := t.in.Read(b)
	switch {
	case err == io.ErrClosedPipe:
		err = net.ErrClosed
	case err == io.EOF && t.cut.Load():
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (t *tunnel) Write(b []byte) (int, error) {
	n, err := t.out.Write(b)
	if err == io.ErrClosedPipe {
		err = net.ErrClosed
	}
	return n, err
}

// CloseWrite ends what the other side reads.
func (t *tunnel) CloseWrite() error { return t.out.Close() }

// Close ends both directions. What was written is still sent.
func (t *tunnel) Close() error {
	t.in.Close()
	return t.out.Close()
}

func (t *tunnel) LocalAddr() net.Addr                 { return t.local }
func (t *tunnel) RemoteAddr() net.Addr                { return t.remote }
func (t *tunnel) SetReadDeadline(at time.Time) error  { return t.in.SetReadDeadline(at) }
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.out.SetWriteDeadline(at) }

func (t *tunnel) SetDeadline(at time.Time) error {
	t.in.SetReadDeadline(at)
	return t.out.SetWriteDeadline(at)
}

// newTunnel makes an end, and the two pipes' other ends.
func newTunnel(local, remote net.Addr) (t *tunnel, arrives, leaves net.Conn) {
	in, arrives := net.Pipe()
	out, leaves := net.Pipe()
	return &tunnel{in: in, out: out, local: local, remote: remote}, arrives, leaves
}

// upload sends what is written to the tunnel, and then the empty message.
func upload(leaves net.Conn, send func(any) error) {
	defer leaves.Close()
	pool := mem.DefaultBufferPool()
	for {
		p := pool.Get(tunnelBytes)
		n, err := leaves.Read(*p)
		*p = (*p)[:n]
		if n > 0 || err != nil {
			if send(mem.NewBuffer(p, pool)) != nil || err != nil {
				return
			}
		}
	}
}

// download hands what comes to the tunnel's reader, up to the empty message.
func (t *tunnel) download(arrives net.Conn, receive func(any) error) error {
	defer arrives.Close()
	for {
		var b []byte
		if err := receive(&b); err != nil {
			t.cut.Store(true)
			return err
		}
		if len(b) == 0 {
			return nil
		}
		if _, err := arrives.Write(b); err != nil {
			return err
		}
	}
}

// Tunnel opens a connection to what the other broker has under a name. It appears there
// to come from remote, and to have come to local.
func (c *Client) Tunnel(ctx context.Context, name string, local, remote net.Addr) (net.Conn, error) {
	life, cancel := context.WithCancel(c.hello(context.Background(), keyName, name, keyLocal, local.String(), keyRemote, remote.String()))
	if _, err := c.current(ctx); err != nil { // whose pings keep the connection
		cancel()
		return nil, notSent(err)
	}
	stop := context.AfterFunc(ctx, cancel)
	late := time.AfterFunc(openMax, cancel)
	stream, err := c.conn.NewStream(life, &tunnelDesc, tunnelMethod)
	if err == nil {
		err = c.welcomed(stream)
	}
	if (!late.Stop() || !stop()) && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, notSent(err)
	}
	c.use()
	t, arrives, leaves := newTunnel(local, remote)
	go func() {
		defer c.unuse()
		t.carry(stream, cancel, arrives, leaves)
	}()
	return t, nil
}

// carry is over when both directions are, or the stream is.
func (t *tunnel) carry(stream grpc.ClientStream, cancel context.CancelFunc, arrives, leaves net.Conn) {
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		upload(leaves, stream.SendMsg)
		stream.CloseSend()
	}()
	if t.download(arrives, stream.RecvMsg) != nil {
		leaves.Close()
	}
	<-sent
	linger(cancel, stream.RecvMsg)
}

// linger waits until the other side has read the end.
func linger(cancel context.CancelFunc, receive func(any) error) {
	late := time.AfterFunc(lingerMax, cancel)
	defer late.Stop()
	for {
		var b []byte
		if receive(&b) != nil {
			return
		}
	}
}

func (s *Server) serveTunnel(stream grpc.ServerStream) error {
	_, md, err := s.welcome(stream)
	if err != nil {
		return err
	}
	if s.tunnel == nil {
		return status.Error(codes.Unimplemented, "no tunnels here")
	}
	t, arrives, leaves := newTunnel(address(first(md, keyLocal)), address(first(md, keyRemote)))
	go s.tunnel(first(md, keyName), t)
	defer t.Close()
	stop := context.AfterFunc(stream.Context(), func() { t.Close() })
	defer stop()
	received := make(chan struct{})
	go func() {
		defer close(received)
		t.download(arrives, stream.RecvMsg)
	}()
	upload(leaves, stream.SendMsg)
	<-received
	return nil
}

// address is the network address that a text names.
func address(s string) net.Addr {
	if at, err := netip.ParseAddrPort(s); err == nil {
		return net.TCPAddrFromAddrPort(at)
	}
	return textAddr(s)
}

type textAddr string

func (textAddr) Network() string  { return "tcp" }
func (a textAddr) String() string { return string(a) }
