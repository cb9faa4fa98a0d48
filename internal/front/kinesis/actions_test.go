package kinesis

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
	"github.com/narumq/naru/internal/record"
)

const streamARNOfS = `"StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s"`

// produced puts records as another protocol would.
func (w *world) produced(topic string, list ...broker.NewRecord) []broker.Sent {
	w.t.Helper()
	sent, err := w.b.ProduceWait(context.Background(), topic, list)
	if err != nil {
		w.t.Fatal(err)
	}
	return sent
}

// What other protocols wrote, as docs/messages.md says it, and the other way round.
func TestRecordsOfOtherProtocols(t *testing.T) {
	w := newWorld(t, false)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "s", Partitions: 1}, false); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("가", 257)
	keys := []struct {
		key  []byte
		want string
	}{
		{[]byte("주문"), "주문"}, {nil, "naru.null"}, {[]byte{}, "naru.empty"}, {[]byte(long[:3*256]), long[:3*256]},
		{[]byte(long), "naru.baee50e40e2ed5be1a8a50b4a0eb6a6f"}, {[]byte{0xff}, "naru.00594fd4f42ba43fc1ca0427a0576295"},
	}
	at := w.clock().UnixMilli() - 5
	for _, k := range keys {
		w.produced("s", broker.NewRecord{Partition: 0, Timestamp: at, Key: k.key, Headers: []record.HeaderField{{Key: "h"}}})
	}
	out := w.records(w.iterator("s", 0, "TRIM_HORIZON"), 100)
	for i, k := range keys {
		got := out.Records[i]
		if len(k.want) == len("naru.")+32 && strings.HasPrefix(k.want, "naru.") {
			if !strings.HasPrefix(got.PartitionKey, "naru.") || len(got.PartitionKey) != len(k.want) {
				t.Errorf("key %q is %q", k.key, got.PartitionKey)
			}
		} else if got.PartitionKey != k.want {
			t.Errorf("key %q is %q, want %q", k.key, got.PartitionKey, k.want)
		}
		if got.Data == nil || len(got.Data) != 0 || got.ApproximateArrivalTimestamp.UnixMilli() != at {
			t.Errorf("%+v", got)
		}
	}
	w.must("PutRecord", `{"StreamName":"s","PartitionKey":"naru.null","Data":"YQ==","ExplicitHashKey":"7"}`, &putRecordOut{})
	part, err := w.b.Partition("s", 0)
	if err != nil {
		t.Fatal(err)
	}
	slice, err := part.Read(record.Offset(len(keys)), 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer slice.Release()
	in, err := record.NewReader(slice.Payloads[0], record.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := in.Next()
	if string(rec.Key) != "naru.null" || string(rec.Value) != "a" || len(rec.Headers) != 1 || rec.Headers[0].Key != HeaderHashKey || string(rec.Headers[0].Value) != "7" {
		t.Errorf("%+v", rec)
	}
}

// A record goes to the shard that has the MD5 of its partition key.
func TestPartitionKeys(t *testing.T) {
	w := newWorld(t, false)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":4}`, nil)
	// MD5: a 0cc1…, b 92eb…, c 4a8a…, f 8fa1…, g b2f5…, q 7694…, 6 1679…, 8 c9f0…
	for key, want := range map[string]string{"a": "0", "b": "2", "c": "1", "f": "2", "g": "2", "q": "1", "6": "0", "8": "3"} {
		if got := w.put("s", key, "x").ShardId; got != "shardId-00000000000"+want {
			t.Errorf("%s went to %s, want %s", key, got, want)
		}
	}
	w.fails("PutRecord", `{"StreamName":"s","PartitionKey":"a","Data":"","ExplicitHashKey":"340282366920938463463374607431768211456"}`,
		"InvalidArgumentException", "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was 340282366920938463463374607431768211456")
	w.fails("PutRecord", `{"StreamName":"s","PartitionKey":"a","Data":"","SequenceNumberForOrdering":"5"}`,
		"InvalidArgumentException", "ExclusiveMinimumSequenceNumber 5 used in PutRecord on stream s under account 000000000000 is invalid.")
	number := w.put("s", "a", "x").SequenceNumber
	w.must("PutRecord", `{"StreamName":"s","PartitionKey":"a","Data":"","SequenceNumberForOrdering":"`+number+`"}`, &putRecordOut{})
	w.fails("PutRecord", `{"StreamName":"none","PartitionKey":"a","Data":""}`, "ResourceNotFoundException", "Stream none under account 000000000000 not found.")
	w.fails("PutRecord", `{"StreamName":"t",`+streamARNOfS+`,"PartitionKey":"a","Data":""}`, "InvalidArgumentException", "does not match")
	w.fails("PutRecord", `{"PartitionKey":"a","Data":""}`, "InvalidArgumentException", "StreamName")
	w.fails("PutRecord", `{`+streamARNOfS+`,"PartitionKey":"a","Data":"","DryRun":true}`, "DryRunOperationException", "")
}

// A record has 1 MiB with its partition key, or up to 10 MiB if the stream was told so.
// The calls are made without JSON, which would take most of the time.
func TestSizes(t *testing.T) {
	w := newWorld(t, false)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":1}`, nil)
	ctx, name, key := context.Background(), "s", "a"
	entry := func(n int) putEntry { return putEntry{PartitionKey: &key, Data: make([]byte, n)} }
	put := func(sizes ...int) error {
		in := &putRecordsIn{streamRef: streamRef{StreamName: &name}}
		for _, n := range sizes {
			in.Records = append(in.Records, entry(n))
		}
		if err := validate(in); err != nil {
			return err
		}
		out, err := putRecords(ctx, w.s, &aws.Call{}, in)
		if err == nil && out.FailedRecordCount > 0 {
			t.Errorf("%v: %+v", sizes, out.Records)
		}
		return err
	}
	refused := func(message string, sizes ...int) {
		t.Helper()
		var e *aws.Error
		if err := put(sizes...); !errors.As(err, &e) || !strings.Contains(e.Message, message) {
			t.Errorf("%v: %v, want %s", sizes, err, message)
		}
	}
	if err := put(1<<20 - 1); err != nil {
		t.Error(err)
	}
	refused("larger than the 1024 KiB", 1<<20)
	refused("Value 'java.nio.HeapByteBuffer[pos=0 lim=10485761 cap=10485761]' at 'records.1.member.data' failed to satisfy constraint: Member must have length less than or equal to 10485760", 10<<20+1)
	w.must("UpdateMaxRecordSize", `{`+streamARNOfS+`,"MaxRecordSizeInKiB":10240}`, nil)
	if err := errors.Join(put(10<<20-1), put(5<<20-1, 5<<20-1)); err != nil {
		t.Error(err)
	}
	refused("Records size exceeds 10 MB limit", 5<<20-1, 5<<20-1, 0)
	// Answers have 10 MiB at most, and one record at least.
	next, sizes := w.iterator("s", 0, "TRIM_HORIZON"), []int{}
	for range 4 {
		got, err := getRecords(ctx, w.s, &aws.Call{}, &getRecordsIn{ShardIterator: &next})
		if err != nil {
			t.Fatal(err)
		}
		next = *got.NextShardIterator
		sizes = append(sizes, len(got.Records))
	}
	if fmt.Sprint(sizes) != "[1 1 2 0]" {
		t.Errorf("answers have %v records", sizes)
	}
}

// A topic of Kafka is a stream: as many shards as partitions. More partitions are more
// shards; what is behind is passed over when it is gone.
func TestTopicOfAnotherProtocol(t *testing.T) {
	w := newWorld(t, false)
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "s", Partitions: 2}, false); err != nil {
		t.Fatal(err)
	}
	if err := w.b.AddPartitions("s", 3, false); err != nil {
		t.Fatal(err)
	}
	var out listShardsOut
	w.must("ListShards", `{"StreamName":"s"}`, &out)
	if len(out.Shards) != 3 || out.Shards[2].HashKeyRange.StartingHashKey != "226854911280625642308916404954512140970" {
		t.Errorf("%+v", out)
	}
	var summary describeStreamSummaryOut
	w.must("DescribeStreamSummary", `{"StreamName":"s"}`, &summary)
	if d := summary.StreamDescriptionSummary; d.RetentionPeriodHours != 168 || d.OpenShardCount != 3 || d.StreamCreationTimestamp.UnixMilli() != w.clock().UnixMilli() {
		t.Errorf("%+v", d)
	}
	for range 5 {
		w.produced("s", broker.NewRecord{Partition: 0, Timestamp: -1})
	}
	it := w.iterator("s", 0, "TRIM_HORIZON")
	part, _ := w.b.Partition("s", 0)
	if _, err := part.DeleteRecords(3); err != nil {
		t.Fatal(err)
	}
	if got := w.records(it, 10); len(got.Records) != 2 {
		t.Errorf("%d records are left", len(got.Records))
	}
	w.must("UpdateMaxRecordSize", `{`+streamARNOfS+`,"MaxRecordSizeInKiB":2048}`, nil)
	w.must("PutRecord", `{"StreamName":"s","PartitionKey":"a","Data":"`+base64.StdEncoding.EncodeToString(make([]byte, 2<<20-1))+`"}`, &putRecordOut{})
	if _, err := w.b.CreateTopic(catalog.TopicSpec{Name: "__naru_own", Partitions: 1, Internal: true}, false); err != nil {
		t.Fatal(err)
	}
	w.fails("DescribeStream", `{"StreamName":"__naru_own"}`, "ResourceNotFoundException", "")
	var list listStreamsOut
	w.must("ListStreams", `{}`, &list)
	if len(list.StreamNames) != 1 {
		t.Errorf("%v", list.StreamNames)
	}
}

