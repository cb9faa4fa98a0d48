package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/narumq/naru/conformance/check"
)

// suite is the broker under test and what has been counted so far.
type suite struct {
	check.Suite
	bootstrap string
	serial    atomic.Int64
}

func (s *suite) run() {
	s.produceChecks()
	s.consumeChecks()
	s.groupChecks()
	s.topicChecks()
	s.offsetChecks()
	s.describeChecks()
}

// name returns a name that no other run has used.
func (s *suite) name(what string) string {
	return fmt.Sprintf("fg-%s-%d-%d", what, time.Now().UnixMilli(), s.serial.Add(1))
}

func (s *suite) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(s.bootstrap), kgo.MetadataMinAge(50 * time.Millisecond)}, opts...)...)
}

// admin returns a client for administration; the caller closes it.
func (s *suite) admin() (*kadm.Client, error) {
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	return kadm.NewClient(c), nil
}

// topic creates a topic and returns its name.
func (s *suite) topic(ctx context.Context, partitions int32, configs map[string]string) (string, error) {
	a, err := s.admin()
	if err != nil {
		return "", err
	}
	defer a.Close()
	settings := map[string]*string{}
	for k, v := range configs {
		settings[k] = &v
	}
	name := s.name("t")
	r, err := a.CreateTopic(ctx, partitions, 1, settings, name)
	if err == nil {
		err = r.Err
	}
	if err != nil {
		return "", fmt.Errorf("create topic %s: %w", name, err)
	}
	return name, nil
}

// fill produces n records with values 0, 1, … to partition 0, timestamps one
// millisecond apart from base.
func (s *suite) fill(ctx context.Context, topic string, n int, base time.Time) error {
	c, err := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i),
			Timestamp: base.Add(time.Duration(i) * time.Millisecond)})
	}
	return c.ProduceSync(ctx, records...).FirstErr()
}

// readN reads n records of a topic from its start.
func (s *suite) readN(ctx context.Context, topic string, n int, opts ...kgo.Opt) ([]*kgo.Record, error) {
	c, err := s.client(append([]kgo.Opt{kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, opts...)...)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return pollN(ctx, c, n)
}

func pollN(ctx context.Context, c *kgo.Client, n int) ([]*kgo.Record, error) {
	var out []*kgo.Record
	for len(out) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return out, fmt.Errorf("poll after %d of %d records: %w", len(out), n, err)
		}
		out = append(out, fetches.Records()...)
	}
	if len(out) > n {
		return out, fmt.Errorf("got %d records, want %d", len(out), n)
	}
	return out, nil
}

// samples are records of every shape: Korean, binary, empty, null, headers.
func samples(topic string, n int) []*kgo.Record {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	shapes := []kgo.Record{
		{Key: []byte("나루"), Value: []byte("강을 건너는 모든 배가 닿는 곳 — 한글 메시지")},
		{Key: binary, Value: bytes.Repeat(binary, 8)},
		{Key: []byte{}, Value: []byte{}},
		{Key: nil, Value: nil},
		{Key: []byte("tombstone"), Value: nil},
		{Key: nil, Value: []byte("no key"), Headers: []kgo.RecordHeader{
			{Key: "제목", Value: []byte("머리글")}, {Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("2")},
			{Key: "null", Value: nil}, {Key: "empty", Value: []byte{}}, {Key: "", Value: binary}}},
		{Key: []byte("text"), Value: bytes.Repeat([]byte("compressible "), 300)},
	}
	base := time.UnixMilli(time.Now().UnixMilli())
	var out []*kgo.Record
	for i := range n {
		r := shapes[i%len(shapes)]
		r.Topic, r.Timestamp = topic, base.Add(time.Duration(i)*time.Millisecond)
		r.Headers = append([]kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}}, r.Headers...)
		out = append(out, &r)
	}
	return out
}

// same compares what was sent with what was read, down to null versus empty.
func same(sent, got []*kgo.Record) error {
	if len(sent) != len(got) {
		return fmt.Errorf("sent %d records, got %d", len(sent), len(got))
	}
	for i := range sent {
		a, b := sent[i], got[i]
		switch {
		case a.Offset != b.Offset:
			return fmt.Errorf("record %d: acknowledged offset %d, read offset %d", i, a.Offset, b.Offset)
		case !a.Timestamp.Equal(b.Timestamp):
			return fmt.Errorf("record %d: timestamp %v became %v", i, a.Timestamp, b.Timestamp)
		case !sameBytes(a.Key, b.Key):
			return fmt.Errorf("record %d: key %q became %q", i, a.Key, b.Key)
		case !sameBytes(a.Value, b.Value):
			return fmt.Errorf("record %d: value of %d bytes became %d bytes", i, len(a.Value), len(b.Value))
		case len(a.Headers) != len(b.Headers):
			return fmt.Errorf("record %d: %d headers became %d", i, len(a.Headers), len(b.Headers))
		}
		for j := range a.Headers {
			if a.Headers[j].Key != b.Headers[j].Key || !sameBytes(a.Headers[j].Value, b.Headers[j].Value) {
				return fmt.Errorf("record %d: header %v became %v", i, a.Headers[j], b.Headers[j])
			}
		}
	}
	return nil
}

func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// wantErr is nil when got is the wanted error.
func wantErr(got, want error) error {
	if errors.Is(got, want) {
		return nil
	}
	return fmt.Errorf("got error %v, want %v", got, want)
}
