package peer

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// version is the protocol's. Brokers of different versions do not talk.
const version = 1

// Names of the metadata with which a stream begins. On the wire: never rename.
const (
	keyVersion = "naru-version"
	keyCluster = "naru-cluster"
	keyFrom    = "naru-from"
	keyTo      = "naru-to"
	keyRemote  = "naru-remote" // of a tunnel: the client's address
	keyLocal   = "naru-local"  // and that which it connected to
	keyName    = "naru-name"   // and what it is for
)

const (
	callsMethod  = "/naru.peer.v1.Peer/Calls"
	tunnelMethod = "/naru.peer.v1.Peer/Tunnel"
)

var (
	callsDesc  = grpc.StreamDesc{StreamName: "Calls", ClientStreams: true, ServerStreams: true}
	tunnelDesc = grpc.StreamDesc{StreamName: "Tunnel", ClientStreams: true, ServerStreams: true}
)

// welcome checks who calls, and says so.
func (s *Server) welcome(stream grpc.ServerStream) (from int32, md metadata.MD, err error) {
	md, _ = metadata.FromIncomingContext(stream.Context())
	refuse := func(format string, args ...any) (int32, metadata.MD, error) {
		err := status.Errorf(codes.FailedPrecondition, format, args...)
		s.cfg.log().Warn("a broker was refused", "err", err)
		return 0, nil, err
	}
	node, wrong := strconv.ParseInt(first(md, keyFrom), 10, 32)
	switch to := first(md, keyTo); {
	case first(md, keyVersion) != strconv.Itoa(version):
		return refuse("version %q of the brokers' protocol, here it is %d", first(md, keyVersion), version)
	case first(md, keyCluster) != s.cfg.Cluster:
		return refuse("cluster %q, this is %q", first(md, keyCluster), s.cfg.Cluster)
	case to != "0" && to != strconv.Itoa(int(s.cfg.Node)):
		return refuse("broker %s was meant, this is %d", to, s.cfg.Node)
	case wrong != nil:
		return refuse("who calls does not say its number")
	}
	return int32(node), md, stream.SendHeader(metadata.Pairs(keyFrom, strconv.Itoa(int(s.cfg.Node))))
}

func first(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// refused is ErrRefused if that is what a stream ended with.
func refused(err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("%w: no greeting", ErrMalformed)
	case status.Code(err) == codes.FailedPrecondition:
		return fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	case status.Code(err) == codes.Canceled:
		return context.DeadlineExceeded // only its timer ends it
	}
	return err
}
