package user

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The hashes are RabbitMQ's; that of SHA-256 is the one that its guide to passwords has.
func TestHashes(t *testing.T) {
	for algorithm, text := range map[Algorithm]string{
		SaltedMD5:    "kI3GChNpte2FApYFXScl+0dIluk=",
		SaltedSHA256: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
		SaltedSHA512: "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc=",
	} {
		value, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		h := Hash{algorithm, value}
		if !h.Verify("test12") {
			t.Errorf("%s: the password is refused", algorithm)
		}
		for _, wrong := range []string{"", "test1", "test123", "Test12", strings.Repeat("x", PasswordBytesMax+1)} {
			if h.Verify(wrong) {
				t.Errorf("%s: %q is let in", algorithm, wrong)
			}
		}
		for _, short := range []Hash{{algorithm, value[:len(value)-1]}, {algorithm, value[:2]}, {algorithm, nil}, {"x", value}, {"", value}} {
			if short.Verify("test12") {
				t.Errorf("%+v lets in", short)
			}
		}
	}
}

func TestDerive(t *testing.T) {
	salt := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	h, err := Derive("나루", salt, 1000)
	if err != nil {
		t.Fatal(err)
	}
	// Python's hashlib.pbkdf2_hmac says the same.
	if got, want := base64.StdEncoding.EncodeToString(h.Value[4+SaltBytes:]), "+qnomTNmwXZgWJwwBwZ8j98DxPcm5czzOyWCvqrs7fo="; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
	if !h.Verify("나루") || h.Verify("나르") || h.Verify("") {
		t.Error("the password is refused, or another is not")
	}
	greedy := Hash{PBKDF2, append([]byte{0xff, 0xff, 0xff, 0xff}, h.Value[4:]...)}
	if u := (&User{Name: "u", Hash: greedy}); !errors.Is(u.Check(), ErrInvalid) || greedy.Verify("나루") {
		t.Error("a hash may cost four thousand million rounds")
	}
	for _, bad := range []func() (Hash, error){
		func() (Hash, error) { return Derive("", salt, 1) },
		func() (Hash, error) { return Derive(strings.Repeat("x", PasswordBytesMax+1), salt, 1) },
		func() (Hash, error) { return Derive("x", salt[1:], 1) },
		func() (Hash, error) { return Derive("x", salt, 0) },
		func() (Hash, error) { return Derive("x", salt, RoundsMax+1) },
	} {
		if _, err := bad(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	}
}

func TestRights(t *testing.T) {
	u := &User{Name: "a.b", Permissions: map[string]Permissions{
		"/": {Configure: "", Write: "^orders-", Read: "bill|^$"},
	}, Topics: map[string]map[string]TopicPermissions{"/": {"amq.topic": {Write: `^{username}\.`, Read: ""}}}}
	r, enter := u.Rights("/")
	if !enter || r.All() {
		t.Fatal(enter, r.All())
	}
	for _, tc := range []struct {
		p    Permission
		name string
		want bool
	}{
		{Configure, "orders-1", false}, {Configure, "", true},
		{Write, "orders-1", true}, {Write, "my-orders-1", false}, {Write, "", false},
		{Read, "the bills", true}, {Read, "", true}, {Read, "orders-1", false},
	} {
		if got := r.Allow(tc.p, tc.name); got != tc.want {
			t.Errorf("%v %q: %v", tc.p, tc.name, got)
		}
	}
	// The name is no pattern.
	if !r.AllowKey(Write, "amq.topic", "a.b.c") || r.AllowKey(Write, "amq.topic", "axb.c") || r.AllowKey(Read, "amq.topic", "a.b.c") {
		t.Error("keys of amq.topic")
	}
	if !r.AllowKey(Read, "other", "anything") || r.HasTopics("other") || !r.HasTopics("amq.topic") {
		t.Error("an exchange without topic permissions")
	}
	if r, enter := u.Rights("other"); enter || r.All() || r.Allow(Configure, "") || r.Allow(Read, "x") {
		t.Error("let into a namespace without permissions")
	}
	if r, enter := Anyone("x").Rights("other"); !enter || !r.All() || !r.Allow(Configure, "x") || !r.AllowKey(Read, "x", "k") {
		t.Error("refused while there are no users")
	}
}

func TestCheck(t *testing.T) {
	many := make(map[string]Permissions)
	for i := range NamespacesMax + 1 {
		many[fmt.Sprint(i)] = All
	}
	topics := make(map[string]TopicPermissions)
	for i := range TopicsMax + 1 {
		topics[fmt.Sprint(i)] = TopicPermissions{}
	}
	for name, change := range map[string]func(u *User){
		"no name":              func(u *User) { u.Name = "" },
		"a long name":          func(u *User) { u.Name = strings.Repeat("x", NameBytesMax+1) },
		"a name not of UTF-8":  func(u *User) { u.Name = "\xff" },
		"many tags":            func(u *User) { u.Tags = make([]string, TagsMax+1) },
		"an empty tag":         func(u *User) { u.Tags = []string{""} },
		"look-around":          func(u *User) { put(u, Permissions{Write: "^(?!x)"}) },
		"a long pattern":       func(u *User) { put(u, Permissions{Read: strings.Repeat("x", PatternBytesMax+1)}) },
		"a pattern too large":  func(u *User) { put(u, Permissions{Read: "((x{100}){100}){100}"}) },
		"many namespaces":      func(u *User) { u.Permissions = many },
		"many topics":          func(u *User) { u.Topics = map[string]map[string]TopicPermissions{"/": topics} },
		"a topic's pattern":    func(u *User) { u.Topics = map[string]map[string]TopicPermissions{"/": {"x": {Read: "("}}} },
		"a namespace's name":   func(u *User) { u.Permissions = map[string]Permissions{"\xff": All} },
		"a hash of few bytes":  func(u *User) { u.Hash = Hash{SaltedSHA512, make([]byte, 20)} },
		"an unknown algorithm": func(u *User) { u.Hash = Hash{"rot13", make([]byte, 20)} },
	} {
		u := User{Name: "u", Tags: []string{TagMonitoring}, Permissions: map[string]Permissions{"/": All}}
		if err := u.Check(); err != nil {
			t.Fatal(err)
		}
		change(&u)
		if err := u.Check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func put(u *User, p Permissions) { u.Permissions["/"] = p }

// What a new password costs, once per process and user.
func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		if _, err := Derive("password", make([]byte, SaltBytes), 210_000); err != nil {
			b.Fatal(err)
		}
	}
}
