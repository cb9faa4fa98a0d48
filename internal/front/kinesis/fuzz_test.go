package kinesis

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

// Whatever a client sends is answered or refused; nothing is the server's fault.
func FuzzCalls(f *testing.F) {
	w := newWorld(f, false)
	w.must("CreateStream", `{"StreamName":"s","ShardCount":2}`, nil)
	w.must("RegisterStreamConsumer", `{`+streamARNOfS+`,"ConsumerName":"c"}`, &registerConsumerOut{})
	names := slices.Sorted(maps.Keys(actions))
	for i, name := range names {
		for _, body := range []string{
			`{"StreamName":"s"}`, `{` + streamARNOfS + `,"ConsumerName":"c"}`, `{"ResourceARN":"arn:aws:kinesis::000000000000:stream/s","Tags":{"a":"b"},"TagKeys":["a"],"Policy":"{}"}`,
		} {
			f.Add(uint8(i), []byte(body))
		}
		switch name {
		case "PutRecords":
			f.Add(uint8(i), []byte(`{"StreamName":"s","Records":[{"PartitionKey":"a","Data":"","ExplicitHashKey":"340282366920938463463374607431768211455"}]}`))
		case "GetRecords":
			f.Add(uint8(i), []byte(`{"ShardIterator":"`+w.iterator("s", 0, "LATEST")+`"}`))
		case "SplitShard":
			f.Add(uint8(i), []byte(`{"StreamName":"s","ShardToSplit":"1","NewStartingHashKey":"340282366920938463463374607431768211000"}`))
		case "MergeShards":
			f.Add(uint8(i), []byte(`{"StreamName":"s","ShardToMerge":"0","AdjacentShardToMerge":"1"}`))
		case "UpdateShardCount":
			f.Add(uint8(i), []byte(`{"StreamName":"s","TargetShardCount":3,"ScalingType":"UNIFORM_SCALING"}`))
		case "ListShards":
			f.Add(uint8(i), []byte(`{"StreamName":"s","ShardFilter":{"Type":"AT_TIMESTAMP","Timestamp":1e300}}`))
		}
	}
	f.Fuzz(func(t *testing.T, action uint8, body []byte) {
		name := names[int(action)%len(names)]
		if status, doc := w.call(name, string(body)); status >= http.StatusInternalServerError {
			t.Errorf("%s %q: %d %s", name, clip(string(body)), status, clip(doc))
		}
	})
}
