package coordtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narumq/naru/internal/coord"
)

// Env is a store under test, empty at first.
type Env struct {
	Store coord.Store
	// Pass lets time pass for leases, for stores whose clock is not the world's.
	Pass func(time.Duration)
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// Run tests a store. Each test gets an empty one.
func Run(t *testing.T, open func(t *testing.T) Env) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := open(t)
			if env.Pass == nil {
				env.Pass = func(time.Duration) {}
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c.run(&test{T: t, Env: env, ctx: ctx})
		})
	}
}

type test struct {
	*testing.T
	Env
	ctx context.Context
}

var cases = []struct {
	name string
	run  func(t *test)
}{
	{"a key and its revisions", testRevisions},
	{"a range is in order, and at one revision", testRange},
	{"conditions", testCompare},
	{"operations of a transaction", testOps},
	{"a transaction changes all or nothing", testAtomic},
	{"one of many racers wins", testRace},
	{"a lease takes its keys along", testLease},
	{"a lease is kept alive", testKeepAlive},
	{"a key changes its lease", testLeaseOfKey},
	{"a watch shows every change once", testWatch},
	{"a watch shows a transaction whole", testWatchWhole},
	{"a watch ends", testWatchEnds},
	{"a watch of what is compacted", testCompact},
	{"a large range", testLargeRange},
	{"a range while keys change", testRangeWhileWritten},
	{"beyond the limits", testLimits},
	{"the largest transaction", testLargestTxn},
	{"a context that has ended", testContext},
	{"status", testStatus},
}

func testRevisions(t *test) {
	if kv, ok, err := t.Store.Get(t.ctx, "a"); ok || err != nil {
		t.Errorf("Get of nothing = %+v, %t, %v", kv, ok, err)
	}
	first := t.put("a", "1")
	second := t.put("a", "2")
	other := t.put("b", "\x00\xff")
	if second != first+1 || other != second+1 {
		t.Errorf("revisions %d, %d, %d", first, second, other)
	}
	t.wantKV("a", coord.KV{Key: "a", Value: []byte("2"), CreateRevision: first, ModRevision: second})
	t.wantKV("b", coord.KV{Key: "b", Value: []byte("\x00\xff"), CreateRevision: other, ModRevision: other})
	t.txn(nil, coord.Delete("a"))
	if _, ok, err := t.Store.Get(t.ctx, "a"); ok || err != nil {
		t.Errorf("a is there: %t, %v", ok, err)
	}
	again := t.put("a", "")
	if again != other+2 {
		t.Errorf("created anew at %d, after %d", again, other)
	}
	t.wantKV("a", coord.KV{Key: "a", CreateRevision: again, ModRevision: again})
}

func testRange(t *test) {
	for _, key := range []string{"p/b", "p/a", "q", "p/a/1", "p", "p0"} {
		t.put(key, key)
	}
	kvs, at, err := t.Store.Range(t.ctx, "p/")
	if err != nil || !slices.Equal(keys(kvs), []string{"p/a", "p/a/1", "p/b"}) || at != kvs[1].ModRevision+2 {
		t.Errorf("Range = %v at %d, %v", keys(kvs), at, err)
	}
	all, _, err := t.Store.Range(t.ctx, "")
	if err != nil || !slices.Equal(keys(all), []string{"p", "p/a", "p/a/1", "p/b", "p0", "q"}) {
		t.Errorf("all = %v, %v", keys(all), err)
	}
	none, at2, err := t.Store.Range(t.ctx, "r")
	if err != nil || len(none) != 0 || at2 != at {
		t.Errorf("none = %v at %d, %v", keys(none), at2, err)
	}
}

func testCompare(t *test) {
	created := t.put("a", "1")
	modified := t.put("a", "2")
	for _, c := range []struct {
		cond  []coord.Compare
		holds bool
	}{
		{nil, true},
		{[]coord.Compare{coord.CreatedAt("a", created)}, true},
		{[]coord.Compare{coord.CreatedAt("a", modified)}, false},
		{[]coord.Compare{coord.ModifiedAt("a", modified)}, true},
		{[]coord.Compare{coord.ModifiedAt("a", created)}, false},
		{[]coord.Compare{coord.Absent("a")}, false},
		{[]coord.Compare{coord.ModifiedAt("a", 0)}, false},
		{[]coord.Compare{coord.Absent("b")}, true},
		{[]coord.Compare{coord.ModifiedAt("b", 0)}, true},
		{[]coord.Compare{coord.CreatedAt("b", created)}, false},
		{[]coord.Compare{coord.CreatedAt("a", created), coord.ModifiedAt("a", modified), coord.Absent("b")}, true},
		{[]coord.Compare{coord.CreatedAt("a", created), coord.Absent("a")}, false},
	} {
		r, err := t.Store.Txn(t.ctx, c.cond, []coord.Op{coord.Get("a")}, nil)
		if err != nil || r.Succeeded != c.holds || len(r.Results) == 1 != c.holds {
			t.Errorf("%+v: %+v, %v; want %t", c.cond, r, err, c.holds)
		}
	}
}

