package kafka

import (
	"fmt"
	"testing"
	"time"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/broker/brokertest"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

var live = []broker.Member{
	{Node: 3, Endpoints: map[string]string{"kafka": "three.example:9093"}},
	{Node: 5, Endpoints: map[string]string{"kafka": "five.example:9095"}},
	{Node: 9, Endpoints: map[string]string{"http": "nine.example:80"}},
}

// clusterRig is broker 5 of a cluster with four slots: it has slot 0, and may open others; broker 3 has
// slot 1, nobody slot 2, and broker 9, which takes no clients of Kafka, slot 3. Topic t has a partition in each.
type clusterRig struct {
	*rig
	others *brokertest.Cluster
	dir    string
	index  [4]int32  // partition of t by slot
	groups [4]string // a group in each slot
}

func newClusterRig(t *testing.T) *clusterRig {
	t.Helper()
	return newClusterRigThatWaits(t, time.Millisecond)
}

// newClusterRigThatWaits has requests wait as long for partitions that change hands.
func newClusterRigThatWaits(t *testing.T, long time.Duration) *clusterRig {
	t.Helper()
	o := new(brokertest.Cluster)
	o.Live(live...)
	o.Own(3, 1)
	o.Own(9, 3)
	b := openBroker(t, broker.Config{NodeID: 5, Slots: 4, Cluster: o})
	r := &clusterRig{rig: rigOf(t, b, func(c *Config) { c.Limits.LeaderWait = long }), others: o, dir: t.TempDir()}
	r.open(0)
	for i := range r.createTopic("t", 4).Partitions {
		p, err := b.Partition("t", int32(i))
		if err != nil {
			t.Fatal(err)
		}
		r.index[p.Slot()] = int32(i)
	}
	for i := range 100 {
		g := fmt.Sprintf("g%d", i)
		r.groups[b.GroupSlot(g)] = g
	}
	return r
}

func (r *clusterRig) open(slot int) {
	r.t.Helper()
	r.others.Own(5, brokertest.Slot(slot))
	if err := r.others.OpenSlot(r.broker, brokertest.Slot(slot), r.dir); err != nil {
		r.t.Fatal(err)
	}
}

// close ends a slot, which another broker has then.
func (r *clusterRig) close(slot int, node int32) {
	r.t.Helper()
	r.others.Own(node, brokertest.Slot(slot))
	if err := r.broker.CloseSlot(brokertest.Slot(slot)); err != nil {
		r.t.Fatal(err)
	}
}

// want compares what a test saw with what it ought to have seen.
func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func TestMetadataNamesOwners(t *testing.T) {
	r := newClusterRig(t)
	c := r.dial()
	me := fmt.Sprintf("5@%s", r.addr)
	name := "t"
	q := &wire.MetadataRequest{Topics: []wire.MetadataRequestMetadataRequestTopic{{Name: &name}}}
	m := ask[*wire.MetadataResponse](c, 12, q)
	brokers := ""
	for _, b := range m.Brokers {
		brokers += fmt.Sprintf("%d@%s:%d ", b.NodeId, b.Host, b.Port)
	}
	want(t, "brokers", brokers, me+" 3@three.example:9093 ")
	want(t, "controller", m.ControllerId, 3)
	of := [4]string{"0 5 1 [5] [5]", "0 3 1 [3] [3]", "5 -1 -1 [] []", "5 -1 -1 [] []"}
	for _, p := range m.Topics[0].Partitions {
		for slot, i := range r.index {
			if i == p.PartitionIndex {
				want(t, fmt.Sprintf("slot %d", slot), fmt.Sprint(p.ErrorCode, p.LeaderId, " ", p.LeaderEpoch, p.ReplicaNodes, p.IsrNodes), of[slot])
			}
		}
	}
	d := ask[*wire.DescribeTopicPartitionsResponse](c, 0, &wire.DescribeTopicPartitionsRequest{ResponsePartitionLimit: 10})
	for i, p := range d.Topics[0].Partitions {
		o := m.Topics[0].Partitions[i]
		want(t, "DescribeTopicPartitions", fmt.Sprint(p.ErrorCode, p.LeaderId, p.ReplicaNodes), fmt.Sprint(o.ErrorCode, o.LeaderId, o.ReplicaNodes))
	}
	x := ask[*wire.DescribeClusterResponse](c, 1, &wire.DescribeClusterRequest{EndpointType: endpointBrokers})
	want(t, "DescribeCluster", fmt.Sprintln(x.ControllerId, len(x.Brokers), x.Brokers[1].BrokerId, x.Brokers[1].Host, x.Brokers[1].Port), "3 2 3 three.example 9093\n")

	// A hand-over shows at once.
	r.open(2)
	m = ask[*wire.MetadataResponse](c, 12, q)
	want(t, "opened", m.Topics[0].Partitions[r.index[2]].LeaderId, 5)
	r.close(2, 3)
	m = ask[*wire.MetadataResponse](c, 12, q)
	want(t, "closed", m.Topics[0].Partitions[r.index[2]].LeaderId, 3)
}

func TestFindCoordinatorNamesOwners(t *testing.T) {
	r := newClusterRig(t)
	c := r.dial()
	f := ask[*wire.FindCoordinatorResponse](c, 4, &wire.FindCoordinatorRequest{CoordinatorKeys: r.groups[:]})
	got := ""
	for _, n := range f.Coordinators {
		got += fmt.Sprintf("%d %d@%s:%d; ", n.ErrorCode, n.NodeId, n.Host, n.Port)
	}
	want(t, "coordinators", got, fmt.Sprintf("0 5@%s; 0 3@three.example:9093; 15 -1@:-1; 15 -1@:-1; ", r.addr))
	one := ask[*wire.FindCoordinatorResponse](c, 3, &wire.FindCoordinatorRequest{Key: r.groups[1]})
	want(t, "version 3", fmt.Sprintln(one.ErrorCode, one.NodeId, one.Host, one.Port), "0 3 three.example 9093\n")
	one = ask[*wire.FindCoordinatorResponse](c, 3, &wire.FindCoordinatorRequest{Key: r.groups[2]})
	want(t, "version 3, nobody", one.ErrorCode, codeCoordinatorNotAvailable)
}

// fetchOf asks for partitions of t by their slots.
func (r *clusterRig) fetchOf(slots ...int) *wire.FetchRequest {
	q := fetchRequest("t", make([]int64, len(slots))...)
	for i, slot := range slots {
		q.Topics[0].Partitions[i].Partition = r.index[slot]
	}
	return q
}

func TestPartitionsElsewhereAreRefused(t *testing.T) {
	r := newClusterRig(t)
	c := r.dial()
	r.put("t", r.index[0], 2, 10)
	topic, _ := r.broker.Topic("t")
	id := wire.UUID(topic.ID)

	for slot, leader := range map[int]string{1: "3 1 [3@three.example:9093]", 2: "none []"} {
		index := r.index[slot]
		q := produceRequest(-1, "t", batch(t, 1, 10))
		q.TopicData[0].PartitionData[0].Index = index
		for _, version := range []int16{9, 10, 13} {
			q.TopicData[0].TopicId = id
			p := ask[*wire.ProduceResponse](c, version, q)
			got := p.Responses[0].PartitionResponses[0]
			want(t, "produce", fmt.Sprint(got.ErrorCode, got.BaseOffset), "6 -1")
			if version < 10 {
				continue
			}
			said := "none"
			if l := got.CurrentLeader; l != nil {
				said = fmt.Sprint(l.LeaderId, l.LeaderEpoch)
			}
			nodes := []string{}
			for _, n := range p.NodeEndpoints {
				nodes = append(nodes, fmt.Sprintf("%d@%s:%d", n.NodeId, n.Host, n.Port))
			}
			want(t, fmt.Sprintf("produce's leader in version %d", version), fmt.Sprintf("%s %v", said, nodes), leader)
		}
		f := r.fetchOf(0, slot)
		f.Topics[0].TopicId = id
		c.fetched(f, fmt.Sprintf("t/%d hw 2 [0-1]; t/%d error 6 hw -1; ", r.index[0], index))
		got := ask[*wire.FetchResponse](c, 16, f)
		said, nodes := "none", []string{}
		if l := got.Responses[0].Partitions[1].CurrentLeader; l != nil {
			said = fmt.Sprint(l.LeaderId, l.LeaderEpoch)
		}
		for _, n := range got.NodeEndpoints {
			nodes = append(nodes, fmt.Sprintf("%d@%s:%d", n.NodeId, n.Host, n.Port))
		}
		want(t, "fetch's leader", fmt.Sprintf("%s %v", said, nodes), leader)
		if l := got.Responses[0].Partitions[0].CurrentLeader; l != nil {
			t.Errorf("a leader is told of what is here: %+v", l)
		}

		for _, at := range []int64{timeLatest, timeEarliest, timeMax, 1} {
			l := ask[*wire.ListOffsetsResponse](c, 8, &wire.ListOffsetsRequest{Topics: []wire.ListOffsetsRequestListOffsetsTopic{{
				Name: "t", Partitions: []wire.ListOffsetsRequestListOffsetsPartition{{PartitionIndex: index, CurrentLeaderEpoch: -1, Timestamp: at}},
			}}}).Topics[0].Partitions[0]
			want(t, "ListOffsets", fmt.Sprint(l.ErrorCode, l.Offset), "6 -1")
		}
		e := ask[*wire.OffsetForLeaderEpochResponse](c, 4, &wire.OffsetForLeaderEpochRequest{Topics: []wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{
			Topic: "t", Partitions: []wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{{Partition: index, CurrentLeaderEpoch: -1}},
		}}}).Topics[0].Partitions[0]
		want(t, "OffsetForLeaderEpoch", fmt.Sprint(e.ErrorCode, e.EndOffset), "6 -1")
		d := ask[*wire.DeleteRecordsResponse](c, 2, &wire.DeleteRecordsRequest{Topics: []wire.DeleteRecordsRequestDeleteRecordsTopic{{
			Name: "t", Partitions: []wire.DeleteRecordsRequestDeleteRecordsPartition{{PartitionIndex: index, Offset: -1}},
		}}}).Topics[0].Partitions[0]
		want(t, "DeleteRecords", fmt.Sprint(d.ErrorCode, d.LowWatermark), "6 -1")
		p := ask[*wire.DescribeProducersResponse](c, 0, &wire.DescribeProducersRequest{Topics: []wire.DescribeProducersRequestTopicRequest{{
			Name: "t", PartitionIndexes: []int32{index},
		}}}).Topics[0].Partitions[0]
		want(t, "DescribeProducers", p.ErrorCode, codeNotLeader)
	}
	dirs := ask[*wire.DescribeLogDirsResponse](c, 1, &wire.DescribeLogDirsRequest{}).Results[0].Topics
	if len(dirs) != 1 || len(dirs[0].Partitions) != 1 || dirs[0].Partitions[0].PartitionIndex != r.index[0] {
		t.Errorf("DescribeLogDirs: %+v", dirs)
	}
}

