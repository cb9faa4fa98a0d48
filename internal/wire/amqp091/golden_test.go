package amqp091

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// golden are frames written out by hand after the specification's grammar (4.2), with the channel and the method they carry.
var golden = []struct {
	wire    string
	channel uint16
	m       Method
}{
	{
		// An octet each for the version, a table of one string, two long strings.
		"01 0000 00000037  000a 000a  00 09  00000012 07 70726f64756374 53 00000005 5261626269" +
			" 0000000e 504c41494e20414d51504c41494e 00000005 656e5f5553  ce",
		0, &ConnectionStart{VersionMinor: 9, ServerProperties: NewTable(Field{"product", String("Rabbi")}),
			Mechanisms: "PLAIN AMQPLAIN", Locales: "en_US"},
	},
	{"01 0000 0000000c  000a 001f  07ff 00020000 003c  ce", 0, &ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}},
	{"01 0000 00000008  000a 0028  01 2f 00 01  ce", 0, &ConnectionOpen{VirtualHost: "/", Insist: true}},
	{"01 0001 00000008  0014 000b  00000000  ce", 1, &ChannelOpenOk{}},
	{
		// Five bits in one octet: durable is the second, no-wait the fifth.
		"01 0001 00000014  0028 000a  0000 02 6578 05 746f706963 12 00000000  ce",
		1, &ExchangeDeclare{Exchange: "ex", Type: "topic", Durable: true, NoWait: true},
	},
	{
		"01 0001 00000025  0032 000a  0000 01 71 0a 00000018 0e 782d6d61782d7072696f72697479 6c 000000000000000a  ce",
		1, &QueueDeclare{Queue: "q", Durable: true, AutoDelete: true, Arguments: NewTable(Field{"x-max-priority", Int64(10)})},
	},
	{"01 ffff 0000000d  003c 0028  0000 00 04 6b657931 01  ce", 65535, &BasicPublish{RoutingKey: "key1", Mandatory: true}},
	{
		"01 0002 00000019  003c 003c  04 63746167 0000000000000102 01 02 6578 03 6b6579  ce",
		2, &BasicDeliver{ConsumerTag: "ctag", DeliveryTag: 258, Redelivered: true, Exchange: "ex", RoutingKey: "key"},
	},
	{"01 0001 0000000d  003c 0050  0000000000000001 01  ce", 1, &BasicAck{DeliveryTag: 1, Multiple: true}},
	{"01 0001 0000000d  003c 0078  0000000000000001 03  ce", 1, &BasicNack{DeliveryTag: 1, Multiple: true, Requeue: true}},
	{"01 0001 00000005  0055 000a  01  ce", 1, &ConfirmSelect{NoWait: true}},
	{"01 0003 00000004  005a 0015  ce", 3, &TxCommitOk{}},
	{
		"01 0001 00000011  0014 0028  0194 06 4e4f20776179 0032 000a  ce",
		1, &ChannelClose{ReplyCode: 404, ReplyText: "NO way", ClassID: 50, MethodID: 10},
	},
	{
		"01 0001 0000000b  001e 000a  05 2f64617461 1e  ce",
		1, &AccessRequest{Realm: "/data", Passive: true, Active: true, Write: true, Read: true},
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenMethods(t *testing.T) {
	for _, g := range golden {
		wire := unhex(t, g.wire)
		h, err := ParseFrameHeader(wire, FrameMin)
		if err != nil || h.Type != FrameMethod || h.Channel != g.channel || int(h.Size) != len(wire)-FrameOverheadBytes {
			t.Errorf("%s: %+v, %d bytes, %v", g.wire, h, len(wire), err)
			continue
		}
		m, err := DecodeMethod(wire[FrameHeaderBytes : len(wire)-1])
		if err != nil || !reflect.DeepEqual(m, g.m) {
			t.Errorf("%s: got %+v, want %+v, %v", g.wire, m, g.m, err)
		}
		if b := AppendMethodFrame(nil, g.channel, g.m); !bytes.Equal(b, wire) {
			t.Errorf("%+v: got\n%x, want\n%x", g.m, b, wire)
		}
	}
}

// TestGoldenContent is a content header with a property of each shape, and what surrounds it.
func TestGoldenContent(t *testing.T) {
	wire := unhex(t, "02 0001 0000002e  003c 0000 0000000000000400  b840"+
		" 0a 746578742f706c61696e  00000007 01 61 49 ffffffff  02 09  0000000065920080  ce")
	var p Properties
	p.SetContentType("text/plain")
	p.SetHeaders(NewTable(Field{"a", Int32(-1)}))
	p.SetDeliveryMode(2)
	p.SetPriority(9)
	p.SetTimestamp(0x65920080)
	h := ContentHeader{Class: ClassBasic, BodySize: 1024}
	if got := AppendContentHeaderFrame(nil, 1, h, p.Append(nil)); !bytes.Equal(got, wire) {
		t.Fatalf("got\n%x, want\n%x", got, wire)
	}
	gotHeader, raw, err := SplitContentHeader(wire[FrameHeaderBytes : len(wire)-1])
	if err != nil || gotHeader != h {
		t.Fatalf("%+v, %v", gotHeader, err)
	}
	var got Properties
	if err := got.Parse(raw); err != nil || got != p {
		t.Fatalf("%v, want %v, %v", &got, &p, err)
	}
	const want = `{content-type: "text/plain", headers: {a: -1}, delivery-mode: 2, priority: 9, timestamp: 1704067200}`
	if got.String() != want {
		t.Errorf("%v, want %s", &got, want)
	}
	beat := unhex(t, "08 0000 00000000 ce")
	if got := AppendHeartbeat(nil); !bytes.Equal(got, beat) {
		t.Errorf("heartbeat %x", got)
	}
}
