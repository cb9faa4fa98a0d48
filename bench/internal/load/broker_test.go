package load

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// fakeBroker is an in-memory broker, so that the load generator itself can be
// tried without one that has to be built or fetched.
func fakeBroker(t *testing.T) Options {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return Options{Addr: cluster.ListenAddrs()[0]}
}

func newTopic(t *testing.T, o Options, name string, partitions int32) Topic {
	t.Helper()
	topic, err := CreateTopic(t.Context(), o, name, partitions)
	if err != nil {
		t.Fatal(err)
	}
	if topic.Prime.Records != int64(partitions) {
		t.Fatalf("primed with %d records, want one in each of %d partitions", topic.Prime.Records, partitions)
	}
	return topic
}

var brief = Limit{Records: 2000, For: time.Minute}

func TestProduceThenConsume(t *testing.T) {
	o := fakeBroker(t)
	topic := newTopic(t, o, "there-and-back", 3)
	done, err := Produce(t.Context(), o, topic, NewSynthetic(1), brief)
	if err != nil {
		t.Fatal(err)
	}
	if done.Tally.Records != brief.Records || done.Tally.Bytes != brief.Records*SyntheticBytes {
		t.Fatalf("acknowledged %+v, want %d records of %d bytes", done.Tally, brief.Records, SyntheticBytes)
	}
	if _, err := Consume(t.Context(), o, topic, done.Tally); err != nil {
		t.Fatal(err)
	}
}

// A broker that altered or lost what it acknowledged must not get a figure:
// the tally is made to differ, as it would then.
func TestConsumeNoticesADifference(t *testing.T) {
	o := fakeBroker(t)
	topic := newTopic(t, o, "differs", 1)
	done, err := Produce(t.Context(), o, topic, NewSynthetic(1), brief)
	if err != nil {
		t.Fatal(err)
	}
	altered := done.Tally
	altered.Sum++
	if _, err := Consume(t.Context(), o, topic, altered); err == nil || !strings.Contains(err.Error(), "content differs") {
		t.Errorf("altered content: %v", err)
	}
	doubled := done.Tally
	doubled.Records--
	if _, err := Consume(t.Context(), o, topic, doubled); err == nil {
		t.Error("a record more than was acknowledged went unnoticed")
	}
	lost := done.Tally
	lost.Records++
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := Consume(ctx, o, topic, lost); err == nil {
		t.Error("a lost record went unnoticed")
	}
}

func TestTailLatencyAndTrickle(t *testing.T) {
	o := fakeBroker(t)
	if _, err := Tail(t.Context(), o, newTopic(t, o, "tail", 2), NewSynthetic(1), brief); err != nil {
		t.Errorf("tail: %v", err)
	}
	pace := Pace{PerSecond: 1000, Warm: 100 * time.Millisecond, For: 200 * time.Millisecond}
	got, err := Latency(t.Context(), o, newTopic(t, o, "latency", 2), NewSynthetic(1), pace)
	if err != nil || got.Tally.Records != 300 || len(got.Sorted) != 200 {
		t.Errorf("latency: %d records, %d samples, %v; want 300 and 200", got.Tally.Records, len(got.Sorted), err)
	}
	topic := newTopic(t, o, "trickle", 20)
	trickler, err := Trickle{Partitions: 20, Clients: 3, For: 200 * time.Millisecond}.Prime(t.Context(), o, topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer trickler.Close()
	ran, err := trickler.Run()
	if err != nil || ran.Ran == 0 || ran.Tally.Records != ran.Ran+20*primeRecords {
		t.Fatalf("trickle: %d records in the run, %d in all, %v", ran.Ran, ran.Tally.Records, err)
	}
	if _, err := Consume(t.Context(), o, topic, ran.Tally); err != nil {
		t.Errorf("trickle read back: %v", err)
	}
}
