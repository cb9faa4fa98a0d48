package kafka

import (
	"container/list"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// session is an incremental fetch session (KIP-227). Its set belongs to the
// fetch that took it, until that gives it back.
type session struct {
	id   int32
	byID bool // topics are named by id
	set  *fetchSet

	// Guarded by sessions.mu.
	epoch      int32 // that the next request must have
	busy       bool
	removed    bool
	lastUsed   time.Time
	partitions int
	place      *list.Element
}

// sessions are all fetch sessions of the server.
type sessions struct {
	limits Limits

	mu         sync.Mutex
	byID       map[int32]*session // guarded by mu
	used       *list.List         // guarded by mu: of *session, longest unused first
	partitions int                // guarded by mu: of all sessions, and of fetches without
}

func newSessions(l Limits) *sessions {
	return &sessions{limits: l, byID: map[int32]*session{}, used: list.New()}
}

// create makes a session that is in use, or returns nil if there is no room:
// the client then goes on without.
func (ss *sessions) create(partitions int, byID bool, now time.Time) *session {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.evict(now)
	if partitions == 0 || len(ss.byID) >= ss.limits.FetchSessionsMax || ss.partitions+partitions > ss.limits.FetchPartitionsMax {
		return nil
	}
	s := &session{byID: byID, set: newFetchSet(), epoch: 1, busy: true, lastUsed: now, partitions: partitions}
	for s.id == 0 || ss.byID[s.id] != nil {
		s.id = rand.Int32N(math.MaxInt32) + 1
	}
	ss.byID[s.id] = s
	ss.partitions += partitions
	s.place = ss.used.PushBack(s)
	return s
}

// reserve makes room for the partitions of a fetch without a session; n below 0
// gives it back. False: there is none.
func (ss *sessions) reserve(n int) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if n > 0 && ss.partitions+n > ss.limits.FetchPartitionsMax {
		return false
	}
	ss.partitions += n
	return true
}

// take gets a session for the request with that epoch, and moves it to the next.
func (ss *sessions) take(id, epoch int32, byID bool) (*session, int16) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byID[id]
	switch {
	case s == nil:
		return nil, codeSessionNotFound
	case s.busy || s.epoch != epoch:
		return nil, codeInvalidSessionEpoch
	case s.byID != byID:
		return nil, codeSessionTopicID
	}
	s.busy = true
	s.epoch = nextEpoch(s.epoch)
	return s, codeNone
}

func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// give puts a session back. One that is empty ends, as in Kafka.
func (ss *sessions) give(s *session) {
	ss.mu.Lock()
	s.busy = false
	s.lastUsed = time.Now()
	if !s.removed && s.set.len() == 0 {
		ss.drop(s)
	}
	if !s.removed {
		ss.used.MoveToBack(s.place)
	}
	removed := s.removed
	ss.mu.Unlock()
	if removed {
		s.set.close()
	}
}

// resized accounts for partitions that came or went. If there are too many, or
// none is left, the session ends with this request; too many is an error that
// makes the client start again without one.
func (ss *sessions) resized(s *session, by int) int16 {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !s.removed {
		ss.partitions += by
		s.partitions += by
	}
	if ss.partitions > ss.limits.FetchPartitionsMax {
		ss.drop(s)
		return codeSessionNotFound
	}
	return codeNone
}

// remove ends a session at the client's wish.
func (ss *sessions) remove(id int32) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.byID[id]; s != nil {
		ss.drop(s)
		ss.closeIdle(s)
	}
}

// drop takes a session out of the tables. If it is in use, its user closes it.
func (ss *sessions) drop(s *session) {
	if s.removed {
		return
	}
	s.removed = true
	delete(ss.byID, s.id)
	ss.used.Remove(s.place)
	ss.partitions -= s.partitions
}

func (ss *sessions) closeIdle(s *session) {
	if !s.busy {
		s.set.close()
	}
}

// evict ends sessions that were not used for long.
func (ss *sessions) evict(now time.Time) {
	for e := ss.used.Front(); e != nil; {
		s := e.Value.(*session)
		if now.Sub(s.lastUsed) < ss.limits.FetchSessionIdle {
			return
		}
		e = e.Next()
		if !s.busy {
			ss.drop(s)
			ss.closeIdle(s)
		}
	}
}

// sweep is evict, from time to time: a client that left still has its session.
func (ss *sessions) sweep(now time.Time) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.evict(now)
}

// closeAll ends every session that is not in use.
func (ss *sessions) closeAll() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, s := range ss.byID {
		ss.drop(s)
		ss.closeIdle(s)
	}
}

func (ss *sessions) size() (sessions, partitions int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.byID), ss.partitions
}
