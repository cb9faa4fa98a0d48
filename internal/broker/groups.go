package broker

import (
	"log/slog"
	"time"

	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

// GroupsConfig is what Groups needs from the rest of the broker.
type GroupsConfig struct {
	Group group.Config // start from group.Defaults()
	// OffsetsRetention is how long committed offsets outlive their group's last
	// member (or, of a group without members, their last commit). Default 7 days.
	OffsetsRetention time.Duration
	// RetentionCheckEvery is the time between two searches for expired offsets.
	// Default 10 minutes.
	RetentionCheckEvery time.Duration
	// PartitionExists says whether offsets may be committed for a partition;
	// nil = any. Called without any lock of Groups held.
	PartitionExists func(topic string, partition int32) bool
	// EndOffset returns the end of a partition that a consumer can reach, for
	// lag; nil or false = unknown. Called without any lock of Groups held.
	EndOffset func(topic string, partition int32) (record.Offset, bool)
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// NewMemberID returns a fresh unpredictable member id that begins with
	// prefix; nil = prefix + "-" + a random UUID.
	NewMemberID func(prefix string) string
	Log         *slog.Logger // nil = slog.Default()
}

// Groups is the coordinator of all groups: membership and committed offsets.
//
// Every call that takes a reply func calls it exactly once, with no lock held:
// before the call returns, or later on another goroutine. A reply must be quick
// and must not block. All methods are safe for concurrent use.
type Groups struct {
	cfg GroupsConfig
}

// NewGroups returns a coordinator that is not started: let the state log replay
// into Machine, then call Start.
func NewGroups(cfg GroupsConfig) (*Groups, error) { return &Groups{cfg: cfg}, nil }

// Machine is the state machine that the groups' state log applies commands to.
func (g *Groups) Machine() *GroupsMachine { return nil }

// Start takes up the state that was replayed into Machine and begins to serve.
// Calls before Start are answered with group.ErrUnavailable. Groups that were
// stable before a restart are stable again: their members carry on.
func (g *Groups) Start(log StateLog) error { return nil }

// CloseGroups answers every waiting call with group.ErrUnavailable and stops
// the timer. It does not close the log. Later calls get group.ErrUnavailable.
func (g *Groups) CloseGroups() {}

// JoinGroup makes the caller a member of the group's next generation. The reply
// comes when that generation begins, which may take as long as the rebalance
// timeout. req.NewMemberID is filled in if it is empty.
// req.Protocols' bytes are kept (not copied).
func (g *Groups) JoinGroup(req group.JoinRequest, reply func(group.JoinResponse)) {}

// SyncGroup answers with the member's assignment once the leader has sent it
// and it is durable. Assignment bytes are kept (not copied).
func (g *Groups) SyncGroup(req group.SyncRequest, reply func(group.SyncResponse)) {}

// Heartbeat says that a member is alive. ErrRebalanceInProgress asks it to join
// again.
func (g *Groups) Heartbeat(req group.HeartbeatRequest) error { return nil }

// LeaveGroup removes members, singly or many at once.
func (g *Groups) LeaveGroup(req group.LeaveRequest) group.LeaveResponse { return group.LeaveResponse{} }

// DescribeGroup describes one group. For a group that does not exist Err is
// group.ErrUnknownGroup and State is Dead.
func (g *Groups) DescribeGroup(id string) group.Description { return group.Description{} }

// ListGroups lists groups, sorted by name. states and types narrow the list and
// are compared without regard to case; empty = all. See group.State.String and
// group.Type for the names.
func (g *Groups) ListGroups(states, types []string) []group.Listing { return nil }

// DeleteGroups deletes empty groups and their offsets. The reply has one error
// (nil = deleted) for each id, in order: group.ErrInvalidGroupID,
// group.ErrUnknownGroup, group.ErrNonEmptyGroup, or a storage error.
func (g *Groups) DeleteGroups(ids []string, reply func([]error)) {}
