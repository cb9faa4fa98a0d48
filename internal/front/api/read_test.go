package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/api/naru/v1/naruv1connect"
	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/record"
)

// append puts records into the log as other protocols may, whatever they hold.
func (w *world) append(topic string, list ...broker.NewRecord) {
	w.t.Helper()
	done := make(chan []broker.Sent, 1)
	if err := w.s.broker.Produce(context.Background(), topic, nil, list, func(s []broker.Sent) { done <- s }); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range <-done {
		if s.Err != nil {
			w.t.Fatal(s.Err)
		}
	}
}

// What Read returns is not overwritten by later reads, which use the same memory.
func TestReadOwnsItsBytes(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	value := func(i int) []byte { return bytes.Repeat([]byte{0xff, byte(i)}, 2000) }
	for i := range 20 {
		w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1, Key: value(i), Value: value(i), Headers: []record.HeaderField{{Key: "h", Value: value(i)}}})
	}
	got, err := w.s.Read(context.Background(), &naruv1.ReadRequest{Topic: "t"})
	if err != nil || len(got.Records) != 20 {
		t.Fatal(got, err)
	}
	for range 200 { // more than the cache holds
		w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1, Value: make([]byte, 400_000)})
	}
	for i, r := range got.Records {
		if v := value(i); !bytes.Equal(r.GetBytes(), v) || !bytes.Equal(r.GetKeyBytes(), v) || !bytes.Equal(r.Headers[0].GetBytes(), v) {
			t.Fatalf("record %d was overwritten", i)
		}
	}
}

// A topic that is deleted ends those who read it.
func TestReadOfDeletedTopic(t *testing.T) {
	w := newWorld(t)
	client := naruv1connect.NewTopicServiceClient(w.client, w.web.URL, connect.WithGRPC())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, unread := range []bool{false, true} {
		w.must("POST", "/v1/topics", `{"topic":"t"}`)
		stream, err := client.Subscribe(ctx, &naruv1.SubscribeRequest{Topic: "t"})
		if err != nil {
			t.Fatal(err)
		}
		stream.Receive()
		r, err := w.s.openReader("t", nil, "", "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		if unread {
			w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1})
		}
		w.must("DELETE", "/v1/topics/t", "")
		for stream.Receive() {
		}
		if connect.CodeOf(stream.Err()) != connect.CodeNotFound {
			t.Errorf("stream ended with %v", stream.Err())
		}
		if _, err := w.s.read(ctx, r, 10, readBytesMax); !errors.Is(err, catalog.ErrUnknownTopic) {
			t.Errorf("read: %v", err)
		}
	}
}

