package management

import (
	"slices"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
)

// definitions answers with what exists, in the form that RabbitMQ and Naru import: of everything, or of one virtual host.
// Queues that go with a connection are left out.
func definitions(c *call) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	_, one := c.vars["vhost"]
	o := object{
		"rabbit_version": compatible, "rabbitmq_version": compatible, "product_name": "Naru", "product_version": c.cfg.Node().Version,
		"parameters": []object{}, "policies": []object{},
	}
	queues, exchanges, bindings, names := []object{}, []object{}, []object{}, []object{}
	for _, vhost := range vhosts {
		names = append(names, object{"name": vhost})
		q, x, b := c.topology(vhost)
		if one {
			for _, list := range [][]object{q, x, b} {
				for _, item := range list {
					delete(item, "vhost")
				}
			}
		}
		queues, exchanges, bindings = append(queues, q...), append(exchanges, x...), append(bindings, b...)
	}
	o["queues"], o["exchanges"], o["bindings"] = queues, exchanges, bindings
	if one {
		return reply{body: o}, nil
	}
	users := []object{}
	for _, u := range c.cfg.Broker.Users() {
		users = append(users, shownUser(u))
	}
	o["vhosts"], o["users"], o["global_parameters"] = names, users, []object{}
	o["permissions"] = orEmpty(c.permissionList(all))
	o["topic_permissions"] = orEmpty(c.topicPermissionList(all))
	return reply{body: o}, nil
}

func orEmpty(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

// topology is what a virtual host has, without what is there anyway.
func (c *call) topology(vhost string) (queues, exchanges, bindings []object) {
	list := c.cfg.Broker.NamespaceQueues(vhost)
	slices.SortFunc(list, func(a, b broker.NamedQueue) int { return compare(a.Name, b.Name) })
	hidden := map[string]bool{}
	for _, q := range list {
		d := c.cfg.AMQP.DescribeQueue(q.Queue)
		if d.Exclusive {
			hidden[q.Name] = true
			continue
		}
		queues = append(queues, object{"name": q.Name, "vhost": vhost, "durable": d.Durable, "auto_delete": d.AutoDelete, "arguments": d.Arguments})
	}
	for _, x := range c.cfg.Broker.Exchanges(vhost) {
		if !exchange.Predeclared(x.Name) {
			exchanges = append(exchanges, c.shownExchange(vhost, &x))
		}
	}
	for _, b := range c.cfg.Broker.Bindings(vhost) {
		if b.DestinationKind == exchange.ToQueue && hidden[b.Destination] {
			continue
		}
		o := c.shownBinding(vhost, &b)
		delete(o, "properties_key")
		bindings = append(bindings, o)
	}
	return queues, exchanges, bindings
}
