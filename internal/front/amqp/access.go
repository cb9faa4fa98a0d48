package amqp

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// access is who has a connection, and what he may do in its virtual host. It never changes; a connection gets another.
type access struct {
	user   *user.User
	rights *user.Rights
}

// question is one that a connection has asked: may its user do that with what has the name?
type question struct {
	p    user.Permission
	name string
}

// answersMax is how many answers a connection remembers.
const answersMax = 1_000

// defaultExchangeName is how permissions call the exchange without a name.
const defaultExchangeName = "amq.default"

// mayQueue tells whether the user may do that with a queue.
func (c *conn) mayQueue(p user.Permission, name string) error {
	a := c.access.Load()
	if a.rights.All() || c.allows(a, question{p, name}) {
		return nil
	}
	return refuse(wire.AccessRefused, "access to %s refused for user '%s'", queueNamed(name, c.vhost), c.user)
}

// mayExchange tells whether the user may do that with an exchange.
func (c *conn) mayExchange(p user.Permission, name string) error {
	a := c.access.Load()
	if a.rights.All() {
		return nil
	}
	if name == exchange.Default {
		name = defaultExchangeName
	}
	if c.allows(a, question{p, name}) {
		return nil
	}
	return refuse(wire.AccessRefused, "access to %s refused for user '%s'", exchangeNamed(name, c.vhost), c.user)
}

// allows remembers the answers, so that a pattern is matched once for a name.
func (c *conn) allows(a *access, q question) bool {
	if c.answersOf != a || len(c.answers) >= answersMax {
		c.answersOf, c.answers = a, map[question]bool{}
	}
	yes, known := c.answers[q]
	if !known {
		yes = a.rights.Allow(q.p, q.name)
		c.answers[q] = yes
	}
	return yes
}

// mayForward tells whether the user may make what passes messages on to an exchange. read tells whether they may be read
// from where they come from.
func (c *conn) mayForward(read error, to string) error {
	if read != nil {
		return read
	}
	return c.mayExchange(user.Write, to)
}

// mayKeys tells whether the user may write to, or read from, an exchange with these keys. They matter where it is of kind
// topic.
func (c *conn) mayKeys(p user.Permission, name string, keys ...string) error {
	rights := c.access.Load().rights
	if rights.All() || !rights.HasTopics(name) {
		return nil
	}
	x, err := c.s.broker.Exchange(c.vhost, name)
	switch {
	case errors.Is(err, exchange.ErrNotFound):
		return nil // the operation itself says so
	case err != nil:
		return refusal(err, c.vhost)
	case x.Kind != exchange.Topic:
		return nil
	}
	for _, key := range keys {
		if !rights.AllowKey(p, name, key) {
			return refuse(wire.AccessRefused, "access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'", key, name, c.vhost, c.user)
		}
	}
	return nil
}

// rightsKept is how many users' rights are remembered.
const rightsKept = 1_000

// rightsOf are the rights of users in virtual hosts. Connections share them: patterns take memory, and time to compile.
type rightsOf struct {
	mu   sync.Mutex
	list map[rightsKey]*user.Rights // guarded by mu
}

// rightsKey names a user, who never changes, and a virtual host.
type rightsKey struct {
	user  *user.User
	vhost string
}

func (r *rightsOf) find(u *user.User, vhost string) (rights *user.Rights, may bool) {
	if _, may = u.Permissions[vhost]; !may {
		return u.Rights(vhost)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := rightsKey{u, vhost}
	if rights = r.list[key]; rights == nil {
		if r.list == nil || len(r.list) >= rightsKept {
			r.list = map[rightsKey]*user.Rights{}
		}
		rights, _ = u.Rights(vhost)
		r.list[key] = rights
	}
	return rights, true
}

// forget lets go of users who may not be the same any more.
func (r *rightsOf) forget() {
	r.mu.Lock()
	r.list = nil
	r.mu.Unlock()
}

// enter takes up what the user may do in the virtual host.
func (c *conn) enter(u *user.User) error {
	rights, may := c.s.rights.find(u, c.vhost)
	if !may {
		return refuse(wire.NotAllowed, "access to vhost '%s' refused for user '%s'", c.vhost, c.user)
	}
	c.access.Store(&access{u, rights})
	c.s.review(c) // what has changed since the login
	return nil
}

// assume lets c do what a user may who has logged in elsewhere.
func (c *conn) assume(name string) error {
	u := user.Anyone(name)
	if len(c.s.broker.Users()) > 0 {
		var err error
		if u, err = c.s.broker.User(name); err != nil {
			return refuse(wire.AccessRefused, "user '%s' does not exist", name)
		}
	}
	return c.enter(u)
}

// usersChanged makes what connections may do what it is now.
func (s *Server) usersChanged() {
	s.rights.forget()
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range list {
		s.review(c)
	}
}

// review looks at a connection's user again. One that is gone, or was let in without a look at the password, has to go.
func (s *Server) review(c *conn) {
	for {
		a := c.access.Load()
		if a == nil || len(s.broker.Users()) == 0 && a.user.IsAnyone() {
			return
		}
		u, err := s.broker.User(a.user.Name)
		switch {
		case a.user.IsAnyone():
			c.force("there are users now, log in as one")
			return
		case err != nil:
			c.force("user '" + a.user.Name + "' was deleted")
			return
		case u == a.user:
			return
		}
		rights, _ := s.rights.find(u, c.vhost)
		if c.access.CompareAndSwap(a, &access{u, rights}) {
			return
		}
	}
}

// force makes the connection end with CONNECTION_FORCED.
func (c *conn) force(text string) {
	if c.forced.CompareAndSwap(nil, &text) && c.nc != nil {
		close(c.going)
		c.stopReading()
	}
}