// A Read looks at so much in one call, and one that waits no longer than it was told.
func TestReadIsBounded(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	for range 150 {
		w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1, Value: make([]byte, 500_000)})
	}
	w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1, Key: []byte("k")})
	calls := 0
	for cursor := ""; ; calls++ {
		got, err := w.s.Read(context.Background(), &naruv1.ReadRequest{Topic: "t", Filter: "key=k", Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Records) > 0 {
			break
		}
		if got.End || got.Cursor == cursor {
			t.Fatal(got)
		}
		cursor = got.Cursor
	}
	if calls == 0 {
		t.Error("75 MB were read in one call")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.s.Read(ctx, &naruv1.ReadRequest{Topic: "t", Filter: "key=none", Wait: durationpb.New(time.Minute)}); connect.CodeCanceled != codeOf(err) {
		t.Errorf("canceled: %v", err)
	}
}

// Headers count, and so does what a record costs that is empty.
func TestReadBoundsHeaders(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	for range 20 {
		w.append("t", broker.NewRecord{Partition: -1, Timestamp: -1, Headers: []record.HeaderField{{Key: "h", Value: make([]byte, 500_000)}}})
	}
	got, err := w.s.Read(context.Background(), &naruv1.ReadRequest{Topic: "t"})
	if err != nil || len(got.Records) > 10 || len(got.Records) == 0 {
		t.Errorf("%d records, %v", len(got.GetRecords()), err)
	}
}

// Others may write what JSON and protobuf cannot say.
func TestReadOfWhatOthersWrote(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t","settings":{"message.timestamp.after.max.ms":"9223372036854775807"}}`)
	w.append("t",
		broker.NewRecord{Partition: -1, Timestamp: 1<<63 - 1, Headers: []record.HeaderField{{Key: "\xff"}, {Key: "content-type", Value: []byte("\xff")}, {Key: ""}}},
		broker.NewRecord{Partition: -1, Timestamp: 253402300800000},
		broker.NewRecord{Partition: -1, Timestamp: 253402300799999})
	got := w.must("GET", "/v1/topics/t/records", "")
	want(t, list(got, "records", "timestamp"), "<nil>", "<nil>", "9999-12-31T23:59:59.999Z")
	_, data := w.events(3, "/v1/topics/t/records?from=earliest")
	if len(data) != 3 {
		t.Error(data)
	}
	w.must("POST", "/v1/queues", `{"queue":"view","topic":"t"}`)
	w.must("GET", "/v1/queues/view/messages", "")
	w.must("POST", "/v1/queues/view/messages:receive", `{"maxMessages":3}`)
	w.must("GET", "/v1/queues/view", "")
}

// A resumed subscription begins with what partitions had that were added meanwhile.
func TestSubscribeAfterTopicGrew(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	w.append("t", broker.NewRecord{Partition: 0, Timestamp: -1, Value: []byte("a")})
	ids, _ := w.events(1, "/v1/topics/t/records?from=earliest")
	w.must("PATCH", "/v1/topics/t", `{"partitions":2}`)
	w.append("t", broker.NewRecord{Partition: 1, Timestamp: -1, Value: []byte("b")})
	_, data := w.events(1, "/v1/topics/t/records", "Last-Event-ID", ids[0])
	want(t, data, "b")
}

// A stream takes up partitions that are added.
func TestReaderGrows(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	r, err := w.s.openReader("t", nil, "latest", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	only, err := w.s.openReader("t", []int32{0}, "latest", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer only.close()
	w.must("PATCH", "/v1/topics/t", `{"partitions":2}`)
	w.append("t", broker.NewRecord{Partition: 1, Timestamp: -1, Value: []byte("b")})
	for _, r := range []*reader{r, only} {
		if err := w.s.look(r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := w.s.read(context.Background(), r, 10, readBytesMax)
	if err != nil || len(got) != 1 || r.cursor() != "0:0,1:1" {
		t.Errorf("%v, %v, %s", got, err, r.cursor())
	}
	if only.cursor() != "0:0" {
		t.Error(only.cursor())
	}
}

// Reads from the cursor on do not stay with one partition while others wait.
func TestReadIsFair(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t","partitions":3}`)
	seen := make(map[int32]int)
	cursor := ""
	for range 60 {
		var list []broker.NewRecord
		for range 20 {
			list = append(list, broker.NewRecord{Partition: 0, Timestamp: -1})
		}
		w.append("t", append(list, broker.NewRecord{Partition: 1, Timestamp: -1}, broker.NewRecord{Partition: 2, Timestamp: -1})...)
		got, err := w.s.Read(context.Background(), &naruv1.ReadRequest{Topic: "t", MaxRecords: 10, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		cursor = got.Cursor
		for _, r := range got.Records {
			seen[r.Partition]++
		}
	}
	if seen[0] == 0 || seen[1] == 0 || seen[2] == 0 {
		t.Errorf("%v", seen)
	}
}

func TestReadRefusesTooMuch(t *testing.T) {
	w := newWorld(t)
	w.must("POST", "/v1/topics", `{"topic":"t"}`)
	for name, in := range map[string]*naruv1.ReadRequest{
		"partitions": {Topic: "t", Partitions: make([]int32, partitionsAsked+1)},
		"filter":     {Topic: "t", Filter: strings.Repeat("a=,", filterTermsMax) + "a="},
		"cursor":     {Topic: "t", Cursor: strings.Repeat("0:0,", 1_000_000) + "0:0"},
	} {
		if _, err := w.s.Read(context.Background(), in); codeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.s.ResetOffsets(context.Background(), &naruv1.ResetOffsetsRequest{Topic: "t", Group: "g", To: "0", Partitions: make([]int32, partitionsAsked+1)}); codeOf(err) != connect.CodeInvalidArgument {
		t.Error(err)
	}
}

func TestEventCursors(t *testing.T) {
	var list []*naruv1.Record
	for i := range 3 {
		list = append(list, &naruv1.Record{Partition: int32(i % 2), Offset: int64(i)})
	}
	if got, want := eventCursors(list, "0:3,1:2,7:9"), []string{"0:2,1:1,7:9", "0:2,1:2,7:9", "0:3,1:2,7:9"}; !slices.Equal(got, want) {
		t.Errorf("%s, want %s", fmt.Sprint(got), want)
	}
}
