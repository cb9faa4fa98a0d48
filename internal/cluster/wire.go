package cluster

import "github.com/narumq/naru/internal/coord"

// onWire is the call of the coordinator that a request is.
func onWire(r Request, timing Timing) coord.Request {
	switch r.What {
	case Grant:
		return coord.Request{Kind: coord.CallGrant, TTL: timing.TTL}
	case Keep:
		return coord.Request{Kind: coord.CallKeepAlive, Lease: r.Lease}
	case Look:
		return coord.Request{Kind: coord.CallRange, Key: LivePrefix}
	case Wish:
		return coord.Request{Kind: coord.CallRange, Key: WantPrefix}
	case Revoke:
		return coord.Request{Kind: coord.CallRevoke, Lease: r.Lease}
	}
	return coord.Request{Kind: coord.CallTxn, Cond: r.Cond, Then: r.Then}
}
