package catalog

import (
	"errors"
	"reflect"
	"testing"

	"github.com/narumq/naru/internal/user"
)

func putUser(t *testing.T, c *Catalog, name string, change func(u *user.User)) *user.User {
	t.Helper()
	u, err := c.PutUser(name, func(u *user.User, _ bool) error { change(u); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// What was stored is there after a restart, and a change leaves the version before as it was.
func TestUsers(t *testing.T) {
	store := NewMem()
	c := open(t, store)
	first := putUser(t, c, "우편/a", func(u *user.User) {
		u.Tags = []string{user.TagAdministrator}
		u.Hash = user.Hash{Algorithm: user.SaltedMD5, Value: make([]byte, 20)}
		u.Permissions = map[string]user.Permissions{"/": user.All}
		u.Topics = map[string]map[string]user.TopicPermissions{"/": {"x": {Read: "a"}}}
	})
	second := putUser(t, c, "우편/a", func(u *user.User) {
		u.Tags[0] = user.TagMonitoring
		u.Permissions["other"] = user.Permissions{}
		u.Topics["/"]["y"] = user.TopicPermissions{}
		u.Name = "somebody else"
	})
	if first.Tags[0] != user.TagAdministrator || len(first.Permissions) != 1 || len(first.Topics["/"]) != 1 {
		t.Errorf("a change changed the version before: %+v", first)
	}
	putUser(t, c, "b", func(*user.User) {})
	putUser(t, c, "c", func(*user.User) {})
	if err := c.DeleteUser("b"); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteUser("b"); !errors.Is(err, ErrUnknownUser) {
		t.Errorf("deleted twice: %v", err)
	}
	_, err := c.PutUser("b", func(u *user.User, exists bool) error {
		if exists {
			t.Error("b exists")
		}
		u.Tags = []string{""}
		return nil
	})
	wantErr(t, err, user.ErrInvalid)

	again := open(t, store)
	if got := again.Users(); len(got) != 2 || !reflect.DeepEqual(got, c.Users()) || !reflect.DeepEqual(got[1], second) {
		t.Errorf("%+v, want %+v", got, c.Users())
	}
	if err := again.ForgetNamespace("/"); err != nil {
		t.Fatal(err)
	}
	u, err := open(t, store).User("우편/a")
	if err != nil || len(u.Permissions) != 1 || len(u.Topics) != 0 || len(second.Permissions) != 2 {
		t.Errorf("%+v %v", u, err)
	}
}

// A user that could not be stored is not let in, and the next change reads what there is.
func TestUserThatFails(t *testing.T) {
	store := NewMem()
	c := open(t, store)
	for _, applied := range []bool{false, true} {
		store.FailNext(errors.New("no"), applied)
		_, err := c.PutUser("a", func(*user.User, bool) error { return nil })
		wantErr(t, err, ErrStorage)
		if _, err := c.User("a"); !errors.Is(err, ErrUnknownUser) {
			t.Errorf("there is a user: %v", err)
		}
	}
	putUser(t, c, "b", func(*user.User) {})
	if _, err := c.User("a"); err != nil {
		t.Errorf("stored, but not seen: %v", err)
	}
}

func TestDamagedUsers(t *testing.T) {
	for payload, want := range map[string]error{
		`{"hash":{}}`:                  nil,
		`{"hash":{"algorithm":"new"}}`: ErrNewerVersion,
		`{"hash":{},"permissions":{"/":{"configure":"(","write":"","read":""}}}`: ErrNewerVersion,
		`{"hash":{},"limits":1}`: ErrDamaged,
		`{"hash":{"value":"!"}}`: ErrDamaged,
	} {
		store := NewMem()
		open(t, store)
		put(t, store, "user/a", 1, payload)
		if _, err := Open(Options{Store: store, Random: seeded(1)}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", payload, err, want)
		}
	}
}
