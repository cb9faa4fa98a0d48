package management

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/user"
)

// everything is what a user may do to have all permissions.
var everything = user.All

// hashPrefix stands before the name of a password's hash.
const hashPrefix = "rabbit_password_hashing_"

func tagsOf(u *user.User) []string { return append([]string{}, u.Tags...) }

func shownUser(u *user.User) object {
	o := object{"name": u.Name, "tags": tagsOf(u), "limits": object{}, "password_hash": "", "hashing_algorithm": hashPrefix + string(user.SaltedSHA256)}
	if !u.Hash.IsZero() {
		o["password_hash"] = base64.StdEncoding.EncodeToString(u.Hash.Value)
		o["hashing_algorithm"] = hashPrefix + string(u.Hash.Algorithm)
	}
	return o
}

func users(c *call) (reply, error) {
	var items []object
	for _, u := range c.cfg.Broker.Users() {
		items = append(items, shownUser(u))
	}
	return c.list(items)
}

func oneUser(c *call) (reply, error) {
	u, err := c.cfg.Broker.User(c.vars["user"])
	if err != nil {
		return reply{}, err
	}
	return c.one(shownUser(u))
}

// credentials are a user's in a request, and in definitions.
type credentials struct {
	Name      string          `json:"name"`
	Password  *string         `json:"password"`
	Hash      *string         `json:"password_hash"`
	Algorithm string          `json:"hashing_algorithm"`
	Tags      json.RawMessage `json:"tags"` // "a,b", or ["a","b"]
	Limits    map[string]any  `json:"limits"`
}

// spec is what the broker makes of credentials.
func (x *credentials) spec() (spec broker.UserSpec, err error) {
	spec.Tags = []string{}
	switch {
	case len(x.Tags) == 0:
		return spec, missing(nil, "tags")
	case x.Tags[0] == '"':
		var text string
		if json.Unmarshal(x.Tags, &text) != nil {
			return spec, badRequest("tags are no text")
		}
		for _, tag := range strings.Split(text, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				spec.Tags = append(spec.Tags, tag)
			}
		}
	default:
		if json.Unmarshal(x.Tags, &spec.Tags) != nil {
			return spec, badRequest("tags are no list of texts")
		}
	}
	switch {
	case x.Password != nil && x.Hash != nil:
		return spec, badRequest("password and password_hash exclude each other")
	case x.Password != nil:
		spec.Password = x.Password
	case x.Hash == nil || *x.Hash == "":
		spec.Hash = &user.Hash{} // no login with a password
	default:
		spec.Hash, err = hashOf(*x.Hash, x.Algorithm)
	}
	return spec, err
}

func hashOf(text, algorithm string) (*user.Hash, error) {
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badRequest("password_hash is not base64: %v", err)
	}
	h := &user.Hash{Algorithm: user.SaltedSHA256, Value: value}
	if algorithm != "" {
		h.Algorithm = user.Algorithm(strings.TrimPrefix(algorithm, hashPrefix))
	}
	return h, nil
}

func putUser(c *call) (reply, error) {
	var x credentials
	if err := c.decode(&x); err != nil {
		return reply{}, err
	}
	spec, err := x.spec()
	if err != nil {
		return reply{}, err
	}
	if len(c.cfg.Broker.Users()) == 0 && !slices.Contains(spec.Tags, user.TagAdministrator) {
		return reply{}, badRequest("the first user has to be an administrator: afterwards nobody else may make users")
	}
	made, err := c.cfg.Broker.PutUser(c.vars["user"], spec)
	return madeOrThere(made), err
}

func deleteUser(c *call) (reply, error) {
	return reply{}, c.cfg.Broker.DeleteUser(c.vars["user"])
}

// permissionList are those of the users, in the virtual hosts, that match.
func (c *call) permissionList(match func(name, vhost string) bool) (items []object) {
	for _, u := range c.cfg.Broker.Users() {
		for _, vhost := range c.cfg.Broker.Namespaces() {
			if p, ok := u.Permissions[vhost]; ok && match(u.Name, vhost) {
				items = append(items, object{"user": u.Name, "vhost": vhost, "configure": p.Configure, "write": p.Write, "read": p.Read})
			}
		}
	}
	return items
}

