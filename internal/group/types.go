package group

import (
	"time"
)

// State is where a group stands between two rebalances.
type State uint8

// The states of a group. On the wire they travel by name.
const (
	Empty               State = iota // no members; may have committed offsets
	PreparingRebalance               // waits for members to join
	CompletingRebalance              // members joined; waits for the leader's assignment
	Stable                           // every member can have its assignment
	Dead                             // gone; only seen when an unknown group is described
)

var stateNames = [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}

// String returns the state's name as admin clients know it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "Unknown"
}

// NoGeneration is the generation of a caller that is not a member.
const NoGeneration int32 = -1

// Token names one call that waits for its answer. The caller chooses it and
// gets it back with the answer; no two waiting calls may share one.
type Token uint64

// Protocol is one way to share out the work that a member supports, with what
// it tells the leader about itself. The coordinator does not look inside.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinRequest asks to be a member of the next generation.
type JoinRequest struct {
	Group            string
	MemberID         string // "" = not a member yet
	InstanceID       string // "" = a dynamic member (KIP-345)
	ClientID         string
	ClientHost       string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration // <= 0: the session timeout (JoinGroup v0)
	ProtocolType     string
	Protocols        []Protocol // in order of preference; kept as long as the member lives
	Reason           string     // for the log only (KIP-800)
	// RequireKnownMember sends a new dynamic member away once with an id, so
	// that a lost answer leaves no ghost behind (KIP-394, JoinGroup v4+).
	RequireKnownMember bool
	// CanSkipAssignment says that the caller understands
	// JoinResponse.SkipAssignment (KIP-814, JoinGroup v9+).
	CanSkipAssignment bool
	// NewMemberID is the id that the member gets if it has none. The shell
	// fills it in: it must be unpredictable and never used before.
	NewMemberID string
}

// JoinResponse answers a JoinRequest. On ErrMemberIDRequired only MemberID is
// set; on any other error MemberID is the caller's and Generation -1.
type JoinResponse struct {
	Err            error
	Generation     int32
	ProtocolType   string // "" if the group has none
	Protocol       string
	Leader         string
	SkipAssignment bool // the leader must not assign: the old assignment stands
	MemberID       string
	Members        []JoinedMember // only for the leader
}

// JoinedMember is a member as its leader sees it.
type JoinedMember struct {
	ID         string
	InstanceID string // "" = dynamic
	Metadata   []byte // of the selected protocol
}

// SyncRequest asks for the member's share of the work; the leader's brings the
// shares of all members.
type SyncRequest struct {
	Group        string
	MemberID     string
	InstanceID   string
	Generation   int32
	ProtocolType string // "" = not stated (below SyncGroup v5)
	Protocol     string // "" = not stated
	Assignments  []Assignment
}

// Assignment is one member's share, opaque to the coordinator.
type Assignment struct {
	MemberID string
	Data     []byte
}

// SyncResponse answers a SyncRequest.
type SyncResponse struct {
	Err          error
	ProtocolType string
	Protocol     string
	Assignment   []byte
}

// HeartbeatRequest says that a member is alive.
type HeartbeatRequest struct {
	Group      string
	MemberID   string
	InstanceID string
	Generation int32
}

// LeaveRequest removes members from a group.
type LeaveRequest struct {
	Group   string
	Members []LeavingMember
}

// LeavingMember names a member by its id, or an instance by its instance id
// alone (an administrator's removal).
type LeavingMember struct {
	MemberID   string
	InstanceID string
	Reason     string // for the log only (KIP-800)
}

// LeaveResponse answers a LeaveRequest. If Err is set, nobody left; otherwise
// Members has one result for each member of the request, in its order.
type LeaveResponse struct {
	Err     error
	Members []LeaveResult
}

// LeaveResult is the fate of one leaving member.
type LeaveResult struct {
	MemberID   string
	InstanceID string
	Err        error
}

// CommitCheck is what a commit of offsets says about its sender. A sender that
// is not a member has Generation -1 and no ids.
type CommitCheck struct {
	Group      string
	MemberID   string
	InstanceID string
	Generation int32
}

// Listing is one row of a list of groups.
type Listing struct {
	Group        string
	State        State
	ProtocolType string
	Members      int
}

// Type is the kind of group that this package keeps, as ListGroups names it.
const Type = "classic"

// Description is all that may be said of a group.
type Description struct {
	Err          error // ErrUnknownGroup (State is Dead), ErrInvalidGroupID
	Group        string
	State        State
	ProtocolType string
	Protocol     string // "" unless stable
	Generation   int32
	Leader       string
	Since        time.Time // of the last change of state
	Members      []MemberDescription
}

// MemberDescription is one member of a described group. Metadata and
// Assignment are only set while the group is stable.
type MemberDescription struct {
	ID         string
	InstanceID string
	ClientID   string
	ClientHost string
	Metadata   []byte
	Assignment []byte
}
