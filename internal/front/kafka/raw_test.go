package kafka

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

func TestUnknownApiVersionsIsAnsweredInVersion0(t *testing.T) {
	c := newRig(t).dial()
	for _, version := range []int16{5, 99, 1<<15 - 1, -1} {
		b := c.frame(4, &wire.ApiVersionsRequest{ClientSoftwareName: "x", ClientSoftwareVersion: "1"})
		binary.BigEndian.PutUint16(b[6:], uint16(version))
		c.write(b)
		c.asked[0].RequestApiVersion = 0
		r := c.receive().(*wire.ApiVersionsResponse)
		if r.ErrorCode != codeUnsupportedVersion || len(r.ApiKeys) != 1 || r.ApiKeys[0] != (wire.ApiVersionsResponseApiVersion{ApiKey: 18, MaxVersion: 4}) {
			t.Fatalf("version %d: %+v", version, r)
		}
	}
	// The connection goes on.
	r := ask[*wire.ApiVersionsResponse](c, 4, &wire.ApiVersionsRequest{ClientSoftwareName: "x", ClientSoftwareVersion: "1"})
	if r.ErrorCode != 0 || len(r.ApiKeys) != len(served) {
		t.Fatalf("%+v", r)
	}
}

func TestClientSoftwareIsChecked(t *testing.T) {
	c := newRig(t).dial()
	for name, want := range map[string]int16{"": codeInvalidRequest, "-x": codeInvalidRequest, "a b": codeInvalidRequest, "a-1.b": 0} {
		r := ask[*wire.ApiVersionsResponse](c, 3, &wire.ApiVersionsRequest{ClientSoftwareName: name, ClientSoftwareVersion: "1"})
		if r.ErrorCode != want {
			t.Errorf("%q: %d, want %d", name, r.ErrorCode, want)
		}
	}
}

// Every API is answered in every version that is advertised, and in no other.
func TestEveryAdvertisedVersionIsAnswered(t *testing.T) {
	rig := newRig(t)
	for _, key := range wire.Keys() {
		a := served[key]
		if a == nil {
			t.Errorf("%v is in the codec and not served", key)
			continue
		}
		for version := a.Min; version <= a.high; version++ {
			c := rig.dial()
			req := wire.NewRequest(key)
			req.Default()
			switch q := req.(type) {
			case *wire.ProduceRequest:
				q.Acks = 1
			case *wire.ApiVersionsRequest:
				q.ClientSoftwareName, q.ClientSoftwareVersion = "x", "1"
			}
			c.send(version, req)
			c.receive()
			c.nc.Close()
		}
		for _, version := range []int16{a.Min - 1, a.high + 1} {
			if key == wire.KeyApiVersions {
				continue
			}
			c := rig.dial()
			b := c.frame(a.Min, wire.NewRequest(key))
			binary.BigEndian.PutUint16(b[6:], uint16(version))
			c.write(b)
			c.closed()
		}
	}
}

func TestHostileFramesCloseTheConnection(t *testing.T) {
	var malformed atomic.Int32
	rig := newRig(t, func(c *Config) {
		c.Limits.RequestBytesMax = 1 << 20
		c.Observer.Malformed = func(error) { malformed.Add(1) }
	})
	size := func(n uint32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), rest...)
	}
	whole := func(b []byte) []byte { return append(size(uint32(len(b))), b...) }
	cases := map[string][]byte{
		"negative length":  size(0xffffffff),
		"empty":            size(0),
		"too short":        size(9, make([]byte, 9)...),
		"too long":         size(1<<20+1, 0, 3),
		"unknown key":      whole([]byte{0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 'x', 0, 0}),
		"known, unserved":  whole([]byte{0, 17, 0, 1, 0, 0, 0, 1, 0, 1, 'x', 0, 0}),
		"lying client id":  whole([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x', 0, 0}),
		"lying array":      whole([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}),
		"lying records":    whole([]byte{0, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0x7f, 0, 0, 0}),
		"body of nothing":  whole([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff}),
		"an HTTP request":  []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"a TLS handshake ": {0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3},
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			c := rig.dial()
			c.t = t
			c.write(b)
			c.closed()
		})
	}
	if n := malformed.Load(); int(n) != len(cases) {
		t.Errorf("told of %d malformed requests, sent %d", n, len(cases))
	}
	// Others are served on.
	ask[*wire.MetadataResponse](rig.dial(), 12, &wire.MetadataRequest{})
}

// A peer that announces much and sends little costs little, and is let go.
func TestLyingLengthHoldsNoMemory(t *testing.T) {
	rig := newRig(t, func(c *Config) { c.Limits.FrameMax = 50 * time.Millisecond; c.Limits.RequestBytesMax = frameRate - 1 })
	c := rig.dial()
	c.write([]byte{0, 3, 0, 0, 0, 3})
	c.closed()
}

