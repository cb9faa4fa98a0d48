package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(r.addr)}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return c
}

func patient(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// values polls until n records came and returns their values, sorted.
func values(ctx context.Context, t testing.TB, c *kgo.Client, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records came: %v", len(got), n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	sort.Strings(got)
	return got
}

func TestProduceAndConsumeEveryCompression(t *testing.T) {
	rig := newRig(t)
	ctx := patient(t)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			topic := "topic-" + name
			producer := rig.client(kgo.ProducerBatchCompression(codec), kgo.AllowAutoTopicCreation())
			var records []*kgo.Record
			var want []string
			for i := range 1000 {
				v := fmt.Sprintf("value %04d %s", i, strings.Repeat("x", i%100))
				want = append(want, v)
				records = append(records, &kgo.Record{
					Topic: topic, Key: []byte(fmt.Sprint(i)), Value: []byte(v),
					Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{byte(i)}}},
				})
			}
			if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			consumer := rig.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			if got := values(ctx, t, consumer, len(want)); !slices.Equal(got, want) {
				t.Errorf("got %d records that differ", len(got))
			}
		})
	}
}

// Members come and go under load; every record is consumed, and nothing that a
// member committed comes again after it left.
func TestConsumerGroup(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer()} {
		t.Run(name, func(t *testing.T) { testConsumerGroup(t, balancer) })
	}
}

