package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// TestPieces checks which records are passed on and which are copied, and that the order holds.
func TestPieces(t *testing.T) {
	big, small := bytes.Repeat([]byte{'B'}, pieceBytesMin), bytes.Repeat([]byte{'s'}, pieceBytesMin-1)
	m := &FetchResponse{Responses: []FetchResponseFetchableTopicResponse{{Partitions: []FetchResponsePartitionData{
		{PartitionIndex: 1, Records: Pieces{big, small, big, big}},
		{PartitionIndex: 2, Records: nil},
		{PartitionIndex: 3, Records: Pieces{}},
		{PartitionIndex: 4, Records: Pieces{small}},
	}}}}
	var w Writer
	if err := AppendResponse(&w, KeyFetch, 12, 77, m); err != nil {
		t.Fatal(err)
	}
	bufs := w.Buffers()
	if len(bufs) != 6 {
		t.Fatalf("%d buffers, want head, big, small, big, big, tail", len(bufs))
	}
	for _, i := range []int{1, 3, 4} {
		if &bufs[i][0] != &big[0] {
			t.Errorf("buffer %d was copied", i)
		}
	}
	frame := w.AppendTo(nil)
	if len(frame) != w.Len() || int(binary.BigEndian.Uint32(frame)) != len(frame)-4 {
		t.Fatalf("%d bytes, Len %d, size %d", len(frame), w.Len(), binary.BigEndian.Uint32(frame))
	}
	r := NewReader(frame[4:])
	if id := DecodeResponseHeader(KeyFetch, 12, r); id != 77 {
		t.Errorf("correlation id %d", id)
	}
	var got FetchResponse
	got.Decode(12, r)
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	want := []string{strings.Repeat("B", pieceBytesMin) + string(small) + strings.Repeat("B", 2*pieceBytesMin), "", "", string(small)}
	for i, p := range got.Responses[0].Partitions {
		if s := string(bytes.Join(p.Records, nil)); s != want[i] || int(p.PartitionIndex) != i+1 {
			t.Errorf("partition %d: %d bytes, want %d", p.PartitionIndex, len(s), len(want[i]))
		}
	}
	if p := got.Responses[0].Partitions; p[1].Records != nil || p[2].Records == nil {
		t.Error("null and empty records are mixed up")
	}
}

func TestWriterReset(t *testing.T) {
	var w Writer
	big := make([]byte, pieceBytesMin)
	first := &ProduceRequest{TopicData: []ProduceRequestTopicProduceData{{PartitionData: []ProduceRequestPartitionProduceData{{Records: big}}}}}
	first.Append(9, &w)
	w.Buffers()
	w.Reset()
	if w.Len() != 0 || len(w.Buffers()) != 0 {
		t.Error("not empty after Reset")
	}
	for _, c := range w.cuts[:cap(w.cuts)] {
		if c.piece != nil {
			t.Error("records are still held after Reset")
		}
	}
	w.int8(1)
	if got := w.AppendTo(nil); !bytes.Equal(got, []byte{1}) {
		t.Errorf("%x", got)
	}
}

func TestTooLong(t *testing.T) {
	for _, version := range []int16{3, 4} { // fixed and compact lengths
		var w Writer
		long := strings.Repeat("x", 1<<15)
		err := AppendResponse(&w, KeyFindCoordinator, version, 1, &FindCoordinatorResponse{Host: long, Coordinators: []FindCoordinatorResponseCoordinator{{Host: long}}})
		if !errors.Is(err, ErrTooLong) || !errors.Is(w.Err(), ErrTooLong) {
			t.Errorf("version %d: %v", version, err)
		}
		if err := AppendResponse(&w, KeyFindCoordinator, version, 1, &FindCoordinatorResponse{Host: long[1:]}); err != nil {
			t.Errorf("version %d: %v after a new start", version, err)
		}
	}
}

// TestNullWhereNotAllowed: a nil string becomes an empty one in the versions that know no null.
func TestNullWhereNotAllowed(t *testing.T) {
	for version, null := range map[int16]bool{6: false, 7: true} {
		m := mustDecode(t, &JoinGroupResponse{}, version, encode(t, &JoinGroupResponse{}, version)).(*JoinGroupResponse)
		if (m.ProtocolName == nil) != null {
			t.Errorf("version %d: %v", version, m.ProtocolName)
		}
	}
}

func TestClosedTagWithLongContent(t *testing.T) {
	m := &ApiVersionsResponse{FinalizedFeaturesEpoch: -1}
	for range 100 {
		m.SupportedFeatures = append(m.SupportedFeatures, ApiVersionsResponseSupportedFeatureKey{Name: "some.feature", MaxVersion: 1})
	}
	got := mustDecode(t, m, 4, encode(t, m, 4)).(*ApiVersionsResponse)
	if len(got.SupportedFeatures) != 100 || got.SupportedFeatures[99].Name != "some.feature" {
		t.Errorf("%+v", got)
	}
}