// Each owner's epoch is greater than that of the one before. Records are of epoch 0, whoever had their partition.
func TestLeaderEpochsCountOwners(t *testing.T) {
	r := newClusterRig(t)
	r.open(2)
	r.close(2, 3)
	r.open(2)
	c := r.dial()
	r.put("t", r.index[2], 2, 10)
	m := ask[*wire.MetadataResponse](c, 12, &wire.MetadataRequest{})
	for _, p := range m.Topics[0].Partitions {
		if p.PartitionIndex == r.index[2] {
			want(t, "epoch", p.LeaderEpoch, 3)
		}
	}
	for epoch, code := range map[int32]int16{-1: 0, 0: codeFencedLeaderEpoch, 2: codeFencedLeaderEpoch, 3: 0, 4: codeUnknownLeaderEpoch} {
		q := r.fetchOf(2)
		q.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
		c.fetched(q, map[bool]string{true: fmt.Sprintf("t/%d hw 2 [0-1]; ", r.index[2]), false: fmt.Sprintf("t/%d error %d hw -1; ", r.index[2], code)}[code == 0])
		l := ask[*wire.ListOffsetsResponse](c, 8, &wire.ListOffsetsRequest{Topics: []wire.ListOffsetsRequestListOffsetsTopic{{
			Name: "t", Partitions: []wire.ListOffsetsRequestListOffsetsPartition{{PartitionIndex: r.index[2], CurrentLeaderEpoch: epoch, Timestamp: timeLatest}},
		}}}).Topics[0].Partitions[0]
		want(t, fmt.Sprintf("ListOffsets in epoch %d", epoch), l.ErrorCode, code)
	}
	for epoch, end := range map[int32]string{-1: "-1 -1", 0: "0 2", 2: "0 2", 3: "0 2", 4: "-1 -1"} {
		e := ask[*wire.OffsetForLeaderEpochResponse](c, 4, &wire.OffsetForLeaderEpochRequest{Topics: []wire.OffsetForLeaderEpochRequestOffsetForLeaderTopic{{
			Topic: "t", Partitions: []wire.OffsetForLeaderEpochRequestOffsetForLeaderPartition{{Partition: r.index[2], CurrentLeaderEpoch: 3, LeaderEpoch: epoch}},
		}}}).Topics[0].Partitions[0]
		want(t, fmt.Sprintf("the end of epoch %d", epoch), fmt.Sprint(e.ErrorCode, " ", e.LeaderEpoch, e.EndOffset), "0 "+end)
	}
}

