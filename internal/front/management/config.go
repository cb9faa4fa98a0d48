package management

import (
	"context"
	"log/slog"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
)

// Config of a Server. All but Log is required.
type Config struct {
	Broker *broker.Broker
	AMQP   AMQP
	// Explain says an error of AMQP with the protocol's reply code, and RabbitMQ's words for it.
	Explain func(error) (code int, text string)
	// Arguments are those of an exchange or a binding as JSON has them.
	Arguments func(exchange.Arguments) map[string]any
	// PolicyKeys are the keys of policies that ApplyPolicy takes.
	PolicyKeys []string
	Node       func() Node
	Log        *slog.Logger // nil: nothing is logged
}

// AMQP is the front end of the protocol.
type AMQP interface {
	Sessions
	Queues
	Exchanges
	Messages
}

// Sessions are what clients have open.
type Sessions interface {
	Totals() Totals
	Connections() []Connection
	Channels() []Channel
	Consumers() []Consumer
	// CloseConnection tells whether there is one of that name. Its client is told the reason.
	CloseConnection(name, reason string) bool
}

// Queues are declared and deleted as clients do it. Arguments are as JSON has them, decoded with UseNumber.
type Queues interface {
	DescribeQueue(*broker.Queue) Queue
	DeclareQueue(vhost, name string, durable, autoDelete bool, arguments map[string]any) (made bool, err error)
	DeleteQueue(vhost, name string, ifUnused, ifEmpty bool) error
	PurgeQueue(vhost, name string) error
	// ApplyPolicy gives a queue the settings of a policy, and tells whether that changed it.
	ApplyPolicy(vhost, name string, definition map[string]any) (changed bool, err error)
}

// Exchanges are declared and bound as clients do it.
type Exchanges interface {
	DeclareExchange(vhost, name, kind string, durable, autoDelete, internal bool, arguments map[string]any) (made bool, err error)
	Bind(vhost, source, destination string, toQueue bool, key string, arguments map[string]any) error
}

// Messages are published and got as clients do it.
type Messages interface {
	PublishAs(ctx context.Context, user, vhost, exchange, key string, properties map[string]any, body []byte) (routed bool, err error)
	// Get takes messages, and does with them what mode says: ack_requeue_true and its like.
	Get(ctx context.Context, vhost, queue string, n, bytesMax int, mode string) ([]Message, error)
}

// Totals are counts of messages since the server started, and what there is now.
type Totals struct {
	Connections, Channels, Consumers int64
	Published, Refused, Returned     int64
	Delivered, Redelivered, Settled  int64
}

// Connection is a client's.
type Connection struct {
	Name             string
	User, VHost      string
	Host, PeerHost   string
	Port, PeerPort   int
	Mechanism        string
	ClientProperties map[string]any
	Channels         int
	ChannelMax       int
	FrameBytesMax    int
	HeartbeatSeconds int
	Since            time.Time
	Received, Sent   int64 // bytes
	Reads, Writes    int64
}

// Channel is a connection's.
type Channel struct {
	Connection, User, VHost  string
	PeerHost                 string
	PeerPort                 int
	Number                   int
	Consumers                int
	Unacknowledged           int
	Prefetch, GlobalPrefetch int // 0: no limit
	Confirms, Transactional  bool
}

// Consumer is a channel's.
type Consumer struct {
	Connection, User, VHost, Queue, Tag string
	PeerHost                            string
	PeerPort                            int
	Channel                             int
	Prefetch                            int
	AckRequired, Exclusive, Active      bool
	Arguments                           map[string]any
}

// Queue is how a queue was declared, and who has it.
type Queue struct {
	Durable, AutoDelete, Exclusive bool
	Type                           string
	Arguments                      map[string]any
	Consumers                      int
	Owner                          string // the connection whose queue it is; empty: everybody's
	SoleConsumer                   string // the tag of one that gets all, if one does
}

// Message is what a consumer sees.
type Message struct {
	Exchange, RoutingKey string
	Redelivered          bool
	Left                 int // messages that stay ready
	Properties           map[string]any
	Body                 []byte
}

// Node is the process.
type Node struct {
	Name        string // naru@HOST
	Cluster     string
	Version     string // of Naru
	OSPid       int
	Started     time.Time
	Listeners   []Listener
	DataDir     string
	MemoryBytes int64 // that it has of the system
	MemoryMax   int64 // 0: no limit is set
	FreeBytes   int64 // of the disk
	DiskAlarm   bool  // publishers wait for space
	MemoryAlarm bool  // publishers wait for memory
	Processors  int
	Goroutines  int
	Problem     string // why it is not ready; empty: it is
}

// Listener is an address that the process answers at.
type Listener struct{ Protocol, Host, Port string }