// What is recorded of a stream and its consumers is there after a restart.
func TestTraits(t *testing.T) {
	w := newWorld(t, false)
	w.must("CreateStream", `{"StreamName":"s","StreamModeDetails":{"StreamMode":"ON_DEMAND"},"Tags":{"a":"1","b":"2"}}`, nil)
	var reg registerConsumerOut
	w.must("RegisterStreamConsumer", `{`+streamARNOfS+`,"ConsumerName":"c","Tags":{"x":"y"}}`, &reg)
	w.fails("RegisterStreamConsumer", `{`+streamARNOfS+`,"ConsumerName":"c"}`, "ResourceInUseException", "")
	arn := reg.Consumer.ConsumerARN
	w.must("StartStreamEncryption", `{"StreamName":"s","EncryptionType":"KMS","KeyId":"alias/k"}`, nil)
	w.must("EnableEnhancedMonitoring", `{"StreamName":"s","ShardLevelMetrics":["ALL"]}`, &monitoringOut{})
	w.must("DisableEnhancedMonitoring", `{"StreamName":"s","ShardLevelMetrics":["OutgoingBytes","OutgoingRecords"]}`, &monitoringOut{})
	w.must("PutResourcePolicy", `{"ResourceARN":"`+arn+`","Policy":"{\"a\":1}"}`, nil)
	w.must("TagResource", `{"ResourceARN":"`+arn+`","Tags":{"z":"w"}}`, nil)
	w.must("UntagResource", `{"ResourceARN":"`+arn+`","TagKeys":["x"]}`, nil)
	w.must("RemoveTagsFromStream", `{"StreamName":"s","TagKeys":["a"]}`, nil)
	w.must("IncreaseStreamRetentionPeriod", `{"StreamName":"s","RetentionPeriodHours":8760}`, nil)
	w.fails("IncreaseStreamRetentionPeriod", `{"StreamName":"s","RetentionPeriodHours":8761}`, "InvalidArgumentException", "Maximum allowed")
	w.fails("DecreaseStreamRetentionPeriod", `{"StreamName":"s","RetentionPeriodHours":23}`, "InvalidArgumentException", "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.")
	w.must("UpdateStreamWarmThroughput", `{"StreamName":"s","WarmThroughputMiBps":9}`, &updateWarmOut{})
	w.close()
	w.open(false)
	_, doc := w.call("DescribeStreamSummary", `{"StreamName":"s"}`)
	const want = `{"StreamDescriptionSummary":{"StreamName":"s","StreamARN":"arn:aws:kinesis:us-east-1:000000000000:stream/s","StreamStatus":"ACTIVE","StreamModeDetails":{"StreamMode":"ON_DEMAND"},` +
		`"RetentionPeriodHours":8760,"StreamCreationTimestamp":1700000000,"EnhancedMonitoring":[{"ShardLevelMetrics":["IncomingBytes","IncomingRecords","IteratorAgeMilliseconds",` +
		`"ReadProvisionedThroughputExceeded","WriteProvisionedThroughputExceeded"]}],"EncryptionType":"KMS","KeyId":"alias/k","OpenShardCount":4,"ConsumerCount":1,` +
		`"WarmThroughput":{"TargetMiBps":9,"CurrentMiBps":9},"MaxRecordSizeInKiB":1024}}`
	if doc != want {
		t.Errorf("\n got %s\nwant %s", doc, want)
	}
	for _, x := range []struct{ action, body, want string }{
		{"ListTagsForResource", `{"ResourceARN":"` + arn + `"}`, `{"Tags":[{"Key":"z","Value":"w"}]}`},
		{"ListTagsForStream", `{"StreamName":"s"}`, `{"Tags":[{"Key":"b","Value":"2"}],"HasMoreTags":false}`},
		{"GetResourcePolicy", `{"ResourceARN":"` + arn + `"}`, `{"Policy":"{\"a\":1}"}`},
		{"DescribeLimits", `{}`, `{"ShardLimit":10000,"OpenShardCount":4,"OnDemandStreamCount":1,"OnDemandStreamCountLimit":50}`},
	} {
		if status, doc := w.call(x.action, x.body); status != 200 || strings.TrimSpace(doc) != x.want {
			t.Errorf("%s: %d %s, want %s", x.action, status, doc, x.want)
		}
	}
	w.fails("DeleteStream", `{"StreamName":"s"}`, "ResourceInUseException", "")
	w.must("DeregisterStreamConsumer", `{"ConsumerARN":"`+arn+`"}`, nil)
	w.fails("DescribeStreamConsumer", `{"ConsumerARN":"`+arn+`"}`, "ResourceNotFoundException", "")
	w.fails("GetResourcePolicy", `{"ResourceARN":"`+arn+`"}`, "ResourceNotFoundException", "")
	w.must("DeleteStream", `{"StreamName":"s"}`, nil)
	w.fails("PutRecords", `{"StreamName":"s","Records":[{"PartitionKey":"a","Data":""}]}`, "ResourceNotFoundException", "")
}