func TestBadBatchesHaveTheirOwnErrors(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1, "max.message.bytes", "5000")
	c := rig.dial()
	good := batch(t, 2, 10)
	changed := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	transactional := changed(func(b []byte) { b[22] |= 0x10 })
	recrc(transactional)
	cases := []struct {
		name  string
		batch []byte
		want  int16
	}{
		{"good", good, codeNone},
		{"null", nil, codeInvalidRecord},
		{"empty", []byte{}, codeInvalidRecord},
		{"truncated", good[:len(good)-1], codeCorruptMessage},
		{"cut header", good[:30], codeCorruptMessage},
		{"wrong CRC", changed(func(b []byte) { b[len(b)-1] ^= 1 }), codeCorruptMessage},
		{"lying length", changed(func(b []byte) { binary.BigEndian.PutUint32(b[8:], 1<<30) }), codeCorruptMessage},
		{"negative length", changed(func(b []byte) { binary.BigEndian.PutUint32(b[8:], 1<<31) }), codeCorruptMessage},
		{"two batches", append(append([]byte(nil), good...), good...), codeInvalidRecord},
		{"magic 1", changed(func(b []byte) { b[16] = 1 }), codeInvalidRecord},
		{"too large", batch(t, 1, 6000), codeMessageTooLarge},
		{"transactional", transactional, codeInvalidRecord},
	}
	for _, k := range cases {
		r := c.produced("t", append([]byte(nil), k.batch...))
		if k.batch == nil {
			r = c.produced("t", nil)
		}
		if r.ErrorCode != k.want || k.want != codeNone && (r.ErrorMessage == nil || r.BaseOffset != -1) {
			t.Errorf("%s: code %d (%s) offset %d, want code %d", k.name, r.ErrorCode, value(r.ErrorMessage), r.BaseOffset, k.want)
		}
	}
	part, _ := rig.broker.Partition("t", 0)
	if got := part.HighWatermark(); got != 2 {
		t.Errorf("%d records are stored, want the 2 good ones", got)
	}
	if r := c.produced("no such", good); r.ErrorCode != codeUnknownTopicOrPartition {
		t.Errorf("unknown topic: %d", r.ErrorCode)
	}
	if r := c.produced("__naru_offsets", good); r.ErrorCode != codeUnknownTopicOrPartition {
		t.Errorf("internal topic: %d", r.ErrorCode)
	}
}

// recrc makes a batch's checksum right again.
func recrc(b []byte) {
	binary.BigEndian.PutUint32(b[17:], crc32c(b[21:]))
}

func TestProduceAcks(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 2)
	c := rig.dial()
	r := ask[*wire.ProduceResponse](c, 9, produceRequest(2, "t", batch(t, 1, 1)))
	if got := r.Responses[0].PartitionResponses[0].ErrorCode; got != codeInvalidRequiredAcks {
		t.Errorf("acks 2: %d", got)
	}
	id := "tx"
	q := produceRequest(-1, "t", batch(t, 1, 1))
	q.TransactionalId = &id
	r = ask[*wire.ProduceResponse](c, 9, q)
	if got := r.Responses[0].PartitionResponses[0].ErrorCode; got != codeUnsupportedVersion {
		t.Errorf("transactional: %d", got)
	}
	// acks 0 has no answer: the next one is to the next request.
	c.write(c.frame(9, produceRequest(0, "t", batch(t, 3, 1), batch(t, 2, 1))))
	c.asked = nil
	if got := c.produced("t", batch(t, 1, 1)); got.BaseOffset != 3 || got.ErrorCode != 0 {
		t.Errorf("after acks 0: %+v", got)
	}
	// An error in acks 0 closes the connection.
	c.write(c.frame(9, produceRequest(0, "no such", batch(t, 1, 1))))
	c.closed()
}

// Requests that come while others wait are answered in order, and produce
// requests do not wait for each other's commits.
func TestPipeline(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	const n = 300
	go func() {
		for range n {
			c.nc.Write(c.frame(9, produceRequest(-1, "t", batch(t, 1, 100))))
		}
		c.nc.Write(c.frame(1, listRequest("t", timeLatest)))
	}()
	asked := func() wire.RequestHeader {
		return wire.RequestHeader{RequestApiKey: wire.KeyProduce, RequestApiVersion: 9}
	}
	for i := range n {
		b, err := c.raw()
		if err != nil {
			t.Fatal(err)
		}
		r := wire.NewReader(b)
		if got := wire.DecodeResponseHeader(asked().RequestApiKey, 9, r); got != int32(i+1) {
			t.Fatalf("answer %d where %d is due", got, i+1)
		}
		var resp wire.ProduceResponse
		resp.Decode(9, r)
		if p := resp.Responses[0].PartitionResponses[0]; p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("request %d: %+v", i, p)
		}
	}
	// What follows sees all that came before it.
	b, err := c.raw()
	if err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(b)
	wire.DecodeResponseHeader(wire.KeyListOffsets, 1, r)
	var resp wire.ListOffsetsResponse
	resp.Decode(1, r)
	if p := resp.Topics[0].Partitions[0]; p.Offset != n {
		t.Fatalf("%+v", p)
	}
}

