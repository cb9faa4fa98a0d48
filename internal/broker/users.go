package broker

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/user"
)

// ErrLoginRefused: no such user, or not the password. Which of them is nobody's business.
var ErrLoginRefused = fault.New(fault.PermissionDenied, "login refused")

// users are what the broker remembers of users beside the catalog.
//
// A password is hashed so slowly that a stolen catalog is of little use. Connections are
// not to pay for that each time: what was right once is recognised by a digest, which is
// in memory only and made with a key that this process has drawn.
type users struct {
	key   []byte
	slots chan struct{} // so many hash at a time: guessing does not take the machine

	mu       sync.Mutex
	known    map[string][sha256.Size]byte // guarded by mu; by name
	watchers map[int]func()               // guarded by mu
	last     int                          // guarded by mu: key of the last watcher
}

func (s *users) init() {
	s.key = make([]byte, sha256.Size)
	rand.Read(s.key) // never fails
	s.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	s.known, s.watchers = make(map[string][sha256.Size]byte), make(map[int]func())
}

// tell calls those who watch.
func (s *users) tell() {
	s.mu.Lock()
	list := slices.Collect(maps.Values(s.watchers))
	s.mu.Unlock()
	for _, f := range list {
		f()
	}
}

// Users returns all users, by name. Change neither the slice nor what it holds. While
// there are none, everybody is let in.
func (b *Broker) Users() []*user.User { return b.catalog.Users() }

// User returns a user, or catalog.ErrUnknownUser.
func (b *Broker) User(name string) (*user.User, error) { return b.catalog.User(name) }

// WatchUsers calls f after each change of users or permissions, before the call that
// changed them returns; f may be called by several at a time. stop ends that.
func (b *Broker) WatchUsers(f func()) (stop func()) {
	s := &b.users
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	key := s.last
	s.watchers[key] = f
	return func() {
		s.mu.Lock()
		delete(s.watchers, key)
		s.mu.Unlock()
	}
}

// UserSpec says what a user shall be.
type UserSpec struct {
	// Password, or the Hash of one that another broker made. Neither: it stays what it
	// is, and a new user has none. With the zero Hash nobody can log in by password.
	Password *string
	Hash     *user.Hash
	Tags     []string // nil: they stay; empty: none
}

// PutUser makes a user or changes one, and returns when that is durable. A new user has
// no permissions; those of one that exists stay.
//
// Errors: user.ErrInvalid, catalog.ErrLimit, those of the store.
func (b *Broker) PutUser(name string, spec UserSpec) (created bool, err error) {
	return b.putUser(name, spec, func(bool) error { return nil })
}

// CreateUser is PutUser for a user who does not exist. Errors: catalog.ErrUserExists,
// those of PutUser.
func (b *Broker) CreateUser(name string, spec UserSpec) error {
	_, err := b.putUser(name, spec, func(exists bool) error {
		if exists {
			return fmt.Errorf("%w: %.60q", catalog.ErrUserExists, name)
		}
		return nil
	})
	return err
}

// UpdateUser is PutUser for a user who exists. Errors: catalog.ErrUnknownUser, those of
// PutUser.
func (b *Broker) UpdateUser(name string, spec UserSpec) error {
	_, err := b.putUser(name, spec, func(exists bool) error {
		if !exists {
			return fmt.Errorf("%w: %.60q", catalog.ErrUnknownUser, name)
		}
		return nil
	})
	return err
}

// putUser is PutUser if may allows it.
func (b *Broker) putUser(name string, spec UserSpec, may func(exists bool) error) (created bool, err error) {
	hash := spec.Hash
	if spec.Password != nil {
		salt := make([]byte, user.SaltBytes)
		rand.Read(salt)
		derived, err := user.Derive(*spec.Password, salt, b.cfg.PasswordRounds)
		if err != nil {
			return false, err
		}
		hash = &derived
	}
	return created, b.changeUser(name, func(u *user.User, exists bool) error {
		created = !exists
		if err := may(exists); err != nil {
			return err
		}
		if hash != nil {
			u.Hash = *hash
		}
		if spec.Tags != nil {
			u.Tags = slices.Clone(spec.Tags)
		}
		return nil
	})
}

// changeUser changes a user in the catalog, and tells.
func (b *Broker) changeUser(name string, change func(u *user.User, exists bool) error) error {
	if _, err := b.catalog.PutUser(name, change); err != nil {
		return err
	}
	b.users.tell()
	return nil
}

// changeKnown changes a user that has to exist.
func (b *Broker) changeKnown(name string, change func(u *user.User)) error {
	return b.changeUser(name, func(u *user.User, exists bool) error {
		if !exists {
			return fmt.Errorf("%w: %.60q", catalog.ErrUnknownUser, name)
		}
		change(u)
		return nil
	})
}