// A broker that has a slot and is only opening it has requests wait, as clients that it refuses come back after seconds.
func TestRequestsWaitForASlotThatIsBeingOpened(t *testing.T) {
	r := newClusterRigThatWaits(t, patience)
	r.open(2)
	r.put("t", r.index[2], 2, 10)
	asked := func(request func(c *client) string) string {
		r.close(2, 0)
		r.others.Own(5, 2)
		looked, answer := r.others.Looked(), make(chan string, 1)
		c := r.dial()
		go func() { answer <- request(c) }()
		select {
		case <-looked: // the request is there before the slot is
			r.open(2)
			return <-answer
		case told := <-answer: // it did not wait
			r.open(2)
			return told
		}
	}
	want(t, "produce", asked(func(c *client) string {
		q := produceRequest(-1, "t", batch(t, 1, 10))
		q.TopicData[0].PartitionData[0].Index = r.index[2]
		p := ask[*wire.ProduceResponse](c, 12, q).Responses[0].PartitionResponses[0]
		return fmt.Sprint(p.ErrorCode, p.BaseOffset)
	}), "0 2")
	for _, epoch := range []int32{epochFinal, epochFull} {
		want(t, "fetch", asked(func(c *client) string {
			q := r.fetchOf(2)
			q.SessionEpoch = epoch
			f := ask[*wire.FetchResponse](c, 12, q).Responses[0].Partitions[0]
			return fmt.Sprint(f.ErrorCode, f.HighWatermark)
		}), "0 3")
	}
	want(t, "metadata", asked(func(c *client) string {
		r.others.Own(0, 2)
		m := ask[*wire.MetadataResponse](c, 12, &wire.MetadataRequest{}).Topics[0].Partitions[r.index[2]]
		return fmt.Sprint(m.ErrorCode, m.LeaderId)
	}), "0 5")
}