// A request that may not overlap others has the connection for itself.
func TestOrder(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	q := fetchRequest("t", 0)
	q.MinBytes, q.MaxWaitMs = 1, 100
	both := append(c.frame(12, q), c.frame(9, produceRequest(-1, "t", batch(t, 1, 1)))...)
	c.write(append(both, c.frame(12, q)...))
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 hw 0; " {
		t.Errorf("the fetch saw what came after it: %q", got)
	}
	c.receive()
	if got := told(t, c.receive().(*wire.FetchResponse)); got != "t/0 hw 1 [0-0]; " {
		t.Errorf("the fetch did not see what came before it: %q", got)
	}
}

// Answers that are due before an error closes the connection are sent.
func TestAnswersBeforeAFatalErrorAreSent(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	for range 20 {
		c := rig.dial()
		both := c.frame(9, produceRequest(-1, "t", batch(t, 1, 1)))
		c.write(append(both, c.frame(9, produceRequest(0, "no such", batch(t, 1, 1)))...))
		c.receive()
		c.closed()
	}
}

func listRequest(topic string, stamp int64) *wire.ListOffsetsRequest {
	return &wire.ListOffsetsRequest{ReplicaId: -1, Topics: []wire.ListOffsetsRequestListOffsetsTopic{{
		Name:       topic,
		Partitions: []wire.ListOffsetsRequestListOffsetsPartition{{CurrentLeaderEpoch: -1, Timestamp: stamp}},
	}}}
}

func TestListOffsets(t *testing.T) {
	rig := newRig(t)
	rig.createTopic("t", 1)
	c := rig.dial()
	b := record.NewBuilder(record.Gzip)
	now := time.Now().UnixMilli()
	for i, d := range []int64{-100, 50, -50} {
		b.Append(now+d, nil, []byte{byte(i)}, nil)
	}
	raw, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if r := c.produced("t", raw); r.ErrorCode != 0 {
		t.Fatalf("%+v", r)
	}
	for _, k := range []struct {
		version       int16
		at            int64
		code          int16
		offset, stamp int64
	}{
		{11, timeLatest, 0, 3, -1},
		{11, timeEarliest, 0, 0, -1},
		{11, timeMax, 0, 1, now + 50},
		{11, timeEarliestLocal, 0, 0, -1},
		{11, timeLatestTiered, 0, -1, -1},
		{11, timeEarliestPendingUpload, 0, -1, -1},
		{11, -7, codeUnsupportedVersion, -1, -1},
		{6, timeMax, codeUnsupportedVersion, -1, -1},
		{11, now - 100, 0, 0, now - 100},
		{11, now - 99, 0, 1, now + 50},
		{11, now + 51, 0, -1, -1},
	} {
		r := ask[*wire.ListOffsetsResponse](c, k.version, listRequest("t", k.at)).Topics[0].Partitions[0]
		if r.ErrorCode != k.code || r.Offset != k.offset || r.Timestamp != k.stamp {
			t.Errorf("version %d at %d: %+v, want %+v", k.version, k.at, r, k)
		}
	}
	q := listRequest("t", timeLatest)
	q.Topics = append(q.Topics, q.Topics[0])
	for _, topic := range ask[*wire.ListOffsetsResponse](c, 11, q).Topics {
		if topic.Partitions[0].ErrorCode != codeInvalidRequest {
			t.Errorf("named twice: %+v", topic)
		}
	}
	q = listRequest("t", timeLatest)
	q.Topics[0].Partitions[0].CurrentLeaderEpoch = 7
	if r := ask[*wire.ListOffsetsResponse](c, 11, q).Topics[0].Partitions[0]; r.ErrorCode != codeUnknownLeaderEpoch {
		t.Errorf("epoch 7: %+v", r)
	}
}

func TestConnectionLimit(t *testing.T) {
	refused := make(chan struct{}, 1)
	rig := newRig(t, func(c *Config) {
		c.Limits.ConnectionsMax = 1
		c.Observer.Refused = func() { refused <- struct{}{} }
	})
	c := rig.dial()
	ask[*wire.MetadataResponse](c, 12, &wire.MetadataRequest{})
	if nc, err := net.Dial("tcp", rig.addr); err == nil { // else it was reset even sooner
		defer nc.Close()
		nc.SetReadDeadline(time.Now().Add(patience))
		if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("it reads %v", err)
		}
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	<-refused
	ask[*wire.MetadataResponse](c, 12, &wire.MetadataRequest{})
}

func TestIdleConnectionIsClosed(t *testing.T) {
	rig := newRig(t, func(c *Config) { c.Limits.IdleMax = 20 * time.Millisecond })
	rig.createTopic("t", 1)
	rig.dial().closed()
	// One that waits for an answer is not idle.
	c := rig.dial()
	q := fetchRequest("t", 0)
	q.MaxWaitMs, q.MinBytes = 200, 1
	c.fetched(q, "t/0 hw 0; ")
	c.closed()
}
