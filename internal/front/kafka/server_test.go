package kafka

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// rig is a broker, a front and its listener.
type rig struct {
	t      testing.TB
	broker *broker.Broker
	server *Server
	addr   string
}

func newBroker(t testing.TB) *broker.Broker {
	return openBroker(t, broker.Config{})
}

func openBroker(t testing.TB, cfg broker.Config) *broker.Broker {
	groups := group.Defaults()
	groups.InitialRebalanceDelay = 0
	cfg.Dir, cfg.AutoCreate, cfg.DefaultPartitions = t.TempDir(), true, 3
	if cfg.Store == nil {
		cfg.Store = catalog.NewMem()
	}
	cfg.Groups, cfg.RetentionEvery = broker.GroupsConfig{Group: groups}, -1
	b, err := broker.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return b
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	t.Helper()
	return rigOf(t, newBroker(t), change...)
}

func rigOf(t testing.TB, b *broker.Broker, change ...func(*Config)) *rig {
	t.Helper()
	cfg := Config{Broker: b, DataDir: "/data", Logger: slog.New(slog.NewTextHandler(testLog{t}, nil))}
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if n := s.Connections(); n != 0 {
			t.Errorf("%d connections after shutdown", n)
		}
		if left := s.requestMemory.left; left != s.limits.RequestMemory {
			t.Errorf("request memory: %d of %d came back", left, s.limits.RequestMemory)
		}
		if left := s.fetchMemory.left.Load(); left != s.limits.FetchMemory {
			t.Errorf("fetch memory: %d of %d came back", left, s.limits.FetchMemory)
		}
	})
	return &rig{t, b, s, ln.Addr().String()}
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("log: %s", b[:len(b)-1])
	return len(b), nil
}

func (r *rig) createTopic(name string, partitions int32, settings ...string) *catalog.Topic {
	r.t.Helper()
	m := map[string]string{}
	for i := 0; i < len(settings); i += 2 {
		m[settings[i]] = settings[i+1]
	}
	topic, err := r.broker.CreateTopic(catalog.TopicSpec{Name: name, Partitions: partitions, Settings: m}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return topic
}

// client speaks the protocol by hand.
type client struct {
	t     testing.TB
	nc    net.Conn
	r     *bufio.Reader
	w     wire.Writer
	next  int32
	asked []wire.RequestHeader
}

func (r *rig) dial() *client {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	return newClient(r.t, nc)
}

func newClient(t testing.TB, nc net.Conn) *client {
	nc.SetDeadline(time.Now().Add(patience))
	return &client{t: t, nc: nc, r: bufio.NewReader(nc)}
}

func (c *client) frame(version int16, req wire.Request) []byte {
	c.t.Helper()
	id := "raw"
	c.next++
	h := wire.RequestHeader{RequestApiKey: req.APIKey(), RequestApiVersion: version, CorrelationId: c.next, ClientId: &id}
	if err := wire.AppendRequest(&c.w, &h, req); err != nil {
		c.t.Fatal(err)
	}
	c.asked = append(c.asked, h)
	return c.w.AppendTo(nil)
}

func (c *client) send(version int16, req wire.Request) {
	c.t.Helper()
	c.write(c.frame(version, req))
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// raw reads one frame.
func (c *client) raw() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.r, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.r, b)
	return b, err
}

// receive reads the answer to the oldest request that has none.
func (c *client) receive() wire.Response {
	c.t.Helper()
	b, err := c.raw()
	if err != nil {
		c.t.Fatalf("answer: %v", err)
	}
	h := c.asked[0]
	c.asked = c.asked[1:]
	r := wire.NewReader(b)
	if got := wire.DecodeResponseHeader(h.RequestApiKey, h.RequestApiVersion, r); got != h.CorrelationId {
		c.t.Fatalf("answer %d where %d is due", got, h.CorrelationId)
	}
	resp := wire.NewResponse(h.RequestApiKey)
	resp.Decode(h.RequestApiVersion, r)
	if err := r.Finish(); err != nil {
		c.t.Fatalf("%v version %d: %v", h.RequestApiKey, h.RequestApiVersion, err)
	}
	return resp
}

// ask sends a request and returns its answer.
func ask[R wire.Response](c *client, version int16, req wire.Request) R {
	c.t.Helper()
	c.send(version, req)
	return c.receive().(R)
}

// closed waits for the server to close the connection.
func (c *client) closed() {
	c.t.Helper()
	b, err := c.raw()
	if err == nil {
		c.t.Fatalf("got % x, want the connection closed", b)
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		c.t.Fatal("the connection is still open")
	}
}

// batch is n records with values of a size.
func batch(t testing.TB, n, valueBytes int) []byte {
	t.Helper()
	b := record.NewBuilder(record.None)
	value := make([]byte, valueBytes)
	for i := range value {
		value[i] = byte(i)
	}
	for i := range n {
		b.Append(time.Now().UnixMilli()+int64(i), []byte("key"), value, nil)
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func produceRequest(acks int16, topic string, batches ...[]byte) *wire.ProduceRequest {
	q := &wire.ProduceRequest{Acks: acks, TimeoutMs: 1000}
	t := wire.ProduceRequestTopicProduceData{Name: topic}
	for i, b := range batches {
		t.PartitionData = append(t.PartitionData, wire.ProduceRequestPartitionProduceData{Index: int32(i), Records: b})
	}
	q.TopicData = []wire.ProduceRequestTopicProduceData{t}
	return q
}

// produced sends one batch to partition 0 and returns its outcome.
func (c *client) produced(topic string, b []byte) wire.ProduceResponsePartitionProduceResponse {
	c.t.Helper()
	r := ask[*wire.ProduceResponse](c, 9, produceRequest(-1, topic, b))
	return r.Responses[0].PartitionResponses[0]
}