func testOps(t *test) {
	for _, key := range []string{"a", "b", "p/1", "p/2", "p"} {
		t.put(key, "old")
	}
	at := t.rev()
	r := t.txn([]coord.Compare{coord.Absent("a")}, coord.Put("a", []byte("then"), 0))
	if r.Succeeded || r.Revision != at || len(r.Results) != 0 {
		t.Errorf("a failed condition without Else: %+v, revision was %d", r, at)
	}
	r, err := t.Store.Txn(t.ctx, []coord.Compare{coord.Absent("a")}, []coord.Op{coord.Put("a", []byte("then"), 0)}, []coord.Op{
		coord.Get("c"), coord.Put("c", []byte("new"), 0), coord.Get("c"), coord.Get("a"),
		coord.Delete("b"), coord.Delete("none"), coord.DeletePrefix("p/"), coord.Get("p/1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []coord.OpResult{
		{}, {}, {Found: true, KV: coord.KV{Key: "c", Value: []byte("new"), CreateRevision: at + 1, ModRevision: at + 1}},
		{Found: true, KV: coord.KV{Key: "a", Value: []byte("old"), CreateRevision: at - 4, ModRevision: at - 4}},
		{Deleted: 1}, {}, {Deleted: 2}, {},
	}
	if r.Succeeded || r.Revision != at+1 || fmt.Sprint(r.Results) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v at %d", r, want, at+1)
	}
	kvs, _, err := t.Store.Range(t.ctx, "")
	if err != nil || !slices.Equal(keys(kvs), []string{"a", "c", "p"}) {
		t.Errorf("left: %v, %v", keys(kvs), err)
	}
	if r := t.txn(nil, coord.Delete("none")); r.Revision != at+1 {
		t.Errorf("a deletion of nothing raised the revision from %d to %d", at+1, r.Revision)
	}
}

func testAtomic(t *test) {
	at := t.put("a", "1")
	_, err := t.Store.Txn(t.ctx, nil, []coord.Op{
		coord.Delete("a"), coord.Put("b", nil, 0), coord.Put("c", nil, coord.LeaseID(12345)),
	}, nil)
	if !errors.Is(err, coord.ErrLeaseGone) || !coord.Refused(err) {
		t.Errorf("a put with a lease that never was: %v", err)
	}
	if kvs, now, err := t.Store.Range(t.ctx, ""); err != nil || now != at || !slices.Equal(keys(kvs), []string{"a"}) {
		t.Errorf("it left %v at %d (was %d), %v", keys(kvs), now, at, err)
	}
}

func testRace(t *test) {
	const racers, rounds = 8, 10
	for round := range rounds {
		key := fmt.Sprintf("race/%d", round)
		type outcome struct {
			won bool
			err error
		}
		outcomes := make(chan outcome, racers)
		for range racers {
			go func() {
				r, err := t.Store.Txn(t.ctx, []coord.Compare{coord.Absent(key)}, []coord.Op{coord.Put(key, nil, 0)}, nil)
				outcomes <- outcome{r.Succeeded, err}
			}()
		}
		won := 0
		for range racers {
			o := <-outcomes
			if o.err != nil {
				t.Fatal(o.err)
			}
			if o.won {
				won++
			}
		}
		if won != 1 {
			t.Fatalf("%d of %d racers won", won, racers)
		}
	}
}

func testLimits(t *test) {
	many := func(n int) (cond []coord.Compare, ops []coord.Op) {
		for i := range n {
			cond = append(cond, coord.Absent(fmt.Sprint(i)))
			ops = append(ops, coord.Put(fmt.Sprint(i), nil, 0))
		}
		return cond, ops
	}
	cond, ops := many(coord.TxnOpsMax + 1)
	do := func(cond []coord.Compare, then, otherwise []coord.Op) error {
		_, err := t.Store.Txn(t.ctx, cond, then, otherwise)
		return err
	}
	_, short := t.Store.Grant(t.ctx, time.Millisecond)
	_, long := t.Store.Grant(t.ctx, coord.TTLMax+time.Second)
	_, _, empty := t.Store.Get(t.ctx, "")
	for name, err := range map[string]error{
		"conditions": do(cond, nil, nil), "operations": do(nil, ops, nil), "other operations": do(nil, nil, ops),
		"bytes":      do(nil, []coord.Op{coord.Put("a", make([]byte, coord.TxnBytesMax), 0)}, nil),
		"twice":      do(nil, []coord.Op{coord.Put("a", nil, 0), coord.Put("a", nil, 0)}, nil),
		"put, gone":  do(nil, []coord.Op{coord.Put("a", nil, 0), coord.Delete("a")}, nil),
		"gone, put":  do(nil, []coord.Op{coord.DeletePrefix("a"), coord.Put("ab", nil, 0)}, nil),
		"no key":     do(nil, []coord.Op{coord.Delete("")}, nil),
		"everything": do(nil, []coord.Op{coord.DeletePrefix("")}, nil),
		"long key":   do([]coord.Compare{coord.Absent(strings.Repeat("k", coord.KeyBytesMax+1))}, nil, nil),
		"get":        empty, "short": short, "long": long, "the future": t.Store.Compact(t.ctx, t.rev()+1),
	} {
		if !errors.Is(err, coord.ErrInvalid) || !coord.Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if kvs, _, err := t.Store.Range(t.ctx, ""); len(kvs) != 0 || err != nil {
		t.Errorf("left: %v, %v", keys(kvs), err)
	}
}

// What the limits allow, a server takes.
func testLargestTxn(t *test) {
	value := make([]byte, coord.TxnBytesMax/coord.TxnOpsMax-2*20)
	var cond []coord.Compare
	var then, otherwise []coord.Op
	for i := range coord.TxnOpsMax {
		key := fmt.Sprintf("large/%03d", i)
		cond = append(cond, coord.Absent(key))
		then = append(then, coord.Put(key, value, 0))
		otherwise = append(otherwise, coord.Get(key))
	}
	for _, want := range []bool{true, false} {
		r, err := t.Store.Txn(t.ctx, cond, then, otherwise)
		if err != nil || r.Succeeded != want || len(r.Results) != coord.TxnOpsMax {
			t.Errorf("succeeded %t with %d results, %v; want %t", r.Succeeded, len(r.Results), err, want)
		}
	}
}

func testLargeRange(t *test) {
	const n = 2500
	value := make([]byte, 500)
	for i := 0; i < n; i += coord.TxnOpsMax {
		var ops []coord.Op
		for j := i; j < min(n, i+coord.TxnOpsMax); j++ {
			ops = append(ops, coord.Put(fmt.Sprintf("large/%05d", j), value, 0))
		}
		t.txn(nil, ops...)
	}
	kvs, _, err := t.Store.Range(t.ctx, "large/")
	if err != nil || len(kvs) != n || !slices.IsSorted(keys(kvs)) || kvs[n-1].Key != fmt.Sprintf("large/%05d", n-1) {
		t.Errorf("%d of %d keys, sorted %t, %v", len(kvs), n, slices.IsSorted(keys(kvs)), err)
	}
}

// A range of many pages shows one moment, though the keys change meanwhile.
func testRangeWhileWritten(t *test) {
	const n = 1200
	for i := 0; i < n; i += coord.TxnOpsMax {
		var ops []coord.Op
		for j := i; j < min(n, i+coord.TxnOpsMax); j++ {
			ops = append(ops, coord.Put(fmt.Sprintf("many/%05d", j), nil, 0))
		}
		t.txn(nil, ops...)
	}
	ctx, stop := context.WithCancel(t.ctx)
	write := func(i int) {
		value := []byte(fmt.Sprint(i))
		first, last := coord.Put("many/00000", value, 0), coord.Put(fmt.Sprintf("many/%05d", n-1), value, 0)
		if _, err := t.Store.Txn(ctx, nil, []coord.Op{first, last}, nil); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	write(0)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for i := 1; ctx.Err() == nil; i++ {
			write(i)
		}
	}()
	for range 30 {
		kvs, at, err := t.Store.Range(t.ctx, "many/")
		if err != nil || len(kvs) != n || kvs[0].ModRevision != kvs[n-1].ModRevision || kvs[0].ModRevision > at {
			t.Errorf("%d keys at %d, %v", len(kvs), at, err)
		} else if string(kvs[0].Value) != string(kvs[n-1].Value) {
			t.Errorf("the first has %s, the last %s", kvs[0].Value, kvs[n-1].Value)
		}
	}
	stop()
	<-ended
}

func testContext(t *test) {
	ctx, cancel := context.WithCancel(t.ctx)
	cancel()
	if _, err := t.Store.Txn(ctx, nil, []coord.Op{coord.Put("a", nil, 0)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Txn: %v", err)
	}
	if _, _, err := t.Store.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
}

func testStatus(t *test) {
	t.put("a", strings.Repeat("x", 1000))
	s, err := t.Store.Status(t.ctx)
	if err != nil || s.Revision != t.rev() || s.Leader == "" || s.Bytes < 1000 || s.BytesInUse < 1000 || s.BytesInUse > s.Bytes || s.NoSpace {
		t.Errorf("Status = %+v, %v", s, err)
	}
	if s.MembersAsked < 1 || s.MembersUp != s.MembersAsked {
		t.Errorf("%d of %d members are up", s.MembersUp, s.MembersAsked)
	}
}

func (t *test) put(key, value string) int64 {
	t.Helper()
	return t.txn(nil, coord.Put(key, []byte(value), 0)).Revision
}

func (t *test) txn(cond []coord.Compare, then ...coord.Op) coord.TxnResult {
	t.Helper()
	r, err := t.Store.Txn(t.ctx, cond, then, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (t *test) rev() int64 {
	t.Helper()
	_, at, err := t.Store.Range(t.ctx, "no-such-key")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (t *test) wantKV(key string, want coord.KV) {
	t.Helper()
	got, ok, err := t.Store.Get(t.ctx, key)
	if err != nil || !ok || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Get(%s) = %+v, %t, %v; want %+v", key, got, ok, err, want)
	}
}

func keys(kvs []coord.KV) []string {
	var out []string
	for _, kv := range kvs {
		out = append(out, kv.Key)
	}
	return out
}