// A fetch that waits is answered when its partition goes, and a session says so until it is back.
func TestFetchEndsWhenItsPartitionGoes(t *testing.T) {
	for name, epoch := range map[string]int32{"without a session": epochFinal, "in a session": epochFull} {
		t.Run(name, func(t *testing.T) {
			r := newClusterRig(t)
			r.open(2)
			r.put("t", r.index[2], 3, 10)
			c := r.dial()
			q := r.fetchOf(0, 2)
			q.Topics[0].Partitions[1].FetchOffset = 3
			q.SessionEpoch = epoch
			here, there := fmt.Sprintf("t/%d", r.index[0]), fmt.Sprintf("t/%d", r.index[2])
			first := c.fetched(q, here+" hw 0; "+there+" hw 3; ")
			if epoch == epochFull {
				q = next(q, first)
			}
			q.MinBytes, q.MaxWaitMs = 1, int32(patience.Milliseconds())
			c.send(12, q)
			r.waiting(1)
			r.close(2, 3)
			got := c.receive().(*wire.FetchResponse)
			if epoch == epochFinal {
				want(t, "lost", told(t, got), here+" hw 0; "+there+" error 6 hw -1; ")
				return
			}
			want(t, "lost", told(t, got), there+" error 6 hw -1; ")
			q = next(q, got)
			c.fetched(q, there+" error 6 hw -1; ")
			r.open(2)
			q = next(q, got)
			q.MaxWaitMs = 0
			c.fetched(q, there+" hw 3; ")
			q = next(q, got)
			q.MaxWaitMs = int32(patience.Milliseconds())
			c.send(12, q)
			r.waiting(1)
			r.put("t", r.index[2], 1, 10)
			want(t, "back", told(t, c.receive().(*wire.FetchResponse)), there+" hw 4 [3-3]; ")
		})
	}
}

