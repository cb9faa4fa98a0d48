package group

import (
	"bytes"
	"time"
)

// member is one consumer in a group, or one that is about to be.
type member struct {
	id, instance     string
	clientID, host   string
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []Protocol
	assignment       []byte
	bytes            int // of protocols, counted against the limits

	// fresh: its first join was not answered yet, so it cannot send heartbeats.
	fresh bool
	// expires is when silence ends its membership. While a call of it waits
	// here it cannot speak, and expires counts only for fresh members.
	expires time.Time
	join    Token // the join call that waits, 0 = none
	sync    Token // the sync call that waits, 0 = none
}

func (m *member) static() bool { return m.instance != "" }

func (m *member) mayExpire() bool { return m.fresh || (m.join == 0 && m.sync == 0) }

// metadata returns what the member said of itself for a protocol.
func (m *member) metadata(protocol string) []byte {
	for i := range m.protocols {
		if m.protocols[i].Name == protocol {
			return m.protocols[i].Metadata
		}
	}
	return nil
}

// sameProtocols says whether a join brings nothing new.
func (m *member) sameProtocols(ps []Protocol) bool {
	if len(m.protocols) != len(ps) {
		return false
	}
	for i := range ps {
		if m.protocols[i].Name != ps[i].Name || !bytes.Equal(m.protocols[i].Metadata, ps[i].Metadata) {
			return false
		}
	}
	return true
}

func protocolBytes(ps []Protocol) int {
	n := 0
	for i := range ps {
		n += len(ps[i].Name) + len(ps[i].Metadata)
	}
	return n
}

// cloneProtocols copies what must outlive the request that brought it.
func cloneProtocols(ps []Protocol) []Protocol {
	out := make([]Protocol, len(ps))
	for i := range ps {
		out[i] = Protocol{Name: ps[i].Name, Metadata: bytes.Clone(ps[i].Metadata)}
	}
	return out
}
