package management

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/broker"
)

func (im *importing) exchange(x *defined, vhost string) {
	item := Item{Kind: "exchange", VHost: vhost, Name: x.Name}
	made, err := im.cfg.AMQP.DeclareExchange(vhost, x.Name, x.Type, bool(x.Durable), bool(x.AutoDelete), bool(x.Internal), x.Arguments)
	im.ended(item, made, im.explained(err))
}

func (im *importing) queue(x *defined, vhost string) {
	item := Item{Kind: "queue", VHost: vhost, Name: x.Name}
	made, err := im.cfg.AMQP.DeclareQueue(vhost, x.Name, bool(x.Durable), bool(x.AutoDelete), x.Arguments)
	im.ended(item, made, im.explained(err))
}

// binding binds. One between what is not supported is not supported either.
func (im *importing) binding(x *defined, vhost string) {
	item := Item{Kind: "binding", VHost: vhost, Name: fmt.Sprintf("%s -> %s %s, key %q", x.Source, x.DestinationType, x.Destination, x.Key)}
	for _, end := range []Item{{Kind: "exchange", VHost: vhost, Name: x.Source}, {Kind: x.DestinationType, VHost: vhost, Name: x.Destination}} {
		if im.lost[end] {
			item.Reason = end.Kind + " " + end.Name + " is not supported"
			note(&im.report.Unsupported, item)
			return
		}
	}
	before := im.cfg.Broker.BindingCount(vhost)
	err := im.cfg.AMQP.Bind(vhost, x.Source, x.Destination, x.DestinationType != "exchange", x.Key, x.Arguments)
	im.ended(item, im.cfg.Broker.BindingCount(vhost) > before, im.explained(err))
}

// policy is RabbitMQ's. It decides settings of the queues whose names match.
type policy struct {
	VHost, Name, Pattern string
	ApplyTo              string `json:"apply-to"`
	Priority             int
	Definition           map[string]any
}

// withoutMeaning are keys of policies about how RabbitMQ stores and copies a queue.
var withoutMeaning = []string{"ha-mode", "ha-params", "ha-promote-on-failure", "ha-promote-on-shutdown", "ha-sync-batch-size", "ha-sync-mode",
	"queue-master-locator", "queue-mode", "queue-version", "max-in-memory-bytes", "max-in-memory-length"}

// policies gives the queues that are there what the policies say of them. Policies themselves are not kept: a queue that is
// declared later gets what its arguments say.
func (im *importing) policies(list []policy) {
	for i := range list {
		list[i].VHost = im.in(list[i].VHost)
	}
	// Of those that match a queue one counts, the one of the highest priority.
	slices.SortStableFunc(list, func(a, b policy) int { return cmp.Compare(b.Priority, a.Priority) })
	decided := map[*broker.Queue]bool{}
	for i := range list {
		im.policy(&list[i], decided)
	}
}

func (im *importing) policy(p *policy, decided map[*broker.Queue]bool) {
	item := Item{Kind: "policy", VHost: p.VHost, Name: p.Name}
	pattern, err := regexp.Compile(p.Pattern)
	if err != nil || len(p.Pattern) > patternBytesMax {
		item.Reason = fmt.Sprintf("pattern %.60q cannot be used: %v", p.Pattern, err)
		note(&im.report.Unsupported, item)
		return
	}
	im.policyKeys(p, item)
	var applied, changed int
	if im.cfg.Broker.HasNamespace(p.VHost) {
		for _, q := range im.cfg.Broker.NamespaceQueues(p.VHost) {
			if decided[q.Queue] || !pattern.MatchString(q.Name) || !p.appliesTo(im.cfg.AMQP.DescribeQueue(q.Queue).Type) {
				continue
			}
			decided[q.Queue] = true
			differs, err := im.cfg.AMQP.ApplyPolicy(p.VHost, q.Name, p.Definition)
			if err != nil {
				im.ended(item, false, im.explained(err))
				return
			}
			applied++
			if differs {
				changed++
			}
		}
	}
	item.Reason = fmt.Sprintf("queues that are there and got it: %d; those declared later go by their arguments", applied)
	im.ended(item, changed > 0, nil)
}

// appliesTo tells whether a policy is for queues of a type. A stream is a topic with settings of its own.
func (p *policy) appliesTo(kind string) bool {
	switch p.ApplyTo {
	case "all", "queues", "":
		return kind != "stream"
	case "classic_queues":
		return kind == "classic"
	case "quorum_queues":
		return kind == "quorum"
	}
	return false
}

// policyKeys notes the keys that are not applied.
func (im *importing) policyKeys(p *policy, item Item) {
	for _, key := range slices.Sorted(maps.Keys(p.Definition)) {
		x := item
		x.Name += " " + key
		switch {
		case slices.Contains(im.cfg.PolicyKeys, key):
		case slices.Contains(withoutMeaning, key) || strings.HasPrefix(key, "ha-"):
			x.Reason = "it is about how RabbitMQ stores a queue"
			note(&im.report.Ignored, x)
		default:
			x.Reason = "no such setting can be given to what is there"
			note(&im.report.Unsupported, x)
		}
	}
}
