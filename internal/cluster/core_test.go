package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
	"github.com/narumq/naru/internal/journal"
)

// A core that hears nothing falls silent before its lease can end.
func TestSilence(t *testing.T) {
	now := time.Unix(1000, 0)
	c := NewCore(TimingOf(simTTL), 1, Member{Name: "a"})
	c.SetReady(true)
	answer := func(what What, a Answer) {
		t.Helper()
		r, _ := c.Next(now)
		if r.What != what {
			t.Fatalf("asks for %s, want %s", r.What, what)
		}
		a.SentAt = now
		now = now.Add(100 * time.Millisecond)
		a.AnswerAt = now
		c.Answered(r, a)
	}
	answer(Grant, Answer{Lease: 7})
	leased := now.Add(-100 * time.Millisecond)
	answer(Wish, Answer{})
	answer(Look, Answer{})
	answer(Register, Answer{Txn: coord.TxnResult{Succeeded: true, Revision: 2}})
	answer(Look, Answer{KVs: []coord.KV{{Key: memberKey(1), Value: []byte(c.value(now)), Lease: 7, CreateRevision: 2}}})
	answer(Campaign, Answer{Txn: coord.TxnResult{Succeeded: true, Revision: 5}})
	now = leased.Add(simTTL / 5)
	answer(Keep, Answer{Err: errors.New("unavailable")})
	now = now.Add(time.Second)
	answer(Keep, Answer{Err: errors.New("unavailable")})
	last := leased.Add(simTTL - simTTL/5)
	if _, node, until := c.Member(last.Add(-1)); node != 1 || until != last || c.Holdings()[0].Owner != 5 {
		t.Errorf("is broker %d until %v, and owns %v", node, until, c.Holdings())
	}
	if term, _, _ := c.Member(last); term != 0 || c.Holdings()[0].Owner != 0 {
		t.Error("still owns when it must not")
	}
}

// Few brokers share 64 slots about evenly, also after one of them is gone.
func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		nodes []int32
		most  int // by which two differ
	}{
		{[]int32{1, 2}, 0}, {[]int32{1, 2, 3}, 2}, {[]int32{1, 2, 3, 4}, 2}, {[]int32{1, 2, 3, 4, 5}, 3},
		{[]int32{2, 3}, 8}, {[]int32{1, 3}, 8}, {[]int32{1, 3, 4}, 8}, {[]int32{2, 3, 4}, 8},
	} {
		v := View{Owners: make([]SlotOwner, 64)}
		count := map[int32]int{}
		for _, n := range c.nodes {
			v.Members = append(v.Members, Seen{Node: n, member: Member{Ready: true}})
			count[n] = 0
		}
		p := v.placement(64, wishes{})
		for slot := range journal.SlotID(64) {
			right, _ := p.rank(slot, 0)
			count[right]++
		}
		least, most := 64, 0
		for _, n := range count {
			least, most = min(least, n), max(most, n)
		}
		if most-least > c.most || len(count) != len(c.nodes) {
			t.Errorf("%v: %v", c.nodes, count)
		}
	}
}

// A registration that came late is taken back, and the number stays what it is.
func TestSurplus(t *testing.T) {
	now := time.Unix(1000, 0)
	c := NewCore(TimingOf(simTTL), 1, Member{Name: "a"})
	next := func(a Answer) Request {
		r, _ := c.Next(now)
		a.SentAt, a.AnswerAt = now, now
		c.Answered(r, a)
		return r
	}
	key := func(node int32, created int64) coord.KV {
		return coord.KV{Key: memberKey(node), Value: []byte(c.value(now)), Lease: 7, CreateRevision: created}
	}
	next(Answer{Lease: 7})
	next(Answer{})
	next(Answer{KVs: []coord.KV{key(2, 5)}})
	c.Hint()
	now = now.Add(time.Second)
	next(Answer{})
	next(Answer{KVs: []coord.KV{key(1, 6), key(2, 5)}})
	r := next(Answer{Txn: coord.TxnResult{Succeeded: true}})
	if _, node, _ := c.Member(now); node != 2 || len(r.Then) != 1 || r.Then[0].Kind != coord.OpDelete || r.Then[0].Key != memberKey(1) || r.Cond[0].Revision != 6 {
		t.Errorf("broker %d asks for %+v", node, r)
	}
}
