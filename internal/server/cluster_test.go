package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
	"github.com/narumq/naru/internal/objectstore"
)

// cloud is what the brokers of a cluster share.
type cloud struct {
	t      *testing.T
	bucket *objectstore.Fake
	quorum *coord.Fake
}

func newCloud(t *testing.T) *cloud {
	return &cloud{t, objectstore.NewFake(objectstore.FakeConfig{Now: time.Now}), coord.NewFake(coord.FakeConfig{Now: time.Now})}
}

// testSlots are few, so that tests are quick, and more than brokers.
const testSlots = 8

func clusterConfig(t *testing.T) Config {
	c := testConfig(t)
	c.Cluster, c.Etcd, c.Lease, c.FlushEvery = "s3://test-bucket", "127.0.0.1:1", 2*time.Second, time.Millisecond
	c.Slots, c.PeerAddr, c.DefaultPartitions = testSlots, "127.0.0.1:0", 6
	return c
}

// join starts a broker, with its own way to the quorum if it is not nil.
func (c *cloud) join(lease coord.Store) *Cluster {
	c.t.Helper()
	if lease == nil {
		lease = c.quorum
	}
	b, err := StartCluster(clusterConfig(c.t), ClusterOptions{Bucket: c.bucket, Quorum: lease, Lease: lease})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = b.Close(context.Background()) })
	return b
}

// until waits for a condition.
func (c *cloud) until(what string, is func() bool) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !is(); <-tick.C {
		if time.Now().After(end) {
			c.t.Fatalf("not %s after 20 s", what)
		}
	}
}

func addr(c *Cluster, name string) string {
	for _, e := range c.Endpoints() {
		if e.Name == name {
			return e.Addr
		}
	}
	return ""
}

