package kafka

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/internal/catalog"
)

// A producer at a partition that was split is told so at once and for good; a group
// reads the closed partition and those that took over.
func TestClosedPartition(t *testing.T) {
	rig := newRig(t)
	ctx := patient(t)
	if _, err := rig.broker.CreateTopic(catalog.TopicSpec{Name: "t", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	producer := rig.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("before")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if _, err := rig.broker.SetOpenPartitions(context.Background(), "t", 2); err != nil {
		t.Fatal(err)
	}
	err := producer.ProduceSync(ctx, &kgo.Record{Topic: "t", Value: []byte("too late")}).FirstErr()
	if !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("a closed partition: %v", err)
	}
	other := rig.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for p := int32(1); p <= 2; p++ {
		if err := other.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Value: []byte{'0' + byte(p)}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	consumer := rig.client(kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"))
	if got := values(ctx, t, consumer, 3); !slices.Equal(got, []string{"1", "2", "before"}) {
		t.Errorf("the group got %q", got)
	}
	created, err := kadm.NewClient(other).UpdatePartitions(ctx, 5, "t")
	if err != nil || !errors.Is(created["t"].Err, kerr.InvalidPartitions) || !strings.Contains(created["t"].ErrMessage, "splitting") {
		t.Errorf("CreatePartitions: %+v, %v", created["t"], err)
	}
}
