package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/trigger"
)

// Off as an address turns an endpoint off.
const Off = "off"

// Config is what a server is started with. Load fills it; DefaultConfig is
// what it is without a word from anybody.
type Config struct {
	DataDir string // holds the journal and the catalog

	Cluster    string // URL of the bucket that holds everything instead; "": alone, on DataDir
	Etcd       string // host:port, several with commas between
	Slots      int    // of a new cluster: how many its partitions are spread over
	PeerAddr   string // host:port at which the cluster's other brokers reach this one
	PeerCert   string // files of the certificate, its key and the CA of the cluster's brokers; "": no TLS between them
	PeerKey    string
	PeerCA     string
	Advertise  string        // host at which clients and other brokers reach this one; "": that of each endpoint
	Lease      time.Duration // after which a broker that is gone is replaced
	FlushEvery time.Duration // from the first append to the object that it goes into
	FlushBytes int64         // or so much, whichever comes first
	CacheDir   string        // where a broker of a cluster keeps more of what it read from the bucket; "": nowhere
	CacheDisk  int64         // how much of that

	KafkaAddr       string // host:port to listen on, or Off
	KafkaAdvertised string // host:port that clients are told to come back to; "" is the address itself
	AWSAddr         string // host:port for AWS clients, or Off
	AWSKeys         string // file of access keys; "": any credentials will do
	KinesisLimits   bool   // hold Kinesis clients to the limits that Amazon has
	AMQPAddr        string // host:port for AMQP 0-9-1 clients, or Off
	ManagementAddr  string // host:port for tools of RabbitMQ's management API, or Off; served while AMQP is
	HTTPAddr        string // API, console, metrics and health, or Off
	APIRemote       bool   // answer the API on HTTPAddr to other machines too
	Pprof           bool   // serve /debug/pprof on HTTPAddr

	Sync         journal.SyncPolicy
	SegmentBytes int64
	CacheBytes   int64

	AutoCreateTopics  bool
	DefaultPartitions int32

	// GroupInitialDelay is how long the first members of an empty group wait
	// for others before they share out the partitions.
	GroupInitialDelay time.Duration

	ConnectionsMax  int   // per endpoint
	RequestBytesMax int   // one request frame
	DiskFreeMin     int64 // 0 is two segments
	MemoryBytes     int64 // soft limit of the heap (GOMEMLIMIT); 0 is by the container

	TriggerPrograms bool           // triggers that a client made may start programs
	Triggers        []trigger.Spec // of the configuration file

	TopicMetricsMax int // topics and groups that get series of their own
	ShutdownTimeout time.Duration

	LogLevel  slog.Level
	LogFormat string // text or json
}

// DefaultConfig is safe to run: loopback only, fdatasync before every
// acknowledgement.
func DefaultConfig() Config {
	return Config{
		DataDir:           "naru-data",
		Slots:             64,
		PeerAddr:          "127.0.0.1:7946",
		Lease:             10 * time.Second,
		FlushEvery:        100 * time.Millisecond,
		FlushBytes:        8 << 20,
		CacheDisk:         4 << 30,
		KafkaAddr:         "127.0.0.1:9092",
		AWSAddr:           "127.0.0.1:4566",
		AMQPAddr:          "127.0.0.1:5672",
		ManagementAddr:    "127.0.0.1:15672",
		HTTPAddr:          "127.0.0.1:8080",
		Sync:              journal.SyncPolicy{Mode: journal.SyncAlways},
		SegmentBytes:      journal.SegmentBytesDefault,
		CacheBytes:        journal.CacheBytesDefault,
		AutoCreateTopics:  true,
		DefaultPartitions: 1,
		GroupInitialDelay: group.Defaults().InitialRebalanceDelay,
		ConnectionsMax:    10_000,
		RequestBytesMax:   100 << 20,
		TopicMetricsMax:   200,
		ShutdownTimeout:   30 * time.Second,
		LogLevel:          slog.LevelInfo,
		LogFormat:         "text",
	}
}

// Setting is one row of the configuration under its one name.
type Setting struct {
	Name string // as a flag; see EnvName for the environment
	Kind string // of value, as help shows it
	Help string
	Set  func(string) error
	Get  func() string
}

// EnvName is the setting's environment variable.
func (s *Setting) EnvName() string { return EnvName(s.Name) }

// IsBool tells whether the setting is a switch, which may stand alone as a flag.
func (s *Setting) IsBool() bool { return s.Kind == "" }

