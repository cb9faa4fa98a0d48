package kafka

import (
	"errors"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/broker"
)

// Config of a Server. Broker is required; a zero field takes the default.
type Config struct {
	Broker *broker.Broker
	// Advertised is the address that clients are told to connect to, given the
	// local address of their connection. Nil tells them the latter, so that
	// listening on port 0, or through loopback, works without a setting.
	Advertised func(local net.Addr) (host string, port int32)
	// Settings are the server's own settings, as DescribeConfigs shows them for
	// the broker, by Kafka's names.
	Settings map[string]string
	// DataDir is what DescribeLogDirs calls the log directory.
	DataDir  string
	Limits   Limits
	Logger   *slog.Logger // nil: nothing is logged
	Observer Observer
}

// Limits bound what peers can make the server hold or do. Zero means default.
type Limits struct {
	ConnectionsMax int // 10,000; more are closed at once

	RequestBytesMax int // 100 MiB, one frame (socket.request.max.bytes)
	// ControlBytesMax bounds the frames of all requests but Produce: 16 MiB. What
	// is decoded and answered can take several times as much.
	ControlBytesMax int
	// RequestMemory is for the frames of all connections together, from before
	// the first byte until they are done with: 256 MiB, at least enough for one of
	// each kind. A frame that is not Produce counts controlWeight times.
	RequestMemory int64
	// PipelineMax and PipelineBytesMax are what one connection may have in
	// flight: 64 requests, 8 MiB. One frame is always let through. As many bytes of
	// buffers are kept for what comes next.
	PipelineMax      int
	PipelineBytesMax int64

	// FetchBytesMax bounds the records of one answer: 55 MiB (fetch.max.bytes).
	FetchBytesMax int
	// FetchMemory is for records between journal and socket, of all
	// connections: 256 MiB. Past it answers shrink to one batch.
	FetchMemory int64
	// FetchSessionsMax bounds incremental fetch sessions (KIP-227): 10,000.
	FetchSessionsMax int
	// FetchPartitionsMax bounds the partitions that all sessions and all fetches
	// without one hold together: 1,000,000.
	FetchPartitionsMax int
	// FetchSessionIdle is after how long an unused session may be evicted: 2 min.
	FetchSessionIdle time.Duration

	// PartitionsPerAnswerMax bounds a page of DescribeTopicPartitions: 2,000.
	PartitionsPerAnswerMax int

	// LeaderWait is how long a request waits for partitions that change hands: 1 s, and less than zero for none.
	LeaderWait time.Duration

	IdleMax  time.Duration // 10 min without a request (connections.max.idle.ms)
	FrameMax time.Duration // 30 s for a frame to arrive, and 1 s for each 256 KiB
	WriteMax time.Duration // 60 s for an answer to be taken, and 1 s for each 64 KiB
}

// PipelineBytesDefault is Limits.PipelineBytesMax if it is zero.
const PipelineBytesDefault = 8 << 20

const (
	// controlWeight is about what a control request costs for each of its bytes,
	// decoded and answered.
	controlWeight = 8
	// entriesMax is how many topics, or resources, one request may create or
	// describe in full, as in Kafka's controller.
	entriesMax = 10_000
	// producePartitionsMax is how many partitions one produce request may name.
	producePartitionsMax = 200_000
)

func orDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.ConnectionsMax, 10_000)
	orDefault(&l.RequestBytesMax, 100<<20)
	orDefault(&l.ControlBytesMax, 16<<20)
	l.ControlBytesMax = min(l.ControlBytesMax, l.RequestBytesMax)
	orDefault(&l.RequestMemory, 256<<20)
	l.RequestMemory = max(l.RequestMemory, int64(l.RequestBytesMax), controlWeight*int64(l.ControlBytesMax))
	orDefault(&l.PipelineMax, 64)
	orDefault(&l.PipelineBytesMax, PipelineBytesDefault)
	orDefault(&l.FetchBytesMax, 55<<20)
	orDefault(&l.FetchMemory, 256<<20)
	orDefault(&l.FetchSessionsMax, 10_000)
	orDefault(&l.FetchPartitionsMax, 1_000_000)
	orDefault(&l.FetchSessionIdle, 2*time.Minute)
	orDefault(&l.PartitionsPerAnswerMax, 2_000)
	orDefault(&l.LeaderWait, time.Second)
	orDefault(&l.IdleMax, 10*time.Minute)
	orDefault(&l.FrameMax, 30*time.Second)
	orDefault(&l.WriteMax, 60*time.Second)
	return l
}

// Observer is told what happens, for metrics. Each func may be nil; they are
// called from many goroutines and must be quick.
type Observer struct {
	Opened  func() // a connection was accepted
	Closed  func() // it ended
	Refused func() // a connection was closed because there are too many
	// Request is told of each request once its answer was handed to the
	// operating system, or where there is none, once it was done.
	Request func(RequestStats)
	// Malformed is told why a connection was closed over what it sent.
	Malformed func(err error)
}

// RequestStats is what became of a request.
type RequestStats struct {
	API      string // name, as in the protocol: "Produce"
	Version  int16
	BytesIn  int           // with the frame's length field
	BytesOut int           // 0 if there was no answer
	Total    time.Duration // from the frame's last byte to the answer's
	Error    int16         // the first error code in the answer; 0 if there is none
}

var errNoBroker = errors.New("kafka front: Config.Broker is missing")

// localAddress takes a connection's own address apart.
func localAddress(a net.Addr) (string, int32) {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String(), 0 // a pipe, in tests
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return host, int32(n)
}
