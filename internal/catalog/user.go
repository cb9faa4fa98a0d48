package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/user"
)

// UsersMax bounds the users.
const UsersMax = 10_000

// Users returns all users, sorted by name. Do not change the slice.
func (c *Catalog) Users() []*user.User { return *c.users.Load() }

// User returns the user of that name, or ErrUnknownUser.
func (c *Catalog) User(name string) (*user.User, error) {
	list := c.Users()
	i, ok := findUser(list, name)
	if !ok {
		return nil, fmt.Errorf("%w: %.60q", ErrUnknownUser, name)
	}
	return list[i], nil
}

func findUser(list []*user.User, name string) (int, bool) {
	return slices.BinarySearchFunc(list, name, func(u *user.User, n string) int { return strings.Compare(u.Name, n) })
}

// PutUser makes a user, or changes one: edit gets it as it is, or a new one, may
// change everything but the name, and says that it exists. The maps are edit's own. It is called
// again where another broker changed something meanwhile.
//
// Errors: user.ErrInvalid, ErrLimit, what edit returns, those of the store.
func (c *Catalog) PutUser(name string, edit func(u *user.User, exists bool) error) (*user.User, error) {
	return changed(c, func() (_ *user.User, p change, err error) {
		list := c.Users()
		i, exists := findUser(list, name)
		u := user.User{Name: name}
		if exists {
			u = cloneUser(list[i])
		} else if len(list) >= UsersMax {
			return nil, p, fmt.Errorf("%w: %d users", ErrLimit, UsersMax)
		}
		if err := edit(&u, exists); err != nil {
			return nil, p, err
		}
		u.Name = name
		if err := u.Check(); err != nil {
			return nil, p, err
		}
		return &u, change{[]Op{encodeUser(&u)}, func() { c.showUser(&u) }}, nil
	})
}

// DeleteUser removes a user. Errors: ErrUnknownUser, those of the store.
func (c *Catalog) DeleteUser(name string) error {
	_, err := changed(c, func() (none struct{}, p change, err error) {
		if _, err := c.User(name); err != nil {
			return none, p, err
		}
		return none, change{[]Op{{Key: prefixUser + name}}, func() { c.dropUser(name) }}, nil
	})
	return err
}

// ForgetNamespace takes away all permissions in a namespace, in one change.
func (c *Catalog) ForgetNamespace(namespace string) error {
	_, err := changed(c, func() (none struct{}, p change, err error) {
		list := slices.Clone(c.Users())
		for i, u := range list {
			_, may := u.Permissions[namespace]
			if _, topics := u.Topics[namespace]; !may && !topics {
				continue
			}
			edited := cloneUser(u)
			delete(edited.Permissions, namespace)
			delete(edited.Topics, namespace)
			list[i] = &edited
			p.ops = append(p.ops, encodeUser(&edited))
		}
		p.done = func() { c.users.Store(&list) }
		return none, p, nil
	})
	return err
}

// showUser shows a version of a user.
func (c *Catalog) showUser(u *user.User) {
	list := slices.Clone(c.Users())
	i, exists := findUser(list, u.Name)
	if exists {
		list[i] = u
	} else {
		list = slices.Insert(list, i, u)
	}
	c.users.Store(&list)
}

// dropUser shows that there is no user of that name.
func (c *Catalog) dropUser(name string) {
	list := slices.DeleteFunc(slices.Clone(c.Users()), func(u *user.User) bool { return u.Name == name })
	c.users.Store(&list)
}

// cloneUser makes one that may be changed without the other.
func cloneUser(u *user.User) user.User {
	out := *u
	out.Tags, out.Permissions = slices.Clone(u.Tags), maps.Clone(u.Permissions)
	out.Topics = maps.Clone(u.Topics)
	for ns, exchanges := range out.Topics {
		out.Topics[ns] = maps.Clone(exchanges)
	}
	return out
}

func encodeUser(u *user.User) Op { return encodeJSON(prefixUser+u.Name, u) }

func (l *loading) user(key string, payload []byte) error {
	var u user.User
	if err := decodeJSON(key, payload, &u); err != nil {
		return err
	}
	u.Name = strings.TrimPrefix(key, prefixUser)
	// What this version refuses was valid to the one that stored it.
	if err := u.Check(); err != nil {
		return fmt.Errorf("%w of Naru, perhaps: key %q: %w", ErrNewerVersion, key, err)
	}
	l.users = append(l.users, &u)
	return nil
}
