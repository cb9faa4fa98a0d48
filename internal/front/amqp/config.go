package amqp

import (
	"errors"
	"log/slog"
	"time"

	"github.com/narumq/naru/internal/broker"
)

var errNoBroker = errors.New("amqp: no broker")

// Config of a Server. Broker is required; a zero field takes the default.
type Config struct {
	Broker         *broker.Broker
	Log            *slog.Logger // nil: nothing is logged
	Version        string       // of Naru, for the server properties
	ConnectionsMax int          // 10,000; more are closed at once
	Limits         Limits
	Observer       Observer
}

// Limits bound what peers can make the server hold or do. Zero means default.
type Limits struct {
	ChannelsMax     int    // of a connection: 2,047, as RabbitMQ's channel_max
	FrameBytesMax   uint32 // 131,072, as RabbitMQ's frame_max
	MessageBytesMax int    // the body of a message: 16 MiB, as RabbitMQ 4's max_message_size

	// ConsumersMax is how many consumers a connection may have: 10,000.
	ConsumersMax int
	// UnsettledMax is how many deliveries of a channel may wait for an ack, whatever the prefetch: 100,000.
	UnsettledMax int
	// PublishingMax and PublishingBytesMax are what a connection has published that is not durable: 16,384 messages,
	// 16 MiB; past it, its frames are not read.
	PublishingMax      int
	PublishingBytesMax int64
	// BodyBytesMax is what bodies of more than 128 KiB may take together, of all connections, from their headers until they
	// are durable: 256 MiB. Past it, who begins another is not read from.
	BodyBytesMax int64
	// ContentBytesMax is for messages of a connection that did not come in full, and those that transactions hold: 64 MiB.
	ContentBytesMax int64
	// TransactionMax is how many publishes and acks a transaction may hold: 100,000.
	TransactionMax int
	// OutputBytesMax is what may wait to be sent before deliveries pause: 1 MiB. At four times as much requests wait.
	OutputBytesMax int

	Heartbeat    time.Duration // that is proposed: 60 s, in whole seconds
	HandshakeMax time.Duration // 10 s until the connection is open, as in RabbitMQ
	FrameMax     time.Duration // 60 s for the rest of a frame that has begun
	BodyMax      time.Duration // 60 s for the rest of a body that is counted in BodyBytesMax, and 1 s for each 64 KiB
	WriteMax     time.Duration // 30 s for output to be taken, and 1 s for each 64 KiB
	CloseMax     time.Duration // 3 s for the peer to say close-ok, or to go when it was told that
}

func orDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.ChannelsMax, 2047)
	orDefault(&l.FrameBytesMax, 131_072)
	orDefault(&l.MessageBytesMax, 16<<20)
	orDefault(&l.BodyBytesMax, 256<<20)
	l.BodyBytesMax = max(l.BodyBytesMax, int64(l.MessageBytesMax)) // else the longest would wait for ever
	orDefault(&l.ConsumersMax, 10_000)
	orDefault(&l.UnsettledMax, 100_000)
	orDefault(&l.PublishingMax, 16_384)
	orDefault(&l.PublishingBytesMax, 16<<20)
	orDefault(&l.ContentBytesMax, 64<<20)
	orDefault(&l.TransactionMax, 100_000)
	orDefault(&l.OutputBytesMax, 1<<20)
	orDefault(&l.Heartbeat, 60*time.Second)
	orDefault(&l.HandshakeMax, 10*time.Second)
	orDefault(&l.FrameMax, 60*time.Second)
	orDefault(&l.BodyMax, 60*time.Second)
	orDefault(&l.WriteMax, 30*time.Second)
	orDefault(&l.CloseMax, 3*time.Second)
	return l
}

// Observer is told what happens, for metrics. Each func may be nil; they are called from many goroutines and must be quick.
type Observer struct {
	Opened  func() // a connection was accepted
	Closed  func() // it ended
	Refused func() // a connection was closed because there are too many
	// Malformed is told why a connection was closed over what it sent.
	Malformed func(err error)
}
