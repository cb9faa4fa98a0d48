package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	gometrics "runtime/metrics"
	"slices"
	"strings"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/front/amqp"
	"github.com/narumq/naru/internal/front/management"
)

// Bounds of the management endpoint.
const (
	managementBodyTimeout    = 60 * time.Second // for a request to arrive, whole
	managementConnectionsMax = 1000
)

// managementEndpoint is the endpoint of RabbitMQ's management API.
type managementEndpoint struct {
	addr   net.Addr
	server *http.Server
}

func (s *Server) newManagement(addr net.Addr, sessions *amqp.Server) *managementEndpoint {
	handler := management.NewServer(management.Config{
		Broker: s.broker, AMQP: managed{sessions}, Explain: amqp.Explain, Arguments: amqp.PlainValues, PolicyKeys: amqp.PolicyKeys(),
		Node: s.node, Log: s.log,
	})
	return &managementEndpoint{addr: addr, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       managementBodyTimeout,
		IdleTimeout:       httpIdleTimeout,
		MaxHeaderBytes:    httpHeaderBytesMax,
		ConnState:         s.managementConns.state,
	}}
}

// serveManagement begins to answer on ln.
func (s *Server) serveManagement(e *managementEndpoint, ln net.Listener) {
	ln = limit(ln, min(managementConnectionsMax, s.cfg.ConnectionsMax))
	go func() {
		if err := e.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("amqp-management endpoint %s: %w", e.addr, err)
		}
	}()
}

// shutdown answers what was read.
func (e *managementEndpoint) shutdown(ctx context.Context) error {
	err := e.server.Shutdown(ctx)
	if err != nil {
		e.server.Close()
	}
	return err
}

// node is what the management API tells of the process.
func (s *Server) node() management.Node {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	n := management.Node{
		Name: "naru@" + host, Cluster: s.broker.ClusterID(), Version: s.version, OSPid: os.Getpid(), Started: s.started, DataDir: s.cfg.keptIn(),
		MemoryBytes: heldBytes(), Processors: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
	}
	if most := debug.SetMemoryLimit(-1); most < math.MaxInt64 {
		n.MemoryMax = most
	}
	if free, err := s.broker.FreeBytes(); err == nil {
		n.FreeBytes = free
	}
	if e := s.amqp.Load(); e != nil {
		n.DiskAlarm, n.MemoryAlarm = e.pressure.scarce()
	}
	if err := s.Ready(); err != nil {
		n.Problem = err.Error()
	}
	n.Listeners = s.listeners()
	return n
}

// listeners are the endpoints of all brokers: any of them may be where a client of the management API has connected.
func (s *Server) listeners() (list []management.Listener) {
	add := func(name, addr string) {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(addr, "http://"))
		l := management.Listener{Protocol: name, Host: host, Port: port}
		if err == nil && !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	for _, e := range s.Endpoints() {
		add(e.Name, e.Addr)
	}
	for _, m := range s.broker.Members() {
		for _, name := range slices.Sorted(maps.Keys(m.Endpoints)) {
			add(name, m.Endpoints[name])
		}
	}
	return list
}

// heldBytes is the memory that the process has of the system.
func heldBytes() int64 {
	sample := []gometrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	gometrics.Read(sample)
	return int64(sample[0].Value.Uint64() - sample[1].Value.Uint64())
}

// managed is the AMQP endpoint as the management API sees it.
type managed struct{ *amqp.Server }

func converted[From, To any](list []From, convert func(From) To) []To {
	out := make([]To, len(list))
	for i, x := range list {
		out[i] = convert(x)
	}
	return out
}

// Totals implements management.Sessions.
func (m managed) Totals() management.Totals { return management.Totals(m.Stats()) }

// Connections implements management.Sessions.
func (m managed) Connections() []management.Connection {
	return converted(m.ConnectionList(), func(x amqp.ConnectionInfo) management.Connection { return management.Connection(x) })
}

// Channels implements management.Sessions.
func (m managed) Channels() []management.Channel {
	return converted(m.ChannelList(), func(x amqp.ChannelInfo) management.Channel { return management.Channel(x) })
}

// Consumers implements management.Sessions.
func (m managed) Consumers() []management.Consumer {
	return converted(m.ConsumerList(), func(x amqp.ConsumerInfo) management.Consumer { return management.Consumer(x) })
}

// DescribeQueue implements management.Queues.
func (m managed) DescribeQueue(q *broker.Queue) management.Queue {
	return management.Queue(m.Server.DescribeQueue(q))
}

// Get implements management.Messages.
func (m managed) Get(ctx context.Context, vhost, queue string, n, bytesMax int, mode string) ([]management.Message, error) {
	list, err := m.Server.Get(ctx, vhost, queue, n, bytesMax, amqp.Fetch(mode))
	return converted(list, func(x amqp.MessageInfo) management.Message { return management.Message(x) }), err
}