// Settings are c's rows, bound to c.
func (c *Config) Settings() []Setting {
	return []Setting{
		text("data", "DIR", "directory that holds everything, made if it is missing", &c.DataDir),
		text("cluster", "URL", "s3://BUCKET/PREFIX, of the bucket that holds everything instead of --data: the broker is one of a cluster (docs/cluster.md)", &c.Cluster),
		text("etcd", "ADDRS", "addresses of the cluster's etcd, host:port, with commas between", &c.Etcd),
		integer("slots", "of a new cluster: how many slots its partitions are spread over; it never changes", &c.Slots, 1, 1024),
		address("peer", "address at which the cluster's other brokers reach this one", &c.PeerAddr),
		text("peer-cert", "FILE", "certificate of this broker for the others, in PEM, with --peer-key and --peer-ca (default: no TLS between brokers)", &c.PeerCert),
		text("peer-key", "FILE", "its private key, in PEM", &c.PeerKey),
		text("peer-ca", "FILE", "certificates, in PEM, of who signed those of the cluster's brokers", &c.PeerCA),
		text("advertise", "HOST", "name or address at which clients reach this broker of a cluster (default: that of each endpoint)", &c.Advertise),
		duration("lease", "how long a broker of a cluster that is gone keeps its place, whole seconds", &c.Lease, 2*time.Second),
		duration("flush-every", "how long a broker of a cluster gathers appends into one object", &c.FlushEvery, time.Millisecond),
		size("flush-bytes", "size at which it stores the object sooner", &c.FlushBytes, 64<<10, 64<<20),
		text("cache-dir", "DIR", "directory in which a broker of a cluster keeps more of what it read from the bucket; its alone, and emptied at the start", &c.CacheDir),
		size("cache-disk-bytes", "how much of that", &c.CacheDisk, 64<<20, 1<<50),
		address("kafka", "address of the Kafka endpoint, or off", &c.KafkaAddr),
		advertised("kafka-advertised", "address that Kafka clients are told to connect to (default: the endpoint's own)", &c.KafkaAdvertised),
		address("aws", "address of the endpoint for AWS clients (SQS, Kinesis), or off", &c.AWSAddr),
		text("aws-keys", "FILE", "file of access keys, one `ID SECRET` a line (default: any credentials, on loopback only)", &c.AWSKeys),
		boolean("kinesis-limits", "hold Kinesis clients to Amazon's limits, of shards and of calls, so that programs can be tested against them", &c.KinesisLimits),
		address("amqp", "address of the endpoint for AMQP 0-9-1 (RabbitMQ) clients, or off", &c.AMQPAddr),
		address("amqp-management", "address of the endpoint for tools of RabbitMQ's management API, or off; it is off when --amqp is", &c.ManagementAddr),
		address("http", "address of the API (HTTP and gRPC), the console, /metrics, /healthz and /readyz, or off", &c.HTTPAddr),
		boolean("api-remote", "answer the API to other machines too: it has no authentication yet", &c.APIRemote),
		boolean("pprof", "serve /debug/pprof on the HTTP endpoint", &c.Pprof),
		{
			Name: "sync", Kind: "POLICY",
			Help: "what an acknowledgement means: always (fdatasync first), a duration such as 10ms (fdatasync that often), or os (never)",
			Set:  func(s string) (err error) { return assign(&c.Sync, s, journal.ParseSyncPolicy) },
			Get:  func() string { return c.Sync.String() },
		},
		size("segment-bytes", "size of a journal segment", &c.SegmentBytes, journal.SegmentBytesMin, journal.SegmentBytesMax),
		size("cache-bytes", "memory for recently written and read records", &c.CacheBytes, journal.CacheBytesMin, 1<<40),
		boolean("auto-create-topics", "create a topic when a client first asks for it", &c.AutoCreateTopics),
		integer("default-partitions", "partitions of a topic whose creator does not say", &c.DefaultPartitions, 1, 10_000),
		duration("group-initial-delay", "how long a new consumer group waits for more members", &c.GroupInitialDelay, 0),
		boolean("trigger-programs", "let clients make triggers that start programs on this machine; those of the --config file always may", &c.TriggerPrograms),
		integer("connections-max", "most connections per endpoint", &c.ConnectionsMax, 1, 1_000_000),
		size("request-bytes-max", "largest request accepted", &c.RequestBytesMax, 64<<10, 1<<30),
		size("disk-free-min", "free space of the disk below which publishers over AMQP have to wait; 0 is two segments", &c.DiskFreeMin, 0, 1<<50),
		size("memory-bytes", "soft limit of memory (default: nine tenths of a container limit; GOMEMLIMIT wins)", &c.MemoryBytes, 0, 1<<44),
		integer("topic-metrics-max", "topics, and groups, that get metrics of their own", &c.TopicMetricsMax, 0, 100_000),
		duration("shutdown-timeout", "how long a graceful shutdown may take", &c.ShutdownTimeout, time.Second),
		{
			Name: "log-level", Kind: "LEVEL", Help: "least level to log: debug, info, warn or error",
			Set: func(s string) error {
				if err := c.LogLevel.UnmarshalText([]byte(s)); err != nil {
					return fmt.Errorf("want debug, info, warn or error")
				}
				return nil
			},
			Get: func() string { return lower(c.LogLevel.String()) },
		},
		choice("log-format", "format of logs on standard error", &c.LogFormat, "text", "json"),
	}
}

// validate checks what no single setting can see.
func (c *Config) validate() error {
	if c.KafkaAddr == Off && c.AWSAddr == Off && c.AMQPAddr == Off && c.HTTPAddr == Off {
		return fmt.Errorf("every endpoint is off: set --kafka, --aws, --amqp or --http")
	}
	if c.AWSAddr != Off && c.AWSKeys == "" && !loopback(c.AWSAddr) {
		return fmt.Errorf("--aws %s is open to other machines and there are no access keys: set --aws-keys FILE, or --aws off", c.AWSAddr)
	}
	if c.AMQPAddr == Off && c.ManagementAddr != Off && c.ManagementAddr != DefaultConfig().ManagementAddr {
		return fmt.Errorf("--amqp-management %s needs the AMQP endpoint, and --amqp is off", c.ManagementAddr)
	}
	if c.Pprof && c.HTTPAddr == Off {
		return fmt.Errorf("--pprof needs the HTTP endpoint, and --http is off")
	}
	if err := c.validateCluster(); err != nil {
		return err
	}
	if c.DataDir == "" {
		return fmt.Errorf("--data is empty: name a directory")
	}
	return nil
}

// keptIn is where everything is, for people to read.
func (c *Config) keptIn() string { return cmp.Or(c.Cluster, c.DataDir) }

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func checkAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("want host:port, such as 127.0.0.1:9092")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q: want a number from 0 to 65535 (0 picks a free one)", port)
	}
	return nil
}
