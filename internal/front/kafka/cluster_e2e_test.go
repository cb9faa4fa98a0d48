package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/broker/brokertest"
)

// pair is two brokers, 1 and 2, that share a catalog and four slots: 1 begins with the first two.
type pair struct {
	t       *testing.T
	cluster *brokertest.Cluster
	dir     string
	rigs    map[int32]*rig
}

const pairSlots = 4

func newPair(t *testing.T) *pair {
	t.Helper()
	shared, err := brokertest.NewCatalog(t.Context(), pairSlots)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, cluster: new(brokertest.Cluster), dir: t.TempDir(), rigs: map[int32]*rig{}}
	var live []broker.Member
	for _, node := range []int32{1, 2} {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		store := shared.Store(ctx, fmt.Sprintf("broker-%d", node))
		b := openBroker(t, broker.Config{NodeID: node, Slots: pairSlots, Cluster: p.cluster, Store: store})
		p.rigs[node] = rigOf(t, b)
		live = append(live, broker.Member{Node: node, Endpoints: map[string]string{"kafka": p.rigs[node].addr}})
	}
	p.cluster.Live(live...)
	for slot := range pairSlots {
		p.take(slot, 1+int32(slot)/(pairSlots/2))
	}
	return p
}

func (p *pair) take(slot int, node int32) {
	p.t.Helper()
	p.cluster.Own(node, brokertest.Slot(slot))
	if err := p.cluster.OpenSlot(p.rigs[node].broker, brokertest.Slot(slot), p.dir); err != nil {
		p.t.Fatal(err)
	}
}

// move has the other broker take a slot. Meanwhile nobody has it.
func (p *pair) move(slot int) {
	p.t.Helper()
	from := p.cluster.Owner(brokertest.Slot(slot))
	p.cluster.Own(0, brokertest.Slot(slot))
	if err := p.rigs[from].broker.CloseSlot(brokertest.Slot(slot)); err != nil {
		p.t.Fatal(err)
	}
	p.take(slot, 3-from)
}

// counted is how often each value came.
type counted struct {
	mu   sync.Mutex
	seen map[string]int // guarded by mu
}

func (c *counted) add(fetches kgo.Fetches) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fetches.EachRecord(func(r *kgo.Record) { c.seen[string(r.Value)]++ })
}

func (c *counted) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// All slots go to the other broker while a client produces and a group consumes: no error reaches them,
// nothing is lost, and nothing is stored twice.
func TestClientsFollowTheirPartitionsAndGroups(t *testing.T) {
	p := newPair(t)
	ctx := patient(t)
	quick := []kgo.Opt{kgo.FetchMaxWait(100 * time.Millisecond), kgo.MetadataMinAge(20 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })}

	// A topic made through one broker is there through the other.
	if _, err := kadm.NewClient(p.rigs[2].client(quick...)).CreateTopic(ctx, 8, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	producer := p.rigs[1].client(append(quick, kgo.DefaultProduceTopic("t"), kgo.UnknownTopicRetries(-1), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))...)
	var failed sync.Map
	var acked sync.WaitGroup
	n := 0
	produce := func(count int) {
		for range count {
			acked.Add(1)
			producer.Produce(ctx, kgo.StringRecord(fmt.Sprint(n)), func(r *kgo.Record, err error) {
				defer acked.Done()
				if err != nil {
					failed.Store(string(r.Value), err)
				}
			})
			n++
		}
	}
	group := &counted{seen: map[string]int{}}
	members := make([]*kgo.Client, 2)
	var consuming sync.WaitGroup
	defer consuming.Wait()
	for i := range members {
		members[i] = p.rigs[int32(1+i)].client(append(quick, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(50*time.Millisecond), kgo.AutoCommitInterval(100*time.Millisecond))...)
		defer members[i].Close()
		consuming.Go(func() {
			for {
				fetches := members[i].PollFetches(ctx)
				if fetches.IsClientClosed() || ctx.Err() != nil {
					return
				}
				group.add(fetches)
			}
		})
	}
	produce(500)
	for _, slot := range []int{0, 2, 1, 3, 0, 1} {
		p.move(slot)
		produce(500)
		acked.Wait()
	}
	failed.Range(func(value, err any) bool { t.Errorf("record %v: %v", value, err); return true })

	reader := p.rigs[2].client(append(quick, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	all := &counted{seen: map[string]int{}}
	for all.len() < n || group.len() < n {
		short, stop := context.WithTimeout(ctx, 100*time.Millisecond)
		all.add(reader.PollFetches(short))
		stop()
		if ctx.Err() != nil {
			t.Fatalf("of %d records a reader got %d and the group %d", n, all.len(), group.len())
		}
	}
	for value, times := range all.seen {
		if times != 1 {
			t.Errorf("record %s is there %d times", value, times)
		}
	}
}

// Partitions go to the other broker, which takes its time, while a client produces and one consumes that look at Metadata only
// once: they follow by what answers say, also of a partition that is only being opened.
func TestClientsFollowWithoutMetadata(t *testing.T) {
	p := newPair(t)
	ctx := patient(t)
	once := []kgo.Opt{kgo.FetchMaxWait(100 * time.Millisecond), kgo.MetadataMinAge(patience), kgo.MetadataMaxAge(2 * patience),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })}
	if _, err := kadm.NewClient(p.rigs[2].client()).CreateTopic(ctx, 8, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	consumer := p.rigs[1].client(append(once, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	producer := p.rigs[1].client(append(once, kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))...)
	all, n := &counted{seen: map[string]int{}}, 0
	for _, slot := range []int{-1, 0, 2, 0, 1, 3, 2} {
		produced := make(chan error, 1)
		go func() {
			var err error
			for i := 0; i < 40 && err == nil; i++ {
				err = producer.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(slot, n, i))).FirstErr()
			}
			produced <- err
		}()
		if slot >= 0 {
			p.move(slot)
		}
		if err := <-produced; err != nil {
			t.Fatal(err)
		}
		for n += 40; all.len() < n; {
			all.add(consumer.PollFetches(ctx))
			if ctx.Err() != nil {
				t.Fatalf("of %d records %d came", n, all.len())
			}
		}
	}
}
