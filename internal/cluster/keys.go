package cluster

import (
	"encoding/json"
	"fmt"

	"github.com/narumq/naru/internal/journal"
)

// HeadPrefix begins the keys that say where the logs of slots end.
const HeadPrefix = "slot/"

// Keys are those of a slot in the coordinator: who owns it, and where its log ends.
func Keys(slot journal.SlotID) (owner, head string) {
	return fmt.Sprintf("%sslot/%04d/owner", LivePrefix, slot), fmt.Sprintf("%s%04d/head", HeadPrefix, slot)
}

// EpochKey is where an owner of a slot says which one it is of all that the slot had, as soon as it has ended what an earlier one
// had on its way. The key stays when its owner goes: a number under it that is older than the owner's key is an earlier one's.
func EpochKey(slot journal.SlotID) string { return fmt.Sprintf("%s%04d/epoch", slotPrefix, slot) }

// Member is what a broker tells others of itself, the value of its key.
type Member struct {
	Name    string `json:"name"` // unique to the process, drawn at its start
	Host    string `json:"host,omitempty"`
	Version string `json:"version,omitempty"`
	Started int64  `json:"started"` // ms since 1970
	LeaseMS int64  `json:"lease_ms"`
	// Endpoints are addresses that clients connect to, by the name of the endpoint.
	Endpoints map[string]string `json:"endpoints,omitempty"`

	// Of these Core takes care.
	Ready   bool             `json:"ready,omitempty"`   // it may own slots
	Refuses []journal.SlotID `json:"refuses,omitempty"` // that it could not serve lately
}

// Encode is the member as the coordinator holds it.
func (m Member) Encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}