func TestGroupsElsewhereAreRefused(t *testing.T) {
	r := newClusterRig(t)
	c := r.dial()
	for _, g := range r.groups[1:] {
		codes := map[string]int16{}
		codes["join"] = ask[*wire.JoinGroupResponse](c, 7, &wire.JoinGroupRequest{GroupId: g, SessionTimeoutMs: 10_000, ProtocolType: "consumer"}).ErrorCode
		codes["sync"] = ask[*wire.SyncGroupResponse](c, 3, &wire.SyncGroupRequest{GroupId: g, MemberId: "m"}).ErrorCode
		codes["heartbeat"] = ask[*wire.HeartbeatResponse](c, 4, &wire.HeartbeatRequest{GroupId: g, MemberId: "m"}).ErrorCode
		codes["leave"] = ask[*wire.LeaveGroupResponse](c, 2, &wire.LeaveGroupRequest{GroupId: g, MemberId: "m"}).ErrorCode
		codes["commit"] = ask[*wire.OffsetCommitResponse](c, 7, commitRequest(g, 0)).Topics[0].Partitions[0].ErrorCode
		codes["fetch"] = ask[*wire.OffsetFetchResponse](c, 7, &wire.OffsetFetchRequest{GroupId: g}).ErrorCode
		codes["fetch many"] = ask[*wire.OffsetFetchResponse](c, 8, &wire.OffsetFetchRequest{
			Groups: []wire.OffsetFetchRequestOffsetFetchRequestGroup{{GroupId: g}},
		}).Groups[0].ErrorCode
		codes["delete offsets"] = ask[*wire.OffsetDeleteResponse](c, 0, &wire.OffsetDeleteRequest{GroupId: g}).ErrorCode
		codes["describe"] = ask[*wire.DescribeGroupsResponse](c, 5, &wire.DescribeGroupsRequest{Groups: []string{g}}).Groups[0].ErrorCode
		codes["delete"] = ask[*wire.DeleteGroupsResponse](c, 2, &wire.DeleteGroupsRequest{GroupsNames: []string{g}}).Results[0].ErrorCode
		for what, code := range codes {
			want(t, what, code, codeNotCoordinator)
		}
	}
	for _, slot := range []int{0, 2} {
		if slot == 2 {
			r.open(slot)
		}
		got := ask[*wire.OffsetCommitResponse](c, 7, commitRequest(r.groups[slot], 7)).Topics[0].Partitions[0]
		want(t, "a commit here", got.ErrorCode, codeNone)
	}
	list := ""
	for _, g := range ask[*wire.ListGroupsResponse](c, 4, &wire.ListGroupsRequest{}).Groups {
		list += g.GroupId + " "
	}
	if list != r.groups[0]+" "+r.groups[2]+" " && list != r.groups[2]+" "+r.groups[0]+" " {
		t.Errorf("ListGroups: %s", list)
	}
}

func commitRequest(group string, offset int64) *wire.OffsetCommitRequest {
	q := new(wire.OffsetCommitRequest)
	q.Default()
	q.GroupId, q.GenerationIdOrMemberEpoch = group, -1
	q.Topics = []wire.OffsetCommitRequestOffsetCommitRequestTopic{{
		Name: "t", Partitions: []wire.OffsetCommitRequestOffsetCommitRequestPartition{{CommittedOffset: offset, CommittedLeaderEpoch: -1}},
	}}
	return q
}

// A join that waits for others is answered when the group goes.
func TestJoinEndsWhenItsGroupGoes(t *testing.T) {
	r := newClusterRig(t)
	r.open(2)
	join := &wire.JoinGroupRequest{
		GroupId: r.groups[2], SessionTimeoutMs: 30_000, RebalanceTimeoutMs: 30_000, ProtocolType: "consumer",
		Protocols: []wire.JoinGroupRequestJoinGroupRequestProtocol{{Name: "range"}},
	}
	c, d := r.dial(), r.dial()
	first := ask[*wire.JoinGroupResponse](c, 3, join)
	want(t, "first join", first.ErrorCode, codeNone)
	d.send(3, join) // waits for the first to join again
	r.waiting(1)
	r.close(2, 3)
	want(t, "join", d.receive().(*wire.JoinGroupResponse).ErrorCode, codeNotCoordinator)
	beat := ask[*wire.HeartbeatResponse](c, 4, &wire.HeartbeatRequest{GroupId: r.groups[2], MemberId: first.MemberId, GenerationId: first.GenerationId})
	want(t, "heartbeat", beat.ErrorCode, codeNotCoordinator)
}