func status(t *testing.T, c *Cluster, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(addr(c, "http") + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(b)
}

func (c *cloud) client(brokers ...*Cluster) *kgo.Client {
	var seeds []string
	for _, b := range brokers {
		seeds = append(seeds, addr(b, "kafka"))
	}
	return c.clientAt(seeds...)
}

func (c *cloud) clientAt(seeds ...string) *kgo.Client {
	cl, err := kgo.NewClient(kgo.SeedBrokers(seeds...), kgo.DefaultProduceTopic("t"), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("t"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.MetadataMinAge(20*time.Millisecond))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

func (c *cloud) produce(cl *kgo.Client, from, to int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	for i := from; i < to; i++ {
		if err := cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cloud) expect(cl *kgo.Client, n int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	var got []string
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			c.t.Fatalf("read only %v", got)
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	slices.SortFunc(got, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for i, v := range got {
		if v != fmt.Sprint(i) {
			c.t.Fatalf("read %v", got)
		}
	}
}

// balanced waits until each broker owns slots, and all slots have owners.
func (c *cloud) balanced(brokers ...*Cluster) {
	c.t.Helper()
	c.until("balanced", func() bool {
		total := 0
		for _, b := range brokers {
			if b.Ready() != nil || b.state().Owned == 0 || len(b.state().View.Members) != len(brokers) {
				return false
			}
			total += b.state().Owned
		}
		return total == testSlots
	})
}

// call is a request of the native API to one of the brokers.
func (c *cloud) call(b *Cluster, path, body string) string {
	c.t.Helper()
	r, err := http.Post(addr(b, "http")+path, "application/json", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %s, %v", path, r.StatusCode, text, err)
	}
	return string(text)
}

// Every broker serves clients: a queue's messages go in by any of them and come out by any other, and so do AMQP's.
func TestClusterServesEverywhere(t *testing.T) {
	c := newCloud(t)
	a, b, d := c.join(nil), c.join(nil), c.join(nil)
	all := []*Cluster{a, b, d}
	c.balanced(all...)
	st, err := clusterStatus(t.Context(), c.quorum, "test")
	if err != nil || len(st.Members) != 3 || len(st.Slots) != testSlots || st.Slots[0].Owner == 0 || st.Slots[0].Epoch == 0 {
		t.Errorf("status: %+v, %v", st, err)
	}
	if code, text := status(t, a, "/metrics"); code != 200 || !strings.Contains(text, "naru_cluster_members 3") || !strings.Contains(text, "naru_slot_epoch{") {
		t.Errorf("/metrics: %d", code)
	}
	cl := c.client(a)
	c.produce(cl, 0, 60)
	c.expect(c.client(d), 60)
	for i, from := range all {
		name := fmt.Sprintf("q%d", i)
		c.call(from, "/v1/queues", `{"queue":"`+name+`"}`)
		for j, to := range all {
			c.call(to, "/v1/queues/"+name+"/messages", fmt.Sprintf(`{"messages":[{"text":"%d"}]}`, j))
			got := c.call(all[(j+1)%3], "/v1/queues/"+name+"/messages:receive", `{"wait":"10s"}`)
			tag := regexp.MustCompile(`"delivery":\s*"([^"]+)"`).FindStringSubmatch(got)
			if tag == nil {
				t.Fatalf("received %s", got)
			}
			c.call(all[(j+2)%3], "/v1/queues/"+name+"/messages:ack", `{"delivery":"`+tag[1]+`"}`)
		}
	}
}

// A broker that leaves hands its slots over, and one that joins gets some; the log goes on.
func TestClusterHandOver(t *testing.T) {
	c := newCloud(t)
	a := c.join(nil)
	c.balanced(a)
	c.produce(c.client(a), 0, 20)
	b := c.join(nil)
	c.balanced(a, b)
	cl := c.client(b, a)
	c.produce(cl, 20, 40)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.balanced(b)
	c.produce(cl, 40, 60)
	c.expect(c.client(b), 60)
}

// A broker that leaves keeps its clients until others have what it had: it tells them where that is.
func TestClusterFarewell(t *testing.T) {
	c := newCloud(t)
	a, b := c.join(nil), c.join(nil)
	c.balanced(a, b)
	conn, err := net.Dial("tcp", addr(a, "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	closed := make(chan error, 1)
	go func() { closed <- a.Close(context.Background()) }()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	st, err := clusterStatus(t.Context(), c.quorum, "test")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range st.Slots {
		if s.Owner == 0 || s.Owner == a.state().Node {
			t.Errorf("slot %d had the owner %d when the connection ended", s.Slot, s.Owner)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// way is a way to the quorum that can be cut.
type way struct {
	*coord.Fake
	cut atomic.Bool
}

func (w *way) down() error {
	if w.cut.Load() {
		return coord.ErrUnavailable
	}
	return nil
}

func (w *way) Get(ctx context.Context, key string) (coord.KV, bool, error) {
	if err := w.down(); err != nil {
		return coord.KV{}, false, err
	}
	return w.Fake.Get(ctx, key)
}

func (w *way) Range(ctx context.Context, prefix string) ([]coord.KV, int64, error) {
	if err := w.down(); err != nil {
		return nil, 0, err
	}
	return w.Fake.Range(ctx, prefix)
}

func (w *way) Txn(ctx context.Context, cond []coord.Compare, then, otherwise []coord.Op) (coord.TxnResult, error) {
	if err := w.down(); err != nil {
		return coord.TxnResult{}, err
	}
	return w.Fake.Txn(ctx, cond, then, otherwise)
}

func (w *way) Grant(ctx context.Context, ttl time.Duration) (coord.LeaseID, error) {
	if err := w.down(); err != nil {
		return 0, err
	}
	return w.Fake.Grant(ctx, ttl)
}

func (w *way) KeepAlive(ctx context.Context, id coord.LeaseID) (time.Duration, error) {
	if err := w.down(); err != nil {
		return 0, err
	}
	return w.Fake.KeepAlive(ctx, id)
}

// A broker that hears nothing of etcd any more falls silent, others take its slots, and it is a member again when it can.
func TestClusterTakeOver(t *testing.T) {
	c := newCloud(t)
	w := &way{Fake: c.quorum}
	a, b := c.join(w), c.join(nil)
	c.balanced(a, b)
	cl := c.client(a, b)
	c.produce(cl, 0, 20)
	w.cut.Store(true)
	c.until("silent", func() bool { return a.current.Load() == nil })
	c.until("saying so", func() bool { _, text := status(t, a, "/readyz"); return strings.Contains(text, "etcd is away") })
	c.until("serving elsewhere", func() bool { return b.Ready() == nil && b.state().Owned == testSlots })
	c.produce(cl, 20, 40)
	w.cut.Store(false)
	c.balanced(a, b)
	c.produce(cl, 40, 60)
	c.expect(c.client(a, b), 60)
}

func TestClusterStartsDegraded(t *testing.T) {
	c := newCloud(t)
	c.bucket.SetRates(objectstore.Rates{objectstore.FateBroken: 1})
	a := c.join(nil)
	if a.Ready() == nil {
		t.Fatal("ready without a bucket")
	}
	c.until("saying so", func() bool { _, text := status(t, a, "/readyz"); return strings.Contains(text, "the bucket is away") })
	c.bucket.SetRates(objectstore.Rates{})
	c.until("serving", func() bool { return a.Ready() == nil })
}

// A broker is not ready while slots that are its own are still being opened: clients would be refused by the leader they were told.
func TestClusterIsNotReadyTooEarly(t *testing.T) {
	c := newCloud(t)
	a := c.join(nil)
	c.balanced(a)
	c.produce(c.client(a), 0, 5)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	c.bucket.SetGate(func(ctx context.Context, call *objectstore.Call) objectstore.Fate {
		if strings.HasPrefix(call.Op.Key, "slot/") {
			select {
			case <-read:
			case <-ctx.Done():
			}
		}
		return c.bucket.Draw()
	})
	b := c.join(nil)
	owned := func() bool {
		v := b.state().View
		for id := range journal.SlotID(testSlots) {
			if v.Owner(id) == 0 {
				return false
			}
		}
		return true
	}
	c.until("owner of all slots", owned)
	tick := time.NewTicker(slotCheckEvery)
	defer tick.Stop()
	for range 2 {
		<-tick.C
	}
	if err := b.Ready(); err == nil || !strings.Contains(err.Error(), "not served yet") {
		t.Errorf("ready: %v", err)
	}
	close(read)
	c.balanced(b)
	c.expect(c.client(b), 5)
}

// overwriting is a store without conditional writes.
type overwriting struct{ objectstore.Store }

func (o overwriting) Put(ctx context.Context, key string, body []byte) error {
	if err := o.Store.Put(ctx, key, body); !errors.Is(err, objectstore.ErrExists) {
		return err
	}
	return nil
}

func TestClusterRefuses(t *testing.T) {
	c := newCloud(t)
	_, err := StartCluster(clusterConfig(t), ClusterOptions{Bucket: overwriting{c.bucket}, Quorum: c.quorum, Lease: c.quorum})
	if !errors.Is(err, objectstore.ErrNoConditions) {
		t.Errorf("without conditional writes: %v", err)
	}
	a := c.join(nil)
	c.until("serving", func() bool { return a.Ready() == nil })
	c.produce(c.client(a), 0, 3)
	other := newCloud(t)
	_, err = StartCluster(clusterConfig(t), ClusterOptions{Bucket: c.bucket, Quorum: other.quorum, Lease: other.quorum})
	if err == nil || !strings.Contains(err.Error(), "of which the coordinator knows nothing") {
		t.Errorf("with another etcd: %v", err)
	}
	_, err = StartCluster(clusterConfig(t), ClusterOptions{Bucket: other.bucket, Quorum: c.quorum, Lease: c.quorum})
	if err == nil || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("with another bucket: %v", err)
	}
}

// A certificate that cannot be read is refused at the start.
func TestClusterNeedsItsCertificate(t *testing.T) {
	c := newCloud(t)
	cfg := clusterConfig(t)
	cfg.PeerCert, cfg.PeerKey, cfg.PeerCA = "/nowhere.pem", "/nowhere.key", "/nowhere.ca"
	b, err := StartCluster(cfg, ClusterOptions{Bucket: c.bucket, Quorum: c.quorum, Lease: c.quorum})
	if err == nil {
		_ = b.Close(t.Context())
	}
	if err == nil || !strings.Contains(err.Error(), "--peer-cert") {
		t.Errorf("started with %v", err)
	}
}

func TestClusterSettings(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"":                    func(*Config) {},
		"s3://BUCKET/PREFIX":  func(c *Config) { c.Cluster = "http://bucket" },
		"--cluster needs":     func(c *Config) { c.Etcd = "" },
		"--etcd is for":       func(c *Config) { c.Cluster = "" },
		"want host:port":      func(c *Config) { c.Etcd = "127.0.0.1:1, nonsense" },
		"--lease 2.5s":        func(c *Config) { c.Lease = 2500 * time.Millisecond },
		"set --advertise":     func(c *Config) { c.KafkaAddr = "0.0.0.0:9092" },
		"--aws 0.0.0.0:1 is ": func(c *Config) { c.AWSAddr, c.Advertise = "0.0.0.0:1", "example.com" },
	} {
		c := clusterConfig(t)
		change(&c)
		if err := c.validate(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, err := Start(clusterConfig(t), Options{}); err == nil {
		t.Error("Start takes a cluster's settings for its own")
	}
}

// A connection on which nothing may be said any more is reset, and says nothing.
func TestGateFence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(ln)
	defer g.Close()
	var over atomic.Bool
	d := g.open(func() bool { return !over.Load() })
	dial := func() (client, server net.Conn) {
		t.Helper()
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		if server, err = d.Accept(); err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	gone := func(c net.Conn) {
		t.Helper()
		if n, err := c.Read(make([]byte, 10)); n > 0 || err == nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
	}
	client, server := dial()
	if _, err := server.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 10)); n != 1 {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	other, _ := dial()
	over.Store(true)
	if _, err := server.Write([]byte("late")); err == nil {
		t.Error("it was said")
	}
	gone(client)
	d.shut()
	gone(other)
	if _, err := d.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if late, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		defer late.Close()
		gone(late)
	}
}
