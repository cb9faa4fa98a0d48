package kafka

import (
	"context"
	"runtime"
	"testing"

	wire "github.com/narumq/naru/internal/wire/kafka"
)

func TestBudgetIsFairAndComesBack(t *testing.T) {
	b := &budget{left: 10}
	ctx := context.Background()
	if err := b.take(ctx, 8); err != nil {
		t.Fatal(err)
	}
	order := make(chan int64, 3)
	queue := func(ctx context.Context, n int64, waiters int) {
		go func() {
			if b.take(ctx, n) == nil {
				order <- n
			} else {
				order <- -n
			}
		}()
		for {
			b.mu.Lock()
			got := len(b.waiters)
			b.mu.Unlock()
			if got == waiters {
				return
			}
			runtime.Gosched()
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	queue(ctx, 9, 1)
	queue(cancelled, 5, 2)
	queue(ctx, 1, 3) // would fit, and waits for its turn
	cancel()
	if got := <-order; got != -5 {
		t.Fatalf("%d came first, want the one that gave up", got)
	}
	b.give(8)
	if x, y := <-order, <-order; x+y != 10 {
		t.Fatalf("got %d and %d", x, y)
	}
	b.give(10)
	if b.left != 10 {
		t.Fatalf("%d of 10 came back", b.left)
	}
}

// A waiter that gives up at the very moment it is granted gives back.
func TestBudgetForgetAfterGrant(t *testing.T) {
	b := &budget{left: 5}
	b.left -= 3 // granted
	b.forget(&budgetWaiter{n: 3})
	if b.left != 5 {
		t.Fatalf("%d of 5 came back", b.left)
	}
}

func TestFramesLargerThanAStep(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1, "max.message.bytes", "33000000")
	c := rig.dial()
	for i, size := range []int{1, frameStepBytes, 5 << 20, 20 << 20, 100} {
		if r := c.produced("t", batch(t, 1, size)); r.ErrorCode != 0 || r.BaseOffset != int64(i) {
			t.Fatalf("%d bytes: %+v", size, r)
		}
	}
}

func TestControlRequestsAreShorter(t *testing.T) {
	rig := newRig(t, func(c *Config) { c.Limits.ControlBytesMax = 1000 })
	rig.createTopic("t", 1)
	c := rig.dial()
	if r := c.produced("t", batch(t, 1, 2000)); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	q := &wire.DescribeGroupsRequest{}
	for range 1000 {
		q.Groups = append(q.Groups, "g")
	}
	c.send(1, q)
	c.closed()
}

// More connections want memory than there is: they wait, and all are served.
func TestRequestMemoryIsShared(t *testing.T) {
	rig := newRig(t, func(c *Config) {
		c.Limits.RequestBytesMax, c.Limits.ControlBytesMax, c.Limits.RequestMemory = 200_000, 1000, 200_000
	})
	rig.createTopic("t", 1)
	const n = 8
	done := make(chan error, n)
	for range n {
		c := rig.dial()
		frame := c.frame(9, produceRequest(-1, "t", batch(t, 1, 150_000)))
		go func() {
			for range 10 {
				if _, err := c.nc.Write(frame); err != nil {
					done <- err
					return
				}
				if _, err := c.raw(); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// A bug in one request costs one connection.
func TestPanicClosesOneConnection(t *testing.T) {
	rig := newRig(t)
	other := rig.dial()
	ask[*wire.MetadataResponse](other, 12, &wire.MetadataRequest{})
	a := served[wire.KeyHeartbeat]
	start := a.start
	defer func() { a.start = start }()
	a.start = func(*call, []byte) error { panic("a bug") }
	c := rig.dial()
	c.send(4, &wire.HeartbeatRequest{})
	c.closed()
	ask[*wire.MetadataResponse](other, 12, &wire.MetadataRequest{})
}

// What is named many times is answered once, so that an answer is no larger
// than what there is to tell.
func TestRepetitionIsNotAmplified(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	names := make([]string, 1000)
	resources := make([]wire.DescribeConfigsRequestDescribeConfigsResource, 1000)
	indexes := make([]int32, 1000)
	groups := make([]wire.OffsetFetchRequestOffsetFetchRequestGroup, 1000)
	topics := make([]wire.MetadataRequestMetadataRequestTopic, 1000)
	for i := range names {
		names[i] = "t"
		resources[i] = wire.DescribeConfigsRequestDescribeConfigsResource{ResourceType: resourceTopic, ResourceName: "t"}
		groups[i] = wire.OffsetFetchRequestOffsetFetchRequestGroup{GroupId: "g", Topics: []wire.OffsetFetchRequestOffsetFetchRequestTopics{{Name: "t", PartitionIndexes: indexes}}}
		topics[i].Name = &names[i]
	}
	if n := len(ask[*wire.DescribeGroupsResponse](c, 5, &wire.DescribeGroupsRequest{Groups: names}).Groups); n != 1 {
		t.Errorf("groups: %d", n)
	}
	if n := len(ask[*wire.DescribeConfigsResponse](c, 4, &wire.DescribeConfigsRequest{Resources: resources}).Results); n != 1 {
		t.Errorf("configs: %d", n)
	}
	if n := len(ask[*wire.MetadataResponse](c, 12, &wire.MetadataRequest{Topics: topics}).Topics); n != 1 {
		t.Errorf("metadata: %d", n)
	}
	r := ask[*wire.OffsetFetchResponse](c, 9, &wire.OffsetFetchRequest{Groups: groups})
	if len(r.Groups) != 1 || len(r.Groups[0].Topics[0].Partitions) != 1 {
		t.Errorf("offsets: %d groups, %d partitions", len(r.Groups), len(r.Groups[0].Topics[0].Partitions))
	}
	producers := &wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{{Name: "t", PartitionIndexes: indexes}}}
	if n := len(ask[*wire.DescribeProducersResponse](c, 0, producers).Topics[0].Partitions); n != 1 {
		t.Errorf("producers: %d", n)
	}
	for i := range resources {
		resources[i].ResourceName = string(rune('a' + i%26))
	}
	many := append(resources, make([]wire.DescribeConfigsRequestDescribeConfigsResource, entriesMax)...)
	for _, r := range ask[*wire.DescribeConfigsResponse](c, 4, &wire.DescribeConfigsRequest{Resources: many}).Results {
		if r.ErrorCode != codePolicyViolation {
			t.Fatalf("too many: %+v", r)
		}
	}
}