// DeleteUser deletes a user with all permissions. After the last one, everybody is let
// in. Errors: catalog.ErrUnknownUser, those of the store.
func (b *Broker) DeleteUser(name string) error {
	if err := b.catalog.DeleteUser(name); err != nil {
		return err
	}
	b.users.mu.Lock()
	delete(b.users.known, name)
	b.users.mu.Unlock()
	b.users.tell()
	return nil
}

// SetPermissions says what a user may do in a namespace; to have some is to be let in.
//
// Errors: catalog.ErrUnknownUser, ErrUnknownNamespace, user.ErrInvalid for patterns,
// those of the store.
func (b *Broker) SetPermissions(name, ns string, p user.Permissions) error {
	if !b.HasNamespace(ns) {
		return fmt.Errorf("%w: %s", ErrUnknownNamespace, ns)
	}
	return b.changeKnown(name, func(u *user.User) { put(&u.Permissions, ns, p) })
}

// ClearPermissions keeps a user out of a namespace. To have had none is no error.
// Errors: catalog.ErrUnknownUser, those of the store.
func (b *Broker) ClearPermissions(name, ns string) error {
	return b.changeKnown(name, func(u *user.User) { delete(u.Permissions, ns) })
}

// SetTopicPermissions says which routing keys a user may write to and read from an
// exchange of kind topic. The exchange need not exist. Errors: as SetPermissions.
func (b *Broker) SetTopicPermissions(name, ns, exchange string, p user.TopicPermissions) error {
	if !b.HasNamespace(ns) {
		return fmt.Errorf("%w: %s", ErrUnknownNamespace, ns)
	}
	return b.changeKnown(name, func(u *user.User) {
		exchanges := u.Topics[ns]
		put(&exchanges, exchange, p)
		put(&u.Topics, ns, exchanges)
	})
}

// ClearTopicPermissions takes them away for an exchange, or for all of a namespace if
// exchange is empty: then all keys are allowed. Errors: catalog.ErrUnknownUser, those of
// the store.
func (b *Broker) ClearTopicPermissions(name, ns, exchange string) error {
	return b.changeKnown(name, func(u *user.User) {
		delete(u.Topics[ns], exchange)
		if exchange == "" || len(u.Topics[ns]) == 0 {
			delete(u.Topics, ns)
		}
	})
}

// forgetPermissions takes away all permissions in a namespace that is gone.
func (b *Broker) forgetPermissions(ns string) error {
	if err := b.catalog.ForgetNamespace(ns); err != nil {
		return err
	}
	b.users.tell()
	return nil
}

// Authenticate returns who has that name and password. While there are no users it is
// user.Anyone, whatever the password. The first time in a process takes some tenths of a
// second, and ctx bounds the wait for others who do the same.
//
// Errors: ErrLoginRefused, ctx's.
func (b *Broker) Authenticate(ctx context.Context, name, password string) (*user.User, error) {
	if len(b.Users()) == 0 {
		return user.Anyone(name), nil
	}
	u := b.userOrNobody(name, password)
	who, err := b.authenticate(ctx, u, password)
	if !errors.Is(err, ErrLoginRefused) || b.Alone() || b.missed() != nil {
		return who, err
	}
	if now := b.userOrNobody(name, password); now != u { // another broker made or changed the user
		return b.authenticate(ctx, now, password)
	}
	return who, err
}

// noUser has no password.
var noUser = &user.User{}

func (b *Broker) userOrNobody(name, password string) *user.User {
	u, err := b.User(name)
	if err != nil || len(password) > user.PasswordBytesMax {
		return noUser
	}
	return u
}

// authenticate is Authenticate for a user.
func (b *Broker) authenticate(ctx context.Context, u *user.User, password string) (*user.User, error) {
	s, digest := &b.users, b.users.digest(u, password)
	if s.knows(u.Name, digest) {
		return u, nil
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.knows(u.Name, digest) { // found while this one waited
		return u, nil
	}
	if u.Hash.IsZero() { // as slow as for others, so that nobody finds out who exists
		_, _ = user.Derive("nobody", make([]byte, user.SaltBytes), b.cfg.PasswordRounds)
		return nil, ErrLoginRefused
	}
	if !u.Hash.Verify(password) {
		return nil, ErrLoginRefused
	}
	s.mu.Lock()
	s.known[u.Name] = digest
	s.mu.Unlock()
	return u, nil
}

func (s *users) knows(name string, digest [sha256.Size]byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.known[name]
	return ok && hmac.Equal(known[:], digest[:])
}

// digest is of the password with the hash, which is another for the next password.
func (s *users) digest(u *user.User, password string) (sum [sha256.Size]byte) {
	mac := hmac.New(sha256.New, s.key)
	mac.Write(u.Hash.Value)
	mac.Write([]byte(password))
	mac.Sum(sum[:0])
	return sum
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}
