package management

import "github.com/narumq/naru/internal/broker"

func (s *Server) shownVHost(name string) object {
	ready, unacknowledged, _ := s.queueTotals(name)
	description := ""
	if name == broker.DefaultNamespace {
		description = "Default virtual host"
	}
	o := object{
		"name": name, "description": description, "tags": []string{}, "metadata": object{"description": description, "tags": []string{}},
		"default_queue_type": "classic", "tracing": false, "cluster_state": object{s.cfg.Node().Name: "running"},
	}
	s.rates.of("vhost "+name, map[string]int64{
		"messages": ready + unacknowledged, "messages_ready": ready, "messages_unacknowledged": unacknowledged,
	}).add(o, "messages", "messages_ready", "messages_unacknowledged")
	return o
}

func vhosts(c *call) (reply, error) {
	names, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	var items []object
	for _, name := range names {
		items = append(items, c.shownVHost(name))
	}
	return c.list(items)
}

func vhost(c *call) (reply, error) {
	if _, err := c.vhosts(); err != nil {
		return reply{}, err
	}
	return c.one(c.shownVHost(c.vars["vhost"]))
}

// putVHost makes a virtual host. Who makes it may do everything in it, as in RabbitMQ. A description and tags are not kept.
func putVHost(c *call) (reply, error) {
	b, name := c.cfg.Broker, c.vars["vhost"]
	if b.HasNamespace(name) {
		return reply{}, nil
	}
	if err := b.CreateNamespace(name); err != nil {
		return reply{}, err
	}
	if !c.user.IsAnyone() {
		if err := b.SetPermissions(c.user.Name, name, everything); err != nil {
			return reply{}, err
		}
	}
	return madeOrThere(true), nil
}

func deleteVHost(c *call) (reply, error) {
	if _, err := c.vhosts(); err != nil {
		return reply{}, err
	}
	for _, x := range c.cfg.AMQP.Connections() {
		if x.VHost == c.vars["vhost"] {
			c.cfg.AMQP.CloseConnection(x.Name, "vhost '"+x.VHost+"' is deleted")
		}
	}
	return reply{}, c.cfg.Broker.DeleteNamespace(c.vars["vhost"])
}
