package catalog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// put stores a payload under a version, with a right checksum.
func put(t testing.TB, s Store, key string, version byte, payload string) {
	t.Helper()
	v := binary.BigEndian.AppendUint32([]byte{version}, checksum(version, key, []byte(payload)))
	if err := s.Apply([]Op{{key, append(v, payload...)}}); err != nil {
		t.Fatal(err)
	}
}

func TestStores(t *testing.T) {
	bolt, err := OpenBolt(filepath.Join(t.TempDir(), BoltFile))
	if err != nil {
		t.Fatal(err)
	}
	defer bolt.Close()
	for name, s := range map[string]Store{"mem": NewMem(), "bolt": bolt, "coord": NewCoord(owned(t, newQuorum()))} {
		t.Run(name, func(t *testing.T) {
			if err := s.Apply([]Op{{"b/2", []byte("x")}, {"a", []byte("1")}, {"b/1", []byte{}}, {"c", []byte("z")}}); err != nil {
				t.Fatal(err)
			}
			if err := s.Apply([]Op{{Key: "c"}, {Key: "absent"}, {"b/2", []byte("y")}}); err != nil {
				t.Fatal(err)
			}
			for prefix, want := range map[string][]string{"": {"a=1", "b/1=", "b/2=y"}, "b/": {"b/1=", "b/2=y"}, "c": nil} {
				var got []string
				if err := s.Scan(prefix, func(k string, v []byte) error { got = append(got, k+"="+string(v)); return nil }); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("prefix %q: %v, want %v", prefix, got, want)
				}
			}
			stop := fmt.Errorf("enough")
			if err := s.Scan("", func(string, []byte) error { return stop }); err != stop {
				t.Errorf("scan returned %v", err)
			}
		})
	}
}

func TestDamagedValues(t *testing.T) {
	const id = "AAAAAAAAQACAAAAAAAAAAQ"
	const id2 = "AAAAAAAAQACAAAAAAAAAAg"
	for _, tc := range []struct {
		name, key, payload string
		version            byte
		want               error
	}{
		{"next version", "topic/t", `{"id":"` + id + `","streams":[1]}`, valueVersion + 1, ErrNewerVersion},
		{"next version, unreadable", "topic/t", "\x00\x01", valueVersion + 1, ErrNewerVersion},
		{"version 0", "topic/t", "{}", 0, ErrDamaged},
		{"unknown key", "queue/t", "{}", 1, ErrNewerVersion},
		{"unknown field", "topic/t", `{"id":"` + id + `","streams":[1],"lanes":4}`, 1, ErrDamaged},
		{"unknown setting", "topic/t", `{"id":"` + id + `","streams":[1],"settings":{"lanes":"4"}}`, 1, ErrNewerVersion},
		{"not JSON", "topic/t", "x", 1, ErrDamaged},
		{"two values", "topic/t", `{"id":"` + id + `","streams":[1]}{}`, 1, ErrDamaged},
		{"no partitions", "topic/t", `{"id":"` + id + `","streams":[]}`, 1, ErrDamaged},
		{"no id", "topic/t", `{"streams":[1]}`, 1, ErrDamaged},
		{"bad name", "topic/t t", `{"id":"` + id + `","streams":[1]}`, 1, ErrDamaged},
		{"stream 0", "topic/t", `{"id":"` + id + `","streams":[0]}`, 1, ErrDamaged},
		{"stream of the future", "topic/t", `{"id":"` + id + `","streams":[10]}`, 1, ErrDamaged},
		{"stream twice", "topic/t", `{"id":"` + id + `","streams":[1,1]}`, 1, ErrDamaged},
		{"stream of another", "topic/t", `{"id":"` + id + `","streams":[9]}`, 1, ErrDamaged},
		{"id of another", "topic/t", `{"id":"` + id2 + `","streams":[1]}`, 1, ErrDamaged},
		{"cluster id", "cluster", `{"id":"x"}`, 1, ErrDamaged},
		{"number", "next/stream", "-1", 1, ErrDamaged},
		{"start of nothing", "start/0000000000000003", "5", 1, ErrDamaged},
		{"start key", "start/9", "5", 1, ErrDamaged},
		{"start too large", "start/0000000000000009", "9223372036854775808", 1, ErrDamaged},
		{"fine", "topic/t", `{"id":"` + id + `","streams":[1,2],"settings":{"retention.ms":"5"}}`, 1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := NewMem()
			put(t, s, "cluster", 1, `{"id":"`+id+`"}`)
			put(t, s, "next/stream", 1, "10")
			put(t, s, "topic/other", 1, `{"id":"`+id2+`","streams":[9]}`)
			put(t, s, tc.key, tc.version, tc.payload)
			_, err := Open(Options{Store: s, Random: seeded(1)})
			if tc.want != nil {
				wantErr(t, err, tc.want, fmt.Sprintf("%q", tc.key))
			} else if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestFlippedBits(t *testing.T) {
	s := NewMem()
	c := open(t, s)
	create(t, c, "t", 2)
	if _, _, err := c.NextProducerIDBlock(); err != nil {
		t.Fatal(err)
	}
	for key, value := range s.values {
		for i := range value {
			value[i] ^= 0x10
			_, err := Open(Options{Store: s, Random: seeded(1)})
			wantErr(t, err, ErrDamaged, fmt.Sprintf("%q", key))
			value[i] ^= 0x10
		}
		// A value under another's key.
		s.values[key+"x"] = value
		delete(s.values, key)
		if _, err := Open(Options{Store: s, Random: seeded(1)}); err == nil {
			t.Fatalf("%s under another key is accepted", key)
		}
		s.values[key] = value
		delete(s.values, key+"x")
	}
	if _, err := Open(Options{Store: s, Random: seeded(1)}); err != nil {
		t.Fatal(err)
	}
}

// boltBytes is a catalog file with some topics in it.
func boltBytes(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), BoltFile)
	s, err := OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, s)
	for i := range 20 {
		create(t, c, fmt.Sprintf("topic-%d", i), 20)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file in any state is opened or refused; it does not end the process, and
// what is opened is what was stored: no topic gets lost in silence.
func TestDamagedFile(t *testing.T) {
	whole := boltBytes(t)
	path := filepath.Join(t.TempDir(), BoltFile)
	try := func(what string, b []byte) error {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenBolt(path)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: %v", what, err)
			}
			return err
		}
		defer s.Close()
		c, err := Open(Options{Store: s, Random: seeded(1)})
		if err != nil {
			return err
		}
		if n := len(c.Topics()); n < 19 { // one less: the meta page before the last change
			t.Fatalf("%s: %d topics are left", what, n)
		}
		if _, err := c.Create(TopicSpec{Name: "one-more", Partitions: 1}, false); err != nil {
			t.Fatalf("%s: opened, then: %v", what, err)
		}
		return nil
	}
	if err := try("whole", whole); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 100, 4096, 8192, 3 * 4096, len(whole) / 4} {
		if err := try(fmt.Sprintf("cut after %d", n), whole[:n]); err == nil {
			t.Errorf("a file cut off after %d of %d bytes is accepted", n, len(whole))
		}
	}
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 0))
	refused := 0
	for i := range 300 {
		b := slices.Clone(whole)
		page := 4096 * r.IntN(len(b)/4096)
		for range 1 + r.IntN(3) {
			at := page + r.IntN(4096)
			if i%2 == 0 {
				at = page + r.IntN(200) // where the structure is
			}
			b[at] ^= byte(1 + r.IntN(255))
		}
		if try(fmt.Sprintf("seed %d, damage %d", seed, i), b) != nil {
			refused++
		}
	}
	t.Logf("%d of 300 refused", refused)
	if refused < 20 {
		t.Fatal("damage goes unnoticed")
	}
}

func TestBoltLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), BoltFile)
	s, err := OpenBolt(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = OpenBolt(path)
	wantErr(t, err, ErrStorage, "open in another process")
}

func TestBoltClosed(t *testing.T) {
	s, err := OpenBolt(filepath.Join(t.TempDir(), BoltFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.Apply([]Op{{"a", []byte("b")}}), ErrClosed)
}

// A file that bbolt wrote is never called damaged: trees with branches,
// overflow pages, and a free list of many pages.
func TestSoundFiles(t *testing.T) {
	const seed = 11
	r := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), BoltFile)
	want := map[string]int{}
	for round := range 12 {
		s, err := OpenBolt(path)
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		n := 0
		if err := s.Scan("", func(k string, v []byte) error {
			n++
			if want[k] != len(v) {
				return fmt.Errorf("key %q has %d bytes, want %d", k, len(v), want[k])
			}
			return nil
		}); err != nil || n != len(want) {
			t.Fatalf("seed %d, round %d: %d keys, want %d: %v", seed, round, n, len(want), err)
		}
		for range 3 {
			var ops []Op
			for range r.IntN(4000) {
				op := Op{Key: fmt.Sprintf("k%05d", r.IntN(20_000))}
				if r.IntN(3) > 0 || round == 0 {
					op.Value = make([]byte, r.IntN(60))
					if r.IntN(200) == 0 {
						op.Value = make([]byte, r.IntN(30_000))
					}
				}
				if ops = append(ops, op); op.Value == nil {
					delete(want, op.Key)
				} else {
					want[op.Key] = len(op.Value)
				}
			}
			if round == 10 { // leave next to nothing
				for k := range want {
					ops = append(ops, Op{Key: k})
				}
				clear(want)
			}
			if err := s.Apply(ops); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzCheckBolt(f *testing.F) {
	whole := boltBytes(f)
	f.Add(whole[:9*4096])
	f.Add(whole[4096:])
	f.Fuzz(func(t *testing.T, b []byte) {
		// One page is read once, and its keys are copied once.
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = checkBolt(bytes.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(4*len(b)+1<<16) {
			t.Fatalf("%d bytes allocated for %d", n, len(b))
		}
	})
}
