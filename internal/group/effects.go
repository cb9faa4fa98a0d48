package group

// Effect is something that the shell must do for the coordinator, in the order
// in which effects are returned: *JoinReply, *SyncReply or *Store.
type Effect interface{ effect() }

// JoinReply answers the join call that Token names.
type JoinReply struct {
	Token    Token
	Response JoinResponse
}

// SyncReply answers the sync call that Token names.
type SyncReply struct {
	Token    Token
	Response SyncResponse
}

// Store asks for the group's state to be made durable under its id. The shell
// must store in the order asked and then call Coordinator.Stored with the
// group, the ticket and the outcome.
type Store struct {
	Group  string
	Ticket uint64
	State  *Saved
}

func (*JoinReply) effect() {}
func (*SyncReply) effect() {}
func (*Store) effect()     {}