func testConsumerGroup(t *testing.T, balancer kgo.GroupBalancer) {
	rig := newRig(t)
	ctx := patient(t)
	rig.createTopic("t", 6)
	const n = 600
	var mu sync.Mutex
	seen := map[string]int{}
	all := make(chan struct{})
	member := func() (*kgo.Client, chan struct{}) {
		c := rig.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.Balancers(balancer),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.BlockRebalanceOnPoll(), kgo.HeartbeatInterval(50*time.Millisecond))
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				fetches := c.PollFetches(ctx)
				if fetches.IsClientClosed() || ctx.Err() != nil {
					return
				}
				mu.Lock()
				fetches.EachRecord(func(r *kgo.Record) { seen[string(r.Value)]++ })
				full := len(seen) == n
				mu.Unlock()
				if err := c.CommitUncommittedOffsets(ctx); err != nil {
					t.Errorf("commit: %v", err)
				}
				c.AllowRebalance()
				if full {
					select {
					case <-all:
					default:
						close(all)
					}
				}
			}
		}()
		return c, done
	}
	producer := rig.client(kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	put := func(from, to int) {
		for i := from; i < to; i++ {
			if err := producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, aDone := member()
	put(0, n/3)
	_, _ = member()
	put(n/3, 2*n/3)
	a.CloseAllowingRebalance()
	<-aDone
	put(2*n/3, n)
	select {
	case <-all:
	case <-ctx.Done():
		mu.Lock()
		t.Fatalf("%d of %d records came", len(seen), n)
	}
	mu.Lock()
	defer mu.Unlock()
	for v, times := range seen {
		if times > 1 {
			t.Errorf("record %s came %d times", v, times)
		}
	}
}

func TestAdmin(t *testing.T) {
	rig := newRig(t)
	ctx := patient(t)
	adm := kadm.NewClient(rig.client())
	day := "86400000"
	created, err := adm.CreateTopic(ctx, 4, 1, map[string]*string{"retention.ms": &day}, "t")
	retention := created.Configs["retention.ms"]
	if err != nil || created.NumPartitions != 4 || created.ReplicationFactor != 1 || retention.MaybeValue() != day {
		t.Fatalf("create: %+v %v", created, err)
	}
	for name, k := range map[string]struct {
		partitions int32
		replicas   int16
		config     string
		topic      string
		want       error
	}{
		"again":       {1, 1, "", "t", kerr.TopicAlreadyExists},
		"replicas":    {1, 3, "", "u", kerr.InvalidReplicationFactor},
		"partitions":  {0, 1, "", "u", kerr.InvalidPartitions},
		"name":        {1, 1, "", "u/v", kerr.InvalidTopicException},
		"compaction":  {1, 1, "cleanup.policy", "u", kerr.InvalidConfig},
		"no such":     {1, 1, "no.such.setting", "u", kerr.InvalidConfig},
		"reserved":    {1, 1, "", "__naru_x", kerr.InvalidTopicException},
		"segment.ms ": {1, 1, "segment.ms", "u", kerr.InvalidConfig},
	} {
		configs := map[string]*string{}
		if k.config != "" {
			v := "compact"
			configs[k.config] = &v
		}
		if _, err := adm.CreateTopic(ctx, k.partitions, k.replicas, configs, k.topic); !errors.Is(err, k.want) {
			t.Errorf("%s: %v, want %v", name, err, k.want)
		}
	}
	if r, err := adm.UpdatePartitions(ctx, 6, "t"); err != nil || r["t"].Err != nil {
		t.Errorf("partitions: %+v %v", r, err)
	}
	if r, err := adm.UpdatePartitions(ctx, 2, "t"); err != nil || !errors.Is(r["t"].Err, kerr.InvalidPartitions) {
		t.Errorf("fewer partitions: %+v %v", r, err)
	}
	topics, err := adm.ListTopicsWithInternal(ctx)
	if err != nil || len(topics) != 1 || len(topics["t"].Partitions) != 6 {
		t.Errorf("list: %v %v", topics, err)
	}
	testConfigs(ctx, t, adm)
	testRecordsAdmin(ctx, t, rig, adm)
	if r, err := adm.DeleteTopic(ctx, "t"); err != nil || r.Err != nil {
		t.Errorf("delete: %+v %v", r, err)
	}
	if r, err := adm.DeleteTopic(ctx, "t"); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("delete again: %+v %v", r, err)
	}
	meta, err := adm.BrokerMetadata(ctx)
	if err != nil || len(meta.Brokers) != 1 || fmt.Sprintf("%s:%d", meta.Brokers[0].Host, meta.Brokers[0].Port) != rig.addr || meta.Cluster != rig.broker.ClusterID() {
		t.Errorf("metadata: %+v %v", meta, err)
	}
}

func testConfigs(ctx context.Context, t *testing.T, adm *kadm.Client) {
	two := "compression.type"
	check := func(what string, r kadm.AlterConfigsResponses, err error, want error) {
		t.Helper()
		if err != nil || len(r) != 1 || !errors.Is(r[0].Err, want) {
			t.Errorf("%s: %+v %v, want %v", what, r, err, want)
		}
	}
	gzip := "gzip"
	r, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: two, Value: &gzip}, {Op: kadm.DeleteConfig, Name: "retention.ms"}}, "t")
	check("alter", r, err, nil)
	bad := "brotli"
	r, err = adm.ValidateAlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: two, Value: &bad}}, "t")
	check("bad value", r, err, kerr.InvalidConfig)
	r, err = adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: two, Value: &gzip}}, 1)
	check("broker", r, err, kerr.InvalidRequest)
	configs, err := adm.DescribeTopicConfigs(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
		if c.Key == two && (c.Source.String() != "DYNAMIC_TOPIC_CONFIG" || len(c.Synonyms) == 0) {
			t.Errorf("%+v", c)
		}
	}
	if got[two] != gzip || got["retention.ms"] != "604800000" {
		t.Errorf("described: %v", got)
	}
	// The older call replaces everything.
	r, err = adm.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "max.message.bytes", Value: &[]string{"2000000"}[0]}}, "t")
	check("replace", r, err, nil)
	configs, err = adm.DescribeTopicConfigs(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == two && c.MaybeValue() != "producer" || c.Key == "max.message.bytes" && c.MaybeValue() != "2000000" {
			t.Errorf("replaced: %s is %s", c.Key, c.MaybeValue())
		}
	}
	brokers, err := adm.DescribeBrokerConfigs(ctx, 1)
	if err != nil || len(brokers[0].Configs) == 0 {
		t.Errorf("broker: %v %v", brokers, err)
	}
	if configs, err := adm.DescribeTopicConfigs(ctx, "no"); err != nil || !errors.Is(configs[0].Err, kerr.UnknownTopicOrPartition) {
		t.Errorf("unknown topic: %v %v", configs, err)
	}
}

