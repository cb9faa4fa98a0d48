package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/narumq/naru/conformance/check"
	"github.com/narumq/naru/conformance/sdk"
)

const first = "shardId-000000000000"

type suite struct {
	check.Suite
	client *kinesis.Client
	serial atomic.Int64
}

func connect(ctx context.Context, opts ...func(*kinesis.Options)) (*kinesis.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(1))
	if err != nil {
		return nil, err
	}
	opts = append([]func(*kinesis.Options){func(o *kinesis.Options) { o.HTTPClient = sdk.HTTP() }}, opts...)
	return kinesis.NewFromConfig(cfg, opts...), nil
}

// failure ends a check.
type failure struct{ error }

// run counts one check; it ends at the first call of fail.
func (s *suite) run(title string, f func(*tester)) {
	s.Run(title, func(ctx context.Context) (err error) {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case failure:
				err = r.error
			default:
				panic(r)
			}
		}()
		f(&tester{suite: s, ctx: ctx})
		return nil
	})
}

// tester is what one check works with.
type tester struct {
	*suite
	ctx context.Context
}

func fail(format string, args ...any) { panic(failure{fmt.Errorf(format, args...)}) }

func must[T any](v T, err error) T {
	if err != nil {
		fail("%w", err)
	}
	return v
}

func holds(ok bool, format string, args ...any) {
	if !ok {
		fail(format, args...)
	}
}

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		fail("%s: got %.300q, want %.300q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// refused fails unless the error is of the SDK's type E, and says what it should.
func refused[E smithy.APIError](err error, contains ...string) {
	var e E
	holds(errors.As(err, &e), "got %v, want %T", err, e)
	for _, text := range contains {
		holds(strings.Contains(e.ErrorMessage(), text), "%q does not say %q", e.ErrorMessage(), text)
	}
}

func (t *tester) until(what string, f func() bool) {
	for end := time.Now().Add(50 * time.Second); !f(); time.Sleep(50 * time.Millisecond) {
		holds(time.Now().Before(end), "not within 50 s: %s", what)
	}
}

func (t *tester) name(what string) string {
	return fmt.Sprintf("go-%s-%d-%d-%d", what, os.Getpid(), time.Now().UnixMilli(), t.serial.Add(1))
}

func (t *tester) stream(shards int32) string {
	name := t.name("s")
	must(t.client.CreateStream(t.ctx, &kinesis.CreateStreamInput{StreamName: &name, ShardCount: &shards}))
	t.active(name)
	return name
}

func (t *tester) summary(name string) *types.StreamDescriptionSummary {
	return must(t.client.DescribeStreamSummary(t.ctx, &kinesis.DescribeStreamSummaryInput{StreamName: &name})).StreamDescriptionSummary
}

func (t *tester) active(name string) {
	t.until(name+" is active", func() bool { return t.summary(name).StreamStatus == types.StreamStatusActive })
}

func (t *tester) shards(name string) []types.Shard {
	return must(t.client.ListShards(t.ctx, &kinesis.ListShardsInput{StreamName: &name})).Shards
}

func (t *tester) put(name, key, data string) *kinesis.PutRecordOutput {
	return must(t.client.PutRecord(t.ctx, &kinesis.PutRecordInput{StreamName: &name, PartitionKey: &key, Data: []byte(data)}))
}

func (t *tester) iterator(in *kinesis.GetShardIteratorInput) *string {
	return must(t.client.GetShardIterator(t.ctx, in)).ShardIterator
}

func (t *tester) from(name, shard string) *string {
	return t.iterator(&kinesis.GetShardIteratorInput{StreamName: &name, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
}

// records reads until n records came.
func (t *tester) records(iterator *string, n int) []types.Record {
	var out []types.Record
	for end := time.Now().Add(50 * time.Second); len(out) < n && iterator != nil; {
		answer := must(t.client.GetRecords(t.ctx, &kinesis.GetRecordsInput{ShardIterator: iterator}))
		out, iterator = append(out, answer.Records...), answer.NextShardIterator
		holds(time.Now().Before(end), "%d of %d records after 50 s", len(out), n)
	}
	equal("records", len(out), n)
	return out
}

func texts(records []types.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Data))
	}
	return out
}