// With limits on, a shard takes 1,000 records and 1 MiB a second, and gives 2 MiB in
// five reads.
func TestLimits(t *testing.T) {
	w := newWorld(t, true)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":2}`, nil)
	entries := strings.TrimSuffix(strings.Repeat(`{"PartitionKey":"a","ExplicitHashKey":"0","Data":"YQ=="},`, 500), ",")
	var out putRecordsOut
	for _, want := range []int64{0, 0, 500} {
		out = putRecordsOut{}
		w.must("PutRecords", `{"StreamName":"s","Records":[`+entries+`]}`, &out)
		if out.FailedRecordCount != want {
			t.Fatalf("%d failed, want %d", out.FailedRecordCount, want)
		}
	}
	const message = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."
	if r := out.Records[0]; r.ErrorCode != "ProvisionedThroughputExceededException" || r.ErrorMessage != message || r.ShardId != "" {
		t.Errorf("%+v", r)
	}
	zero := `{"StreamName":"s","PartitionKey":"a","ExplicitHashKey":"0","Data":"YQ=="}`
	w.fails("PutRecord", zero, "ProvisionedThroughputExceededException", message)
	w.put("s", "b", "the other shard") // MD5 92eb…
	w.add(time.Millisecond)
	w.must("PutRecord", zero, &putRecordOut{})
	w.fails("PutRecord", zero, "ProvisionedThroughputExceededException", message)

	w.add(time.Second)
	big := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 1<<20-1))
	for i := range 3 {
		body := `{"StreamName":"s","PartitionKey":"a","ExplicitHashKey":"0","Data":"` + big + `"}`
		w.must("PutRecord", body, &putRecordOut{})
		if i == 0 {
			w.fails("PutRecord", zero, "ProvisionedThroughputExceededException", message)
		}
		w.add(time.Second)
	}
	it := w.iterator("s", 0, "TRIM_HORIZON")
	get := `{"ShardIterator":"` + it + `","Limit":1}`
	for range 5 {
		w.must("GetRecords", get, &getRecordsOut{})
	}
	w.fails("GetRecords", get, "ProvisionedThroughputExceededException", message)
	w.add(time.Second)
	w.must("GetRecords", `{"ShardIterator":"`+it+`"}`, &getRecordsOut{}) // 3 MiB and more
	w.fails("GetRecords", get, "ProvisionedThroughputExceededException", message)
	w.add(500 * time.Millisecond)
	w.fails("GetRecords", get, "ProvisionedThroughputExceededException", message)
	w.add(50 * time.Millisecond)
	w.must("GetRecords", get, &getRecordsOut{})

	w.must("DescribeLimits", `{}`, &describeLimitsOut{})
	w.fails("DescribeLimits", `{}`, "LimitExceededException", "Rate exceeded")
	w.fails("UpdateShardCount", `{"StreamName":"s","TargetShardCount":5,"ScalingType":"UNIFORM_SCALING"}`, "InvalidArgumentException", "double")
	w.fails("CreateStream", `{"StreamName":"t","ShardCount":9999}`, "LimitExceededException", "Current shard count for the account: 2. Limit: 10000.")
}

// What this version does not know is refused, and so are texts that are no JSON.
func TestRefusals(t *testing.T) {
	w := newWorld(t, false)
	w.fails("CreateChannel", `{}`, "UnknownOperationException", "")
	w.fails("ListStreams", `{`, "SerializationException", "")
	w.fails("ListStreams", `{"Limit":"5"}`, "SerializationException", "")
	w.fails("ListStreams", `{"NextToken":"x"}`, "InvalidArgumentException", "NextToken")
	w.fails("CreateStream", `{"StreamName":"s"}`, "InvalidArgumentException", "ShardCount")
	w.fails("RegisterStreamConsumer", `{"StreamARN":"x","ConsumerName":"c"}`, "ValidationException", "streamARN")
	w.fails("DescribeStreamConsumer", `{}`, "InvalidArgumentException", "ConsumerARN")
	w.fails("AddTagsToStream", `{"StreamName":"s","Tags":{"a?":"b"}}`, "ResourceNotFoundException", "")
	w.must("CreateStream", `{"StreamName":"s","ShardCount":1}`, nil)
	w.fails("AddTagsToStream", `{"StreamName":"s","Tags":{"a?":"b"}}`, "InvalidArgumentException", "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.")
}
