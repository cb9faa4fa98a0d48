package management

import (
	"slices"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/user"
)

// namespace makes a virtual host.
func (im *importing) namespace(name string) {
	there := im.cfg.Broker.HasNamespace(name)
	im.ended(Item{Kind: "vhost", Name: name}, !there, im.cfg.Broker.CreateNamespace(name))
}

// people makes users, and gives them their permissions. Users that nobody could log in as an administrator after are not made.
func (im *importing) people(file *definitionFile) {
	b := im.cfg.Broker
	if len(b.Users()) == 0 && len(file.Users) > 0 && !slices.ContainsFunc(file.Users, administrates) {
		for _, u := range file.Users {
			note(&im.report.Failed, Item{Kind: "user", Name: u.Name, Reason: "none of the users is an administrator: afterwards nobody could change them"})
		}
		return
	}
	// The administrators come first: with the first user everybody else has to log in.
	list := slices.Clone(file.Users)
	slices.SortStableFunc(list, func(x, y credentials) int { return compare(administrates(y), administrates(x)) })
	for i := range list {
		im.person(&list[i])
	}
	for _, p := range file.Permissions {
		im.permission(&p)
	}
	for _, p := range file.TopicPermissions {
		im.topicPermission(&p)
	}
}

func administrates(x credentials) bool {
	spec, err := x.spec()
	return err == nil && slices.Contains(spec.Tags, user.TagAdministrator)
}

func (im *importing) person(x *credentials) {
	item := Item{Kind: "user", Name: x.Name}
	spec, err := x.spec()
	if err != nil {
		im.ended(item, false, err)
		return
	}
	if len(x.Limits) > 0 {
		note(&im.report.Unsupported, Item{Kind: "user limits", Name: x.Name, Reason: "users have no limits of their own"})
	}
	if im.sameUser(x.Name, &spec) {
		im.ended(item, false, nil)
		return
	}
	_, err = im.cfg.Broker.PutUser(x.Name, spec)
	im.ended(item, true, err)
}

// sameUser tells whether a user is there as it is defined.
func (im *importing) sameUser(name string, spec *broker.UserSpec) bool {
	u, err := im.cfg.Broker.User(name)
	return err == nil && spec.Hash != nil && u.Hash.Equal(*spec.Hash) && slices.Equal(u.Tags, spec.Tags)
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func (im *importing) permission(x *patterns) {
	want := user.Permissions{Configure: text(x.Configure), Write: text(x.Write), Read: text(x.Read)}
	made := true
	if u, err := im.cfg.Broker.User(x.User); err == nil {
		have, ok := u.Permissions[x.VHost]
		made = !ok || have != want
	}
	var err error
	if made {
		err = im.cfg.Broker.SetPermissions(x.User, x.VHost, want)
	}
	im.ended(Item{Kind: "permission", VHost: x.VHost, Name: x.User}, made, err)
}

func (im *importing) topicPermission(x *patterns) {
	want, of := user.TopicPermissions{Write: text(x.Write), Read: text(x.Read)}, text(x.Exchange)
	made := true
	if u, err := im.cfg.Broker.User(x.User); err == nil {
		have, ok := u.Topics[x.VHost][of]
		made = !ok || have != want
	}
	var err error
	if made {
		err = im.cfg.Broker.SetTopicPermissions(x.User, x.VHost, of, want)
	}
	im.ended(Item{Kind: "topic permission", VHost: x.VHost, Name: x.User + " " + of}, made, err)
}
