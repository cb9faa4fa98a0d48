package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	readyPatience = 60 * time.Second
	readyPoll     = time.Millisecond // the resolution of "start to ready"
	replyBytesMax = 1 << 20
)

// AwaitReady asks until there is no error, and returns when, counted from the spawn
// of the process.
func (p *Process) AwaitReady(ctx context.Context, ask func() error) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil {
			return time.Since(p.Spawned), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("broker not ready: %w (last answer: %w)", ctx.Err(), err)
		case <-p.exited:
			return 0, fmt.Errorf("broker exited before it was ready; see %s", p.log.Name())
		case <-ticker.C:
		}
	}
}

// AskMetadata is one Metadata request without topics on a connection of its
// own. A client library would do, but its back-off would be what is measured. A
// Kafka broker that accepts connections but is still fenced does not name itself
// yet: that is an error too.
func AskMetadata(addr string) (err error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 7
	req.Topics = []kmsg.MetadataRequestTopic{}
	const correlation = 1
	wire := kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, correlation)
	if _, err := conn.Write(wire); err != nil {
		return err
	}
	body, err := readReply(conn)
	if err != nil {
		return err
	}
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	if err := resp.ReadFrom(body); err != nil {
		return err
	}
	if len(resp.Brokers) == 0 {
		return errors.New("metadata names no broker yet")
	}
	return nil
}

// readReply reads one response frame and returns what follows the correlation id.
func readReply(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > replyBytesMax {
		return nil, fmt.Errorf("response frame of %d bytes, want 4 to %d", n, replyBytesMax)
	}
	frame := make([]byte, n)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	return frame[4:], nil
}
