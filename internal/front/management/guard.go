package management

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/narumq/naru/internal/user"
)

// access is what a user needs for a call, beyond what the call itself looks at.
type access int

// Each of them includes those before it. They are RabbitMQ's tags.
const (
	managing   access = iota // one's own
	monitoring               // what others do, too
	administrating
)

// mayAsk keeps other pages of a browser out (Fetch standard, "Origin"; Fetch Metadata, "Sec-Fetch-Site"). Who is no browser
// sends neither.
func mayAsk(r *http.Request) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return errRefused
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return errRefused
		}
	}
	return nil
}

// login finds out who asks. While there are no users it is anyone, from this machine and by no name that a foreign page can
// have made up.
func (s *Server) login(r *http.Request) (*user.User, error) {
	name, password, given := r.BasicAuth()
	if !given {
		return nil, &problem{status: http.StatusUnauthorized}
	}
	u, err := s.cfg.Broker.Authenticate(r.Context(), name, password)
	switch {
	case err != nil:
		return nil, err
	case u.IsAnyone() && !local(r):
		return nil, &problem{http.StatusUnauthorized, "not_authorized", "there are no users yet: only this machine may ask"}
	}
	return u, nil
}

// local tells whether a request comes from this machine, and is not a browser's for a name that resolves to it.
func local(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !at.Addr().Unmap().IsLoopback() || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err = netip.ParseAddr(host)
	return err == nil || host == "localhost" || len(host) > 2 && host[0] == '['
}

// has tells whether the user's tags are enough.
func (c *call) has(who access) bool {
	u := c.user
	switch {
	case u.HasTag(user.TagAdministrator):
		return true
	case u.HasTag(user.TagMonitoring):
		return who <= monitoring
	}
	return who == managing && (u.HasTag(user.TagManagement) || u.HasTag(user.TagPolicymaker))
}

func (c *call) mayCall(who access) error {
	if !c.has(managing) {
		return &problem{http.StatusUnauthorized, "not_authorized", "Not management user"}
	}
	if !c.has(who) {
		return errRefused
	}
	return nil
}

// enters tells whether the user may look into a virtual host.
func (c *call) enters(vhost string) bool {
	if c.has(monitoring) {
		return true
	}
	_, ok := c.user.Rights(vhost)
	return ok
}

// vhosts are those that the call is about: the one of the path, or all that the user may look into.
func (c *call) vhosts() (list []string, err error) {
	if name, one := c.vars["vhost"]; one {
		if !c.cfg.Broker.HasNamespace(name) {
			return nil, errNotFound
		}
		if !c.enters(name) {
			return nil, errRefused
		}
		return []string{name}, nil
	}
	for _, name := range c.cfg.Broker.Namespaces() {
		if c.enters(name) {
			list = append(list, name)
		}
	}
	return list, nil
}

// need is a permission on what has the name.
type need struct {
	what user.Permission
	name string
}

// allowed checks that the path's virtual host is there, and that the user has the permissions in it: they are AMQP's, so
// that tags do not stand in for them.
func (c *call) allowed(needs ...need) error {
	vhost := c.vars["vhost"]
	if !c.cfg.Broker.HasNamespace(vhost) {
		return errNoVHost
	}
	rights, enter := c.user.Rights(vhost)
	if !enter {
		return errRefused
	}
	for _, n := range needs {
		if !rights.Allow(n.what, cmp.Or(n.name, defaultExchange)) { // the one without a name is what has none
			return errRefused
		}
	}
	return nil
}
