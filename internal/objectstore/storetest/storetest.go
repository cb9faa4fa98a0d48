package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narumq/naru/internal/objectstore"
)

// Run tests a store. Each test gets an empty one.
func Run(t *testing.T, open func(t *testing.T) objectstore.Store) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

var cases = []struct {
	name string
	run  func(t *testing.T, s objectstore.Store)
}{
	{"what was put is there", testPut},
	{"an object is put once", testPutOnce},
	{"one of many racers wins", testRace},
	{"reads of ranges", testRanges},
	{"what is not there", testMissing},
	{"listings are in order and go on", testList},
	{"listings know no directories", testListOrder},
	{"deleted objects are gone, and may come again", testDelete},
	{"large objects", testLarge},
	{"beyond the limits", testLimits},
	{"a context that has ended", testContext},
	{"the probe is content", testProbe},
}

func testPut(t *testing.T, s objectstore.Store) {
	before := time.Now()
	for _, body := range []string{"hello", "", "\x00\xff\r\n"} {
		key := fmt.Sprintf("a/b=%d/c.%d", len(body), len(body))
		put(t, s, key, body)
		wantBody(t, s, key, body)
		info, err := s.Stat(t.Context(), key)
		if err != nil || info.Key != key || info.Bytes != int64(len(body)) {
			t.Errorf("Stat(%s) = %+v, %v", key, info, err)
		}
		if _, fake := s.(*objectstore.Fake); !fake && (info.Modified.Before(before.Add(-time.Minute)) || info.Modified.After(time.Now().Add(time.Minute))) {
			t.Errorf("%s was modified at %v; it is %v", key, info.Modified, before)
		}
	}
}

func testPutOnce(t *testing.T, s objectstore.Store) {
	put(t, s, "a", "first")
	for _, body := range []string{"second", "first", ""} {
		if err := s.Put(t.Context(), "a", []byte(body)); !errors.Is(err, objectstore.ErrExists) {
			t.Errorf("another Put of %q = %v", body, err)
		}
	}
	wantBody(t, s, "a", "first")
}

func testRace(t *testing.T, s objectstore.Store) {
	const racers, rounds = 8, 20
	for round := range rounds {
		key := fmt.Sprintf("race/%d", round)
		var won atomic.Int32
		winner, done := make(chan int, racers), make(chan struct{})
		for i := range racers {
			go func() {
				defer func() { done <- struct{}{} }()
				err := s.Put(t.Context(), key, []byte{byte(i)})
				switch {
				case err == nil:
					won.Add(1)
					winner <- i
				case !errors.Is(err, objectstore.ErrExists):
					t.Errorf("Put: %v", err)
				}
			}()
		}
		for range racers {
			<-done
		}
		if won.Load() != 1 {
			t.Fatalf("%d of %d racers won", won.Load(), racers)
		}
		wantBody(t, s, key, string([]byte{byte(<-winner)}))
	}
}

func testRanges(t *testing.T, s objectstore.Store) {
	put(t, s, "a", "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, "0123456789"}, {3, -1, "3456789"}, {0, 10, "0123456789"}, {0, 3, "012"}, {9, 1, "9"}, {7, 100, "789"},
		{0, 0, ""}, {4, 0, ""}, {10, -1, ""}, {10, 5, ""}, {1 << 40, 5, ""}, {0, objectstore.GetBytesMax, "0123456789"},
	} {
		if got, err := s.Get(t.Context(), "a", c.offset, c.length); err != nil || string(got) != c.want {
			t.Errorf("Get(%d, %d) = %q, %v; want %q", c.offset, c.length, got, err, c.want)
		}
	}
}

func testMissing(t *testing.T, s objectstore.Store) {
	put(t, s, "there/a", "x")
	for _, key := range []string{"none", "there/b", "there"} {
		for _, c := range [][2]int64{{0, -1}, {5, 3}, {0, 0}} {
			if got, err := s.Get(t.Context(), key, c[0], c[1]); !errors.Is(err, objectstore.ErrNotFound) {
				t.Errorf("Get(%s, %d, %d) = %q, %v", key, c[0], c[1], got, err)
			}
		}
		if info, err := s.Stat(t.Context(), key); !errors.Is(err, objectstore.ErrNotFound) {
			t.Errorf("Stat(%s) = %+v, %v", key, info, err)
		}
	}
	wantKeys(t, s, "none", "", 10)
}

func testList(t *testing.T, s objectstore.Store) {
	var keys []string
	for i := range 25 {
		key := fmt.Sprintf("seg/%03d", i*3)
		put(t, s, key, key)
		keys = append(keys, key)
	}
	put(t, s, "other/1", "")
	put(t, s, "segment", "")
	wantKeys(t, s, "seg/", "", 1000, keys...)
	wantKeys(t, s, "seg", "", 26, append(slices.Clone(keys), "segment")...)
	wantKeys(t, s, "", "", 3, "other/1", keys[0], keys[1])
	wantKeys(t, s, "seg/", keys[4], 2, keys[5], keys[6])
	wantKeys(t, s, "seg/", "seg/013", 2, keys[5], keys[6])
	wantKeys(t, s, "seg/", "seg/", 1, keys[0])
	wantKeys(t, s, "seg/", "a", 1, keys[0])
	wantKeys(t, s, "seg/", keys[24], 5)
	wantKeys(t, s, "seg/", "z", 5)
	wantKeys(t, s, "seg/00", "", 10, keys[:4]...)
	infos, err := s.List(t.Context(), "seg/000", "", 1)
	if err != nil || len(infos) != 1 || infos[0].Bytes != 7 {
		t.Errorf("List tells %+v, %v", infos, err)
	}
}

