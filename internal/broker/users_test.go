package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/user"
)

func putUser(t *testing.T, b *Broker, name, password string) {
	t.Helper()
	if _, err := b.PutUser(name, UserSpec{Password: &password}); err != nil {
		t.Fatal(err)
	}
}

func mayLogIn(t *testing.T, b *Broker, name, password string, want bool) *user.User {
	t.Helper()
	u, err := b.Authenticate(context.Background(), name, password)
	if (err == nil) != want || err != nil && !errors.Is(err, ErrLoginRefused) {
		t.Errorf("%s with %q: %v, want to be let in: %v", name, password, err, want)
	}
	return u
}

// Everybody is let in until there is a user; from then on users only, with their passwords, also after a restart.
func TestAuthenticate(t *testing.T) {
	w := newQueueWorld(t)
	if u := mayLogIn(t, w.b, "guest", "guest", true); !u.IsAnyone() || u.Name != "guest" {
		t.Errorf("%+v", u)
	}
	putUser(t, w.b, "anna", "나루")
	value, _ := base64.StdEncoding.DecodeString("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR")
	if _, err := w.b.PutUser("old", UserSpec{Hash: &user.Hash{Algorithm: user.SaltedSHA256, Value: value}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.b.PutUser("machine", UserSpec{Tags: []string{"monitoring"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		mayLogIn(t, w.b, "guest", "guest", false)
		mayLogIn(t, w.b, "", "", false)
		mayLogIn(t, w.b, "machine", "", false)
		for range 2 { // the second time it is known
			if u := mayLogIn(t, w.b, "anna", "나루", true); u == nil || u.IsAnyone() {
				t.Errorf("%+v", u)
			}
			mayLogIn(t, w.b, "anna", "나르", false)
		}
		mayLogIn(t, w.b, "old", "test12", true)
		mayLogIn(t, w.b, "old", "나루", false)
		w.restart()
	}
	putUser(t, w.b, "anna", "another")
	mayLogIn(t, w.b, "anna", "나루", false)
	mayLogIn(t, w.b, "anna", "another", true)
	if err := w.b.DeleteUser("anna"); err != nil {
		t.Fatal(err)
	}
	mayLogIn(t, w.b, "anna", "another", false)
}

// Who gives up does not wait for the others who hash.
func TestAuthenticateGivesUp(t *testing.T) {
	w := newQueueWorld(t)
	putUser(t, w.b, "anna", "x")
	for range cap(w.b.users.slots) {
		w.b.users.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.b.Authenticate(ctx, "anna", "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	w := newQueueWorld(t)
	if err := w.b.CreateNamespace("shop"); err != nil {
		t.Fatal(err)
	}
	putUser(t, w.b, "anna", "x")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	stop := w.b.WatchUsers(func() { told++ })
	must(w.b.SetPermissions("anna", "shop", user.All))
	stop()
	must(w.b.SetPermissions("anna", "shop", user.All))
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	must(w.b.SetPermissions("anna", DefaultNamespace, user.All))
	must(w.b.SetTopicPermissions("anna", "shop", "logs", user.TopicPermissions{Write: "a"}))
	must(w.b.SetTopicPermissions("anna", DefaultNamespace, "logs", user.TopicPermissions{Write: "a"}))
	must(w.b.SetTopicPermissions("anna", DefaultNamespace, "other", user.TopicPermissions{Write: "a"}))
	for _, err := range []error{w.b.SetPermissions("nobody", "shop", user.All), w.b.ClearPermissions("nobody", "shop"), w.b.DeleteUser("nobody")} {
		if !errors.Is(err, catalog.ErrUnknownUser) {
			t.Error(err)
		}
	}
	if err := w.b.SetPermissions("anna", "nowhere", user.All); !errors.Is(err, ErrUnknownNamespace) {
		t.Error(err)
	}
	if err := w.b.CreateUser("anna", UserSpec{}); !errors.Is(err, catalog.ErrUserExists) {
		t.Error(err)
	}
	if err := w.b.UpdateUser("nobody", UserSpec{}); !errors.Is(err, catalog.ErrUnknownUser) || len(w.b.Users()) != 1 {
		t.Error(err)
	}
	w.restart()
	u, err := w.b.User("anna")
	must(err)
	if len(u.Permissions) != 2 || u.Topics["shop"]["logs"].Write != "a" || len(u.Topics[DefaultNamespace]) != 2 {
		t.Errorf("%+v", u)
	}
	must(w.b.ClearTopicPermissions("anna", DefaultNamespace, "logs"))
	must(w.b.ClearPermissions("anna", DefaultNamespace))
	must(w.b.DeleteNamespace("shop"))
	must(w.b.CreateNamespace("shop"))
	u, _ = w.b.User("anna")
	if len(u.Permissions) != 0 || len(u.Topics) != 1 || len(u.Topics[DefaultNamespace]) != 1 {
		t.Errorf("%+v", u)
	}
	must(w.b.ClearTopicPermissions("anna", DefaultNamespace, ""))
	if u, _ = w.b.User("anna"); len(u.Topics) != 0 {
		t.Errorf("%+v", u)
	}
}

// Logins of one process cost a slow hash once.
func BenchmarkAuthenticate(b *testing.B) {
	broker, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer broker.Close()
	password := "x"
	if _, err := broker.PutUser("anna", UserSpec{Password: &password}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := broker.Authenticate(context.Background(), "anna", password); err != nil {
			b.Fatal(err)
		}
	}
}
