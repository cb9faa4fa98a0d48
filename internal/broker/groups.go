package broker

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
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
	// CheckPartition returns why offsets cannot be committed for a partition
	// (ErrUnknownTopic, ErrUnknownPartition); nil = they can, a nil func = always.
	// Called without any lock of Groups held.
	CheckPartition func(topic string, partition int32) error
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

func (c GroupsConfig) withDefaults() GroupsConfig {
	if c.OffsetsRetention <= 0 {
		c.OffsetsRetention = 7 * 24 * time.Hour
	}
	if c.RetentionCheckEvery <= 0 {
		c.RetentionCheckEvery = 10 * time.Minute
	}
	if c.CheckPartition == nil {
		c.CheckPartition = func(string, int32) error { return nil }
	}
	if c.EndOffset == nil {
		c.EndOffset = func(string, int32) (record.Offset, bool) { return -1, false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewMemberID == nil {
		c.NewMemberID = randomMemberID
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Group.Limits.OffsetMetadataBytes == 0 {
		c.Group.Limits.OffsetMetadataBytes = group.Defaults().Limits.OffsetMetadataBytes
	}
	if c.Group.Limits.Groups == 0 {
		c.Group.Limits.Groups = group.Defaults().Limits.Groups
	}
	return c
}

func randomMemberID(prefix string) string {
	var u [16]byte
	rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", prefix, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Groups is the coordinator of all groups: membership and committed offsets.
//
// Every call that takes a reply func calls it exactly once, with no lock held:
// before the call returns, or later on another goroutine. A reply must be quick
// and must not block. All methods are safe for concurrent use.
//
// One lock guards the pure coordinator. What it decides (answers to give,
// commands to store) goes through an outbox in the order of the decisions, so
// that a generation is never stored over a later one. One goroutine serves the
// deadlines of all groups; whoever fills the outbox empties it.
type Groups struct {
	cfg     GroupsConfig
	machine *GroupsMachine

	mu       sync.Mutex
	core     *group.Coordinator
	log      StateLog // nil until Start and after CloseGroups
	over     error    // why it is closed
	tokens   group.Token
	joins    map[group.Token]func(group.JoinResponse)
	syncs    map[group.Token]func(group.SyncResponse)
	outbox   []func()       // to run in order without the lock
	sending  bool           // somebody runs the outbox
	idle     *sync.Cond     // on mu: nobody does any more
	inFlight map[string]int // commits of a group that are being stored
	drops    uint64         // how often topics' offsets were dropped
	timer    groupsTimer
}

// NewGroups returns a coordinator that is not started: let the state log replay
// into Machine, then call Start.
func NewGroups(cfg GroupsConfig) (*Groups, error) {
	cfg = cfg.withDefaults()
	core, err := group.New(cfg.Group)
	if err != nil {
		return nil, err
	}
	g := &Groups{
		cfg: cfg, core: core, machine: &GroupsMachine{table: group.NewTable()},
		joins:    map[group.Token]func(group.JoinResponse){},
		syncs:    map[group.Token]func(group.SyncResponse){},
		inFlight: map[string]int{},
	}
	g.idle = sync.NewCond(&g.mu)
	return g, nil
}

// Machine is the state machine that the groups' state log applies commands to.
func (g *Groups) Machine() *GroupsMachine { return g.machine }

// Start takes up the state that was replayed into Machine and begins to serve.
// Calls before Start are answered with group.ErrUnavailable. Groups that were
// stable before a restart are stable again: their members carry on.
func (g *Groups) Start(log StateLog) {
	now := g.cfg.Now()
	g.mu.Lock()
	defer g.unlock()
	for _, s := range g.machine.savedGroups(g.cfg.Log) {
		if err := g.core.Restore(now, s); err != nil {
			// Its members join anew, which costs them a rebalance; its offsets stand.
			g.cfg.Log.Error("group not restored", "group", s.Group, "err", err)
		}
	}
	g.log = log
	g.timer.start(g, now)
}

// CloseGroups answers every waiting call with group.ErrUnavailable and stops
// the timer. When it returns nothing more is appended to the log, which it does
// not close. Later calls get group.ErrUnavailable. Not to be called from a reply.
func (g *Groups) CloseGroups() { g.close(group.ErrUnavailable) }

// close is CloseGroups, with what those get who wait.
func (g *Groups) close(why error) {
	g.mu.Lock()
	g.log, g.over = nil, why
	for tok, reply := range g.joins {
		g.send(func() { reply(group.JoinResponse{Err: why, Generation: group.NoGeneration}) })
		delete(g.joins, tok)
	}
	for tok, reply := range g.syncs {
		g.send(func() { reply(group.SyncResponse{Err: why}) })
		delete(g.syncs, tok)
	}
	g.unlock()
	g.timer.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.sending {
		g.idle.Wait()
	}
}

// away is why there is no log, and so no answer. g.mu is held.
func (g *Groups) away() error {
	if g.over != nil {
		return g.over
	}
	return group.ErrUnavailable
}

// send puts something into the outbox. g.mu is held; unlock sends it.
func (g *Groups) send(f func()) { g.outbox = append(g.outbox, f) }

// unlock runs the outbox and releases g.mu. If another call is at it, that one
// runs ours too: the order is kept, and a reply may call Groups again.
func (g *Groups) unlock() {
	g.timer.adjust(g)
	if g.sending {
		g.mu.Unlock()
		return
	}
	g.sending = true
	for len(g.outbox) > 0 {
		batch := g.outbox
		g.outbox = nil
		g.mu.Unlock()
		for _, f := range batch {
			f()
		}
		g.mu.Lock()
	}
	g.sending = false
	g.idle.Broadcast()
	g.mu.Unlock()
}

// do carries out the core's effects. g.mu is held.
func (g *Groups) do(effects []group.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case *group.JoinReply:
			if reply := g.joins[e.Token]; reply != nil {
				delete(g.joins, e.Token)
				g.send(func() { reply(e.Response) })
			}
		case *group.SyncReply:
			if reply := g.syncs[e.Token]; reply != nil {
				delete(g.syncs, e.Token)
				g.send(func() { reply(e.Response) })
			}
		case *group.Store:
			g.store(e)
		}
	}
}

func (g *Groups) store(e *group.Store) {
	log := g.log
	if log == nil { // closing: everybody has been answered
		return
	}
	g.send(func() {
		log.Append([]group.Command{group.SaveGroup(e.State)}, func(err error) {
			if err != nil {
				g.cfg.Log.Warn("group not stored", "group", e.Group, "generation", e.State.Generation, "err", err)
			} else {
				g.cfg.Log.Debug("group stored", "group", e.Group, "generation", e.State.Generation, "members", len(e.State.Members))
			}
			g.mu.Lock()
			defer g.unlock()
			g.do(g.core.Stored(g.cfg.Now(), e.Group, e.Ticket, err))
		})
	})
}

// JoinGroup makes the caller a member of the group's next generation. The reply
// comes when that generation begins, which may take as long as the rebalance
// timeout. req.NewMemberID is filled in if it is empty. The request's bytes are
// copied; the response's must not be changed.
func (g *Groups) JoinGroup(req group.JoinRequest, reply func(group.JoinResponse)) {
	if req.NewMemberID == "" && req.MemberID == "" {
		prefix := req.InstanceID
		if prefix == "" {
			prefix = req.ClientID
		}
		req.NewMemberID = g.cfg.NewMemberID(prefix)
	}
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		why := g.away()
		g.send(func() {
			reply(group.JoinResponse{Err: why, Generation: group.NoGeneration, MemberID: req.MemberID})
		})
		return
	}
	g.tokens++
	g.joins[g.tokens] = reply
	g.do(g.core.Join(g.cfg.Now(), req, g.tokens))
}

// SyncGroup answers with the member's assignment once the leader has sent it
// and it is durable. The request's bytes are copied; the response's must not be
// changed.
func (g *Groups) SyncGroup(req group.SyncRequest, reply func(group.SyncResponse)) {
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		why := g.away()
		g.send(func() { reply(group.SyncResponse{Err: why}) })
		return
	}
	g.tokens++
	g.syncs[g.tokens] = reply
	g.do(g.core.Sync(g.cfg.Now(), req, g.tokens))
}

// Heartbeat says that a member is alive. ErrRebalanceInProgress asks it to join
// again.
func (g *Groups) Heartbeat(req group.HeartbeatRequest) error {
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		return g.away()
	}
	return g.core.Heartbeat(g.cfg.Now(), req)
}

// LeaveGroup removes members, singly or many at once.
func (g *Groups) LeaveGroup(req group.LeaveRequest) group.LeaveResponse {
	g.mu.Lock()
	defer g.unlock()
	if g.log == nil {
		return group.LeaveResponse{Err: g.away()}
	}
	resp, effects := g.core.Leave(g.cfg.Now(), req)
	g.do(effects)
	return resp
}
