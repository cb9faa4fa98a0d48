package cluster

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// View is who was there when the coordinator was last looked at. It is not changed any more: readers share it.
type View struct {
	Members []Seen      // by number
	Owners  []SlotOwner // by slot
	Err     error       // of the last request, nil if it was answered
	Looked  bool        // it was looked at once
}

// Seen is a member's key.
type Seen struct {
	Node  int32
	Lease coord.LeaseID
	Value string

	created int64 // CreateRevision
	member  Member
}

// Member is what the broker told of itself; of what a later version wrote, as much as is known.
func (s Seen) Member() Member { return s.member }

func (s Seen) same(o Seen) bool { return s.Node == o.Node && s.Lease == o.Lease && s.Value == o.Value }

// SlotOwner is who owns a slot.
type SlotOwner struct {
	Node     int32 // 0: nobody
	Revision int64 // CreateRevision of the owner's key
	Epoch    int32 // see EpochKey; 0: the owner has not said it yet

	lease coord.LeaseID
}

// Owner is the number of the broker that owns a slot, 0 if nobody does, or it is not known.
func (v *View) Owner(slot journal.SlotID) int32 {
	if int(slot) >= len(v.Owners) {
		return 0
	}
	return v.Owners[slot].Node
}

// Leader is Owner with the owner's epoch, once it has said that; else 0.
func (v *View) Leader(slot journal.SlotID) (node, epoch int32) {
	if v.Owner(slot) == 0 || v.Owners[slot].Epoch == 0 {
		return 0, 0
	}
	return v.Owners[slot].Node, v.Owners[slot].Epoch
}

// LivePrefix begins all keys that leave with their broker, and those that say more of them.
const LivePrefix = "live/"

const (
	memberPrefix = LivePrefix + "member/"
	slotPrefix   = LivePrefix + "slot/"
)

func memberKey(node int32) string { return fmt.Sprintf("%s%04d", memberPrefix, node) }

func ownerKey(slot journal.SlotID) string {
	owner, _ := Keys(slot)
	return owner
}

// ownerValue is what an owner's key says: which broker it is.
type ownerValue struct {
	Node int32  `json:"node"`
	Name string `json:"name"` // of the process
}

func (o ownerValue) encode() []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // a string and a number
	}
	return b
}

// Members are the brokers among the keys that begin with LivePrefix, by their numbers.
func Members(kvs []coord.KV) (list []Seen) {
	for _, kv := range kvs {
		number, ok := strings.CutPrefix(kv.Key, memberPrefix)
		node, err := strconv.ParseInt(number, 10, 32)
		if !ok || err != nil || node < 1 {
			continue
		}
		s := Seen{Node: int32(node), Lease: kv.Lease, Value: string(kv.Value), created: kv.CreateRevision}
		_ = json.Unmarshal(kv.Value, &s.member) // what is not there is empty
		list = append(list, s)
	}
	return list
}

// owners are those among the keys that begin with LivePrefix, by slot.
func owners(kvs []coord.KV, slots int) []SlotOwner {
	list := make([]SlotOwner, slots)
	epochs := make([]coord.KV, slots)
	for _, kv := range kvs {
		rest, ok := strings.CutPrefix(kv.Key, slotPrefix)
		number, what, _ := strings.Cut(rest, "/")
		slot, err := strconv.ParseUint(number, 10, 32)
		if !ok || err != nil || slot >= uint64(slots) {
			continue
		}
		switch what {
		case "owner":
			var o ownerValue
			_ = json.Unmarshal(kv.Value, &o)
			list[slot] = SlotOwner{Node: o.Node, Revision: kv.CreateRevision, lease: kv.Lease}
		case "epoch":
			epochs[slot] = kv
		}
	}
	for i, kv := range epochs {
		if o := &list[i]; o.Revision != 0 && kv.ModRevision > o.Revision {
			epoch, _ := strconv.ParseInt(string(kv.Value), 10, 32)
			o.Epoch = int32(epoch)
		}
	}
	return list
}
