package main

import (
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that is dead leads its partitions for a while still, and then somebody does who has yet to find that out.
func TestConsumeWaitsForLeader(t *testing.T) {
	cluster, sh := fakeWithRecord(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	stale := 3
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if stale--; stale < 0 {
			return nil, nil, false
		}
		return ledBy(req, cluster.TopicInfo("t").TopicID, cluster.ListenAddrs()[0], dead.Addr().String()), nil, true
	})
	refusals := 2
	cluster.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if refusals--; refusals < 0 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		resp.Topics = []kmsg.ListOffsetsResponseTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsResponseTopicPartition{
			{Offset: -1, ErrorCode: kerr.NotLeaderForPartition.Code}}}}
		return resp, nil, true
	})
	if got := sh.run("consume t"); got != "x\n" || refusals > 0 || stale > 0 {
		t.Errorf("consume while the leader is away: %s, %d refusals and %d old answers left", got, refusals, stale)
	}
}

// ledBy says that the second of the brokers leads the only partition of the topic t.
func ledBy(req kmsg.Request, id [16]byte, addrs ...string) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	for i, addr := range addrs {
		host, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		resp.Brokers = append(resp.Brokers, kmsg.MetadataResponseBroker{NodeID: int32(i), Host: host, Port: int32(n)})
	}
	leader := int32(len(addrs) - 1)
	resp.Topics = []kmsg.MetadataResponseTopic{{Topic: kmsg.StringPtr("t"), TopicID: id,
		Partitions: []kmsg.MetadataResponseTopicPartition{{Leader: leader, Replicas: []int32{leader}, ISR: []int32{leader}}}}}
	return resp
}
