package kafka

import (
	"testing"
)

// produceBody is a request as a busy producer sends it: a batch for each of 12 partitions of one topic.
func produceBody(t testing.TB, version int16) []byte {
	m := &ProduceRequest{Acks: -1, TimeoutMs: 30000}
	topic := ProduceRequestTopicProduceData{Name: "orders.placed", TopicId: UUID{1, 2, 3}}
	for i := range int32(12) {
		topic.PartitionData = append(topic.PartitionData, ProduceRequestPartitionProduceData{Index: i, Records: make([]byte, 16<<10)})
	}
	m.TopicData = append(m.TopicData, topic)
	return encode(t, m, version)
}

// fetchResponse is an answer for as many partitions, each with two batches as they lie in the cache.
func fetchResponse() *FetchResponse {
	m := &FetchResponse{SessionId: 7}
	topic := FetchResponseFetchableTopicResponse{Topic: "orders.placed", TopicId: UUID{1, 2, 3}}
	for i := range int32(12) {
		p := FetchResponsePartitionData{}
		p.Default()
		p.PartitionIndex, p.HighWatermark, p.Records = i, 1e6, Pieces{make([]byte, 16<<10), make([]byte, 1<<10)}
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Responses = append(m.Responses, topic)
	return m
}

// TestHotPathAllocations holds the two hot paths to what they need: the arrays and the topic's name to read a produce
// request, nothing to write a fetch response.
func TestHotPathAllocations(t *testing.T) {
	for version, most := range map[int16]float64{12: 3, 13: 2} {
		body, r, m := produceBody(t, version), new(Reader), new(ProduceRequest)
		if n := testing.AllocsPerRun(100, func() { r.Reset(body); m.Decode(version, r) }); n > most {
			t.Errorf("decoding Produce %d: %v allocations, want %v at most", version, n, most)
		}
		if p := m.TopicData[0].PartitionData[11]; r.Finish() != nil || &p.Records[0] != &body[len(body)-len(p.Records)-3] {
			t.Errorf("Produce %d: the records were copied, or %v", version, r.Err())
		}
	}
	resp, w := fetchResponse(), new(Writer)
	if n := testing.AllocsPerRun(100, func() {
		if err := AppendResponse(w, KeyFetch, 16, 1, resp); err != nil {
			t.Fatal(err)
		}
		w.Buffers()
	}); n != 0 {
		t.Errorf("encoding Fetch: %v allocations", n)
	}
}

func BenchmarkProduceRequestDecode(b *testing.B) {
	for name, version := range map[string]int16{"v12": 12, "v13": 13} {
		b.Run(name, func(b *testing.B) {
			body, r, m := produceBody(b, version), new(Reader), new(ProduceRequest)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(body)
				m.Decode(version, r)
				if err := r.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFetchResponseAppend(b *testing.B) {
	resp, w := fetchResponse(), new(Writer)
	b.ReportAllocs()
	for b.Loop() {
		if err := AppendResponse(w, KeyFetch, 16, 1, resp); err != nil {
			b.Fatal(err)
		}
		w.Buffers()
	}
	b.SetBytes(int64(w.Len()))
}

func BenchmarkFetchRequestDecode(b *testing.B) {
	m := &FetchRequest{Topics: []FetchRequestFetchTopic{{Partitions: make([]FetchRequestFetchPartition, 12)}}}
	body, r := encode(b, m, 16), new(Reader)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(body)
		m.Decode(16, r)
		if err := r.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}
