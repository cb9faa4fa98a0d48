package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/internal/broker"
)

// What a Kafka client put on one machine is in the cluster at the same offsets, and a group goes on where it was.
func TestImportIntoCluster(t *testing.T) {
	cfg := testConfig(t)
	cfg.DefaultPartitions = 6
	s, err := Start(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	alone := c.clientAt(serverAddr(s, "kafka"))
	c.produce(alone, 0, 200)
	before := c.readAll(alone, 200)
	adm := kadm.NewClient(alone)
	if err := adm.CommitAllOffsets(t.Context(), "g", kadm.OffsetsFromRecords(kgo.Record{Topic: "t", Partition: 3, Offset: 4, LeaderEpoch: -1})); err != nil {
		t.Fatal(err)
	}
	alone.Close()
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	into := clusterConfig(t)
	opt := ClusterOptions{Bucket: c.bucket, Quorum: c.quorum, Lease: c.quorum, Log: slog.New(slog.DiscardHandler)}
	var slots int
	sum, err := Import(t.Context(), into, cfg.DataDir, opt, func(_, of int, _ broker.Imported) { slots = of })
	if err != nil || sum.Topics != 1 || sum.Partitions != 6 || slots != testSlots {
		t.Fatalf("%+v, %d slots, %v", sum, slots, err)
	}
	b := c.join(nil)
	c.until("serving", func() bool { return b.Ready() == nil })
	cl := c.client(b)
	if after := c.readAll(cl, 200); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the cluster has\n%v, the machine had\n%v", after, before)
	}
	offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "g")
	if o, ok := offsets.Lookup("t", 3); err != nil || !ok || o.At != 5 {
		t.Errorf("committed: %+v, %v", offsets, err)
	}
	c.produce(cl, 200, 210)
	if _, err := Import(t.Context(), into, cfg.DataDir, opt, nil); !errors.Is(err, errNotAlone) {
		t.Errorf("while a broker is up: %v", err)
	}
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := Import(t.Context(), into, cfg.DataDir, opt, nil); !errors.Is(err, broker.ErrImport) {
		t.Errorf("a second time: %v", err)
	}
}

func serverAddr(s *Server, name string) string {
	for _, e := range s.Endpoints() {
		if e.Name == name {
			return e.Addr
		}
	}
	return ""
}

// readAll is n records by partition and offset.
func (c *cloud) readAll(cl *kgo.Client, n int) map[string]string {
	c.t.Helper()
	got := map[string]string{}
	for len(got) < n {
		f := cl.PollFetches(c.t.Context())
		if err := f.Err0(); err != nil {
			c.t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) { got[fmt.Sprint(r.Partition, "/", r.Offset)] = string(r.Value) })
	}
	return got
}