func testRecordsAdmin(ctx context.Context, t *testing.T, rig *rig, adm *kadm.Client) {
	c := rig.client(kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 10 {
		if err := c.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	var to kadm.Offsets
	to.AddOffset("t", 0, 4, -1)
	deleted, err := adm.DeleteRecords(ctx, to)
	if err != nil || deleted["t"][0].LowWatermark != 4 {
		t.Errorf("delete records: %+v %v", deleted, err)
	}
	to = nil
	to.AddOffset("t", 0, 40, -1)
	if r, err := adm.DeleteRecords(ctx, to); err != nil || !errors.Is(r["t"][0].Err, kerr.OffsetOutOfRange) {
		t.Errorf("too far: %+v %v", r, err)
	}
	starts, err := adm.ListStartOffsets(ctx, "t")
	if err != nil || starts["t"][0].Offset != 4 {
		t.Errorf("starts: %+v %v", starts, err)
	}
	producers, err := adm.DescribeProducers(ctx, kadm.TopicsSet{"t": {0: {}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := producers["t"].Partitions[0].ActiveProducers.Sorted(); len(got) != 1 || got[0].LastSequence != 9 {
		t.Errorf("producers: %+v", got)
	}
	dirs, err := adm.DescribeAllLogDirs(ctx, nil)
	if err != nil || dirs[1]["/data"].Topics["t"][0].Size <= 0 {
		t.Errorf("log dirs: %+v %v", dirs, err)
	}
}

func TestOffsetsAdmin(t *testing.T) {
	rig := newRig(t)
	ctx := patient(t)
	rig.createTopic("t", 2)
	rig.put("t", 0, 10, 1)
	adm := kadm.NewClient(rig.client())
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "t", Partition: 0, At: 7, LeaderEpoch: 0, Metadata: "note to self"})
	offsets.Add(kadm.Offset{Topic: "t", Partition: 9, At: 7})
	offsets.Add(kadm.Offset{Topic: "no", Partition: 0, At: 7})
	committed, err := adm.CommitOffsets(ctx, "g", offsets)
	if err != nil {
		t.Fatal(err)
	}
	if e := committed["t"][0].Err; e != nil {
		t.Error(e)
	}
	for _, c := range []kadm.OffsetResponse{committed["t"][9], committed["no"][0]} {
		if !errors.Is(c.Err, kerr.UnknownTopicOrPartition) && !errors.Is(c.Err, kerr.UnknownTopicID) {
			t.Errorf("%+v", c)
		}
	}
	fetched, err := adm.FetchOffsets(ctx, "g")
	if err != nil || len(fetched) != 1 || fetched["t"][0].At != 7 || fetched["t"][0].Metadata != "note to self" {
		t.Errorf("%+v %v", fetched, err)
	}
	lag, err := adm.Lag(ctx, "g")
	if err != nil || lag["g"].Lag.Total() != 3 {
		t.Errorf("%+v %v", lag, err)
	}
	groups, err := adm.ListGroups(ctx)
	if err != nil || groups["g"].State != "Empty" {
		t.Errorf("%+v %v", groups, err)
	}
	if r, err := adm.DeleteOffsets(ctx, "g", kadm.TopicsSet{"t": {0: {}}}); err != nil || r.Error() != nil {
		t.Errorf("%+v %v", r, err)
	}
	if fetched, err := adm.FetchOffsets(ctx, "g"); err != nil || len(fetched) != 0 {
		t.Errorf("%+v %v", fetched, err)
	}
	if _, err := adm.CommitOffsets(ctx, "g", offsets); err != nil {
		t.Fatal(err)
	}
	if r, err := adm.DeleteGroup(ctx, "g"); err != nil || r.Err != nil {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := adm.DeleteGroup(ctx, "g"); !errors.Is(err, kerr.GroupIDNotFound) {
		t.Errorf("%+v %v", r, err)
	}
	described, err := adm.DescribeGroups(ctx, "g")
	if err != nil || described["g"].State != "Dead" && !errors.Is(described["g"].Err, kerr.GroupIDNotFound) {
		t.Errorf("%+v %v", described, err)
	}
}

func TestTransactionsAreRefusedClearly(t *testing.T) {
	rig := newRig(t)
	ctx := patient(t)
	rig.createTopic("t", 1)
	c := rig.client(kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err := c.BeginTransaction(); err == nil {
		err = c.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr()
		if err == nil || ctx.Err() != nil {
			t.Errorf("a transaction got: %v", err)
		}
	}
}