// A server that keeps objects as files walks directories, whose order is another.
func testListOrder(t *testing.T, s objectstore.Store) {
	keys := []string{"a-b/1", "a.b", "a/b/1", "a/c", "a0", "a=b/1", "a_b", "aa/1"}
	for _, key := range keys {
		put(t, s, key, "")
	}
	wantKeys(t, s, "", "", 100, keys...)
	wantKeys(t, s, "a", "a-b/1", 3, keys[1:4]...)
	var paged []string
	for after := ""; ; {
		infos, err := s.List(t.Context(), "", after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range infos {
			after = info.Key
			paged = append(paged, info.Key)
		}
		if len(infos) < 3 {
			break
		}
	}
	if !slices.Equal(paged, keys) {
		t.Errorf("in pages of 3: %q, want %q", paged, keys)
	}
}

func testDelete(t *testing.T, s objectstore.Store) {
	for _, key := range []string{"a/1", "a/2", "a/3", "b/1"} {
		put(t, s, key, key)
	}
	remove(t, s, "a/1", "a/3", "none", "none/at-all")
	wantKeys(t, s, "", "", 10, "a/2", "b/1")
	if _, err := s.Get(t.Context(), "a/1", 0, -1); !errors.Is(err, objectstore.ErrNotFound) {
		t.Errorf("Get of what was deleted: %v", err)
	}
	remove(t, s, "a/1")
	remove(t, s)
	put(t, s, "a/1", "again")
	wantBody(t, s, "a/1", "again")
	remove(t, s, "a/1", "a/2", "b/1")
	wantKeys(t, s, "", "", 10)
}

func testLarge(t *testing.T, s objectstore.Store) {
	body := make([]byte, 9<<20+17)
	for i := range body {
		body[i] = byte(i * 7 >> 3)
	}
	put(t, s, "large", string(body))
	got, err := s.Get(t.Context(), "large", 0, -1)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("Get: %d bytes, %v", len(got), err)
	}
	got, err = s.Get(t.Context(), "large", 5<<20, 1<<20)
	if err != nil || !bytes.Equal(got, body[5<<20:6<<20]) {
		t.Errorf("Get of a range: %d bytes, %v", len(got), err)
	}
}

func testLimits(t *testing.T, s objectstore.Store) {
	many := make([]string, objectstore.DeleteMax+1)
	for i := range many {
		many[i] = "a"
	}
	ctx := t.Context()
	_, negative := s.Get(ctx, "a", -1, 3)
	_, much := s.Get(ctx, "a", 0, objectstore.GetBytesMax+1)
	_, none := s.List(ctx, "", "", 0)
	_, all := s.List(ctx, "", "", objectstore.ListMax+1)
	_, stat := s.Stat(ctx, "a//b")
	for name, err := range map[string]error{
		"empty key": s.Put(ctx, "", nil), "upper case": s.Put(ctx, "A", nil), "a slash first": s.Put(ctx, "/a", nil),
		"a slash last": s.Put(ctx, "a/", nil), "dots": s.Put(ctx, "a/../b", nil), "an empty element": stat,
		"a long key": s.Put(ctx, string(bytes.Repeat([]byte("a"), objectstore.KeyBytesMax+1)), nil),
		"negative":   negative, "much": much, "none": none, "all": all, "many": s.Delete(ctx, many...),
	} {
		if !errors.Is(err, objectstore.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := string(bytes.Repeat([]byte("a"), 200)) + "/" + string(bytes.Repeat([]byte("b"), 200))
	put(t, s, longest, "x")
	wantBody(t, s, longest, "x")
}

func testContext(t *testing.T, s objectstore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ctx, "a", 0, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
}

func testProbe(t *testing.T, s objectstore.Store) {
	if err := objectstore.Probe(t.Context(), s, "probe/1"); err != nil {
		t.Error(err)
	}
	wantKeys(t, s, "", "", 10)
}

func put(t *testing.T, s objectstore.Store, key, body string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, s objectstore.Store, keys ...string) {
	t.Helper()
	if err := s.Delete(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
}

func wantBody(t *testing.T, s objectstore.Store, key, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key, 0, -1); err != nil || string(got) != want {
		t.Errorf("Get(%s) = %q, %v; want %q", key, got, err, want)
	}
}

func wantKeys(t *testing.T, s objectstore.Store, prefix, after string, limit int, want ...string) {
	t.Helper()
	infos, err := s.List(t.Context(), prefix, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, info := range infos {
		got = append(got, info.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("List(%q, after %q, %d) = %q, want %q", prefix, after, limit, got, want)
	}
}
