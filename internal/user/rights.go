package user

import (
	"regexp"
	"strings"
)

// Permission is what one may do with a queue or an exchange.
type Permission uint8

// Permissions.
const (
	Configure Permission = iota
	Write
	Read
)

// String is the word that users know it by.
func (p Permission) String() string { return [...]string{"configure", "write", "read"}[p] }

// Rights are what a user may do in a namespace. It never changes, and may be asked by
// many.
type Rights struct {
	all      bool
	patterns [3]*regexp.Regexp            // nil: matches nothing
	topics   map[string][2]*regexp.Regexp // by exchange: write, read
}

// Rights returns what the user may do in a namespace. Who may not enter it may do
// nothing there.
func (u *User) Rights(namespace string) (r *Rights, enter bool) {
	r = &Rights{all: u.anyone}
	p, ok := u.Permissions[namespace]
	if r.all || !ok {
		return r, r.all
	}
	for i, pattern := range [...]string{p.Configure, p.Write, p.Read} {
		r.patterns[i] = compile(pattern)
	}
	if len(u.Topics[namespace]) > 0 {
		r.topics = map[string][2]*regexp.Regexp{}
	}
	for exchange, t := range u.Topics[namespace] {
		r.topics[exchange] = [2]*regexp.Regexp{
			compile(expand(t.Write, u.Name, namespace)), compile(expand(t.Read, u.Name, namespace)),
		}
	}
	return r, true
}

// All tells whether nothing is refused.
func (r *Rights) All() bool { return r.all }

// Allow tells whether the user may do that with what has the name.
func (r *Rights) Allow(p Permission, name string) bool { return r.all || matches(r.patterns[p], name) }

// HasTopics tells whether keys matter for an exchange of kind topic.
func (r *Rights) HasTopics(exchange string) bool {
	_, ok := r.topics[exchange]
	return ok
}

// AllowKey tells whether the user may Write, or Read, messages with the key through an
// exchange of kind topic.
func (r *Rights) AllowKey(p Permission, exchange, key string) bool {
	t, ok := r.topics[exchange]
	return !ok || matches(t[p-Write], key)
}

// compile returns nil for a pattern that matches nothing. Check has seen it before.
func compile(pattern string) *regexp.Regexp {
	if pattern == "" {
		pattern = "^$"
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	return re
}

func matches(re *regexp.Regexp, name string) bool { return re != nil && re.MatchString(name) }

func expand(pattern, user, namespace string) string {
	return strings.NewReplacer("{username}", regexp.QuoteMeta(user), "{vhost}", regexp.QuoteMeta(namespace)).Replace(pattern)
}
