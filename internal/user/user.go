package user

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/narumq/naru/internal/fault"
)

// ErrInvalid is a user that cannot be. The text says why.
var ErrInvalid = fault.New(fault.InvalidArgument, "invalid user")

// Tags that mean something to Naru. Others are kept and shown.
const (
	TagAdministrator = "administrator"
	TagMonitoring    = "monitoring"
	TagManagement    = "management"
	TagPolicymaker   = "policymaker"
	// TagImpersonator lets a user publish under the names of others.
	TagImpersonator = "impersonator"
)

// User is who may log in. It never changes: a change makes another. On disk as JSON:
// never rename.
type User struct {
	Name string   `json:"-"`
	Hash Hash     `json:"hash"` // the zero Hash: nobody may log in with a password
	Tags []string `json:"tags,omitempty"`
	// Permissions by namespace. Who has none in a namespace may not enter it.
	Permissions map[string]Permissions `json:"permissions,omitempty"`
	// Topics are permissions on routing keys, by namespace and exchange of kind topic.
	// Without any, every key is allowed.
	Topics map[string]map[string]TopicPermissions `json:"topics,omitempty"`

	anyone bool
}

// Anyone is who comes in while there are no users: an administrator who may do
// everything, whatever the name.
func Anyone(name string) *User {
	return &User{Name: name, Tags: []string{TagAdministrator}, anyone: true}
}

// IsAnyone tells whether nobody has looked at the user's password.
func (u *User) IsAnyone() bool { return u.anyone }

// Permissions are what a user may do in a namespace: regular expressions.
type Permissions struct {
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// All are the permissions to do everything.
var All = Permissions{Configure: ".*", Write: ".*", Read: ".*"}

// TopicPermissions are which routing keys a user may write to and read from an
// exchange: regular expressions, in which {username} and {vhost} stand for the user's
// name and the namespace.
type TopicPermissions struct {
	Write string `json:"write"`
	Read  string `json:"read"`
}

// HasTag tells whether the user has a tag.
func (u *User) HasTag(tag string) bool { return slices.Contains(u.Tags, tag) }

// Check says why a user cannot be stored. Errors: ErrInvalid.
func (u *User) Check() error {
	if err := CheckName(u.Name); err != nil {
		return err
	}
	if err := u.Hash.check(); err != nil {
		return err
	}
	if len(u.Tags) > TagsMax {
		return invalid("%d tags, at most %d are allowed", len(u.Tags), TagsMax)
	}
	for _, tag := range u.Tags {
		if tag == "" || len(tag) > TagBytesMax || !utf8.ValidString(tag) {
			return invalid("tag of %d bytes, 1 to %d of UTF-8 are allowed", len(tag), TagBytesMax)
		}
	}
	return u.checkPermissions()
}

func (u *User) checkPermissions() error {
	if len(u.Permissions) > NamespacesMax {
		return invalid("permissions in %d namespaces, at most %d are allowed", len(u.Permissions), NamespacesMax)
	}
	for ns, p := range u.Permissions {
		if !utf8.ValidString(ns) {
			return invalid("namespace %q is not UTF-8", ns)
		}
		for _, pattern := range []string{p.Configure, p.Write, p.Read} {
			if err := checkPattern(pattern); err != nil {
				return err
			}
		}
	}
	n := 0
	for ns, exchanges := range u.Topics {
		n += len(exchanges)
		for exchange, t := range exchanges {
			if !utf8.ValidString(ns) || !utf8.ValidString(exchange) {
				return invalid("exchange %q of namespace %q is not UTF-8", exchange, ns)
			}
			for _, pattern := range []string{t.Write, t.Read} {
				if err := checkPattern(expand(pattern, u.Name, ns)); err != nil {
					return err
				}
			}
		}
	}
	if n > TopicsMax {
		return invalid("topic permissions on %d exchanges, at most %d are allowed", n, TopicsMax)
	}
	return nil
}

// CheckName says why a name cannot be a user's. Errors: ErrInvalid.
func CheckName(name string) error {
	if name == "" || len(name) > NameBytesMax || !utf8.ValidString(name) {
		return invalid("name of %d bytes, 1 to %d of UTF-8 are allowed", len(name), NameBytesMax)
	}
	return nil
}

func checkPattern(pattern string) error {
	if len(pattern) > PatternBytesMax {
		return invalid("pattern of %d bytes, at most %d are allowed", len(pattern), PatternBytesMax)
	}
	if _, err := regexp.Compile(pattern); err != nil {
		return invalid("pattern %q: %v (RE2 has no look-around and no back-references)", pattern, err)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