func (c *call) topicPermissionList(match func(name, vhost string) bool) (items []object) {
	for _, u := range c.cfg.Broker.Users() {
		for _, vhost := range c.cfg.Broker.Namespaces() {
			if !match(u.Name, vhost) {
				continue
			}
			for exchange, p := range u.Topics[vhost] {
				items = append(items, object{"user": u.Name, "vhost": vhost, "exchange": exchange, "write": p.Write, "read": p.Read})
			}
		}
	}
	slices.SortStableFunc(items, func(a, b object) int { return compare(a["exchange"], b["exchange"]) })
	return items
}

func all(string, string) bool { return true }

// pathMatch matches the user and the virtual host of the path, as far as it names them.
func (c *call) pathMatch(name, vhost string) bool {
	u, one := c.vars["user"]
	v, only := c.vars["vhost"]
	return (!one || u == name) && (!only || v == vhost)
}

// pathIsThere checks the user and the virtual host of the path.
func (c *call) pathIsThere() error {
	if _, err := c.vhosts(); err != nil {
		return err
	}
	if name, ok := c.vars["user"]; ok {
		if _, err := c.cfg.Broker.User(name); err != nil {
			return err
		}
	}
	return nil
}

func permissions(c *call) (reply, error)      { return c.list(c.permissionList(all)) }
func topicPermissions(c *call) (reply, error) { return c.list(c.topicPermissionList(all)) }

func listPermissions(of func(*call, func(name, vhost string) bool) []object) handler {
	return func(c *call) (reply, error) {
		if err := c.pathIsThere(); err != nil {
			return reply{}, err
		}
		return c.list(of(c, c.pathMatch))
	}
}

var (
	userPermissions       = listPermissions((*call).permissionList)
	vhostPermissions      = listPermissions((*call).permissionList)
	userTopicPermissions  = listPermissions((*call).topicPermissionList)
	vhostTopicPermissions = listPermissions((*call).topicPermissionList)
	topicPermission       = listPermissions((*call).topicPermissionList)
)

func permission(c *call) (reply, error) {
	if err := c.pathIsThere(); err != nil {
		return reply{}, err
	}
	items := c.permissionList(c.pathMatch)
	if len(items) == 0 {
		return reply{}, errNotFound
	}
	return c.one(items[0])
}

// patterns are a user's permissions in a request, and in definitions.
type patterns struct {
	User, VHost            string
	Exchange               *string
	Configure, Write, Read *string
}

func putPermission(c *call) (reply, error) {
	var x patterns
	if err := c.decode(&x); err != nil {
		return reply{}, err
	}
	if err := missing(map[string]bool{"configure": x.Configure != nil, "write": x.Write != nil, "read": x.Read != nil}, "configure", "write", "read"); err != nil {
		return reply{}, err
	}
	if err := c.pathIsThere(); err != nil {
		return reply{}, err
	}
	had := len(c.permissionList(c.pathMatch)) > 0
	err := c.cfg.Broker.SetPermissions(c.vars["user"], c.vars["vhost"], user.Permissions{Configure: *x.Configure, Write: *x.Write, Read: *x.Read})
	return madeOrThere(!had), err
}

func deletePermission(c *call) (reply, error) {
	if err := c.pathIsThere(); err != nil {
		return reply{}, err
	}
	return reply{}, c.cfg.Broker.ClearPermissions(c.vars["user"], c.vars["vhost"])
}

func putTopicPermission(c *call) (reply, error) {
	var x patterns
	if err := c.decode(&x); err != nil {
		return reply{}, err
	}
	if err := missing(map[string]bool{"exchange": x.Exchange != nil, "write": x.Write != nil, "read": x.Read != nil}, "exchange", "write", "read"); err != nil {
		return reply{}, err
	}
	if err := c.pathIsThere(); err != nil {
		return reply{}, err
	}
	err := c.cfg.Broker.SetTopicPermissions(c.vars["user"], c.vars["vhost"], *x.Exchange, user.TopicPermissions{Write: *x.Write, Read: *x.Read})
	return reply{status: http.StatusCreated}, err
}

func deleteTopicPermission(c *call) (reply, error) {
	if err := c.pathIsThere(); err != nil {
		return reply{}, err
	}
	return reply{}, c.cfg.Broker.ClearTopicPermissions(c.vars["user"], c.vars["vhost"], "")
}
