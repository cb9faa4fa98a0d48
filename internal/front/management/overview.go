package management

import (
	"github.com/narumq/naru/internal/exchange"
)

// compatible is the version of RabbitMQ whose API this is; tools look at it to know what they may ask.
const compatible = "3.10.8"

func exchangeTypes() (list []object) {
	for _, kind := range []exchange.Kind{exchange.Direct, exchange.Fanout, exchange.Headers, exchange.Topic, exchange.Delayed} {
		list = append(list, object{"name": kind.String(), "description": "exchange of type " + kind.String(), "enabled": true})
	}
	return list
}

func listeners(n *Node) []object {
	list := []object{}
	for _, l := range n.Listeners {
		list = append(list, object{"node": n.Name, "protocol": l.Protocol, "ip_address": l.Host, "port": number(l.Port)})
	}
	return list
}

// queueTotals are the messages of a virtual host's queues, and how many queues there are.
func (s *Server) queueTotals(vhost string) (ready, unacknowledged int64, queues int) {
	for _, q := range s.cfg.Broker.NamespaceQueues(vhost) {
		st := q.Queue.Stats()
		ready += st.Ready + st.Delayed
		unacknowledged += st.InFlight
		queues++
	}
	return ready, unacknowledged, queues
}

func overview(c *call) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	var ready, unacknowledged int64
	var queues, exchanges int
	for _, vhost := range vhosts {
		r, u, n := c.queueTotals(vhost)
		ready, unacknowledged, queues = ready+r, unacknowledged+u, queues+n
		exchanges += len(c.cfg.Broker.Exchanges(vhost))
	}
	t, n := c.cfg.AMQP.Totals(), c.cfg.Node()
	rate := c.rates.of("overview of "+c.user.Name, map[string]int64{
		"publish": t.Published, "return_unroutable": t.Returned, "deliver": t.Delivered, "deliver_get": t.Delivered, "redeliver": t.Redelivered,
		"ack": t.Settled, "messages": ready + unacknowledged, "messages_ready": ready, "messages_unacknowledged": unacknowledged,
	})
	o := object{
		"management_version": compatible, "rabbitmq_version": compatible, "product_name": "Naru", "product_version": n.Version,
		"cluster_name": n.Cluster, "node": n.Name, "rates_mode": "basic", "exchange_types": exchangeTypes(),
		"erlang_version": "", "erlang_full_version": "", "disable_stats": false, "enable_queue_totals": false, "statistics_db_event_queue": 0,
		"message_stats": rate.stats("publish", "return_unroutable", "deliver", "deliver_get", "redeliver", "ack"),
		"queue_totals":  rate.stats("messages", "messages_ready", "messages_unacknowledged"),
		"object_totals": object{
			"connections": t.Connections, "channels": t.Channels, "consumers": t.Consumers, "queues": queues, "exchanges": exchanges,
		},
		"churn_rates": object{}, "contexts": []object{}, "listeners": []object{},
	}
	if c.has(monitoring) {
		o["listeners"] = listeners(&n)
	}
	return c.one(o)
}

func (s *Server) shownNode() object {
	n := s.cfg.Node()
	o := object{
		"name": n.Name, "type": "disc", "running": n.Problem == "", "os_pid": number(n.OSPid), "uptime": sinceMillis(n.Started),
		"processors": n.Processors, "mem_used": n.MemoryBytes, "mem_limit": n.MemoryMax, "mem_alarm": n.MemoryAlarm,
		"disk_free": n.FreeBytes, "disk_free_alarm": n.DiskAlarm, "db_dir": n.DataDir, "rates_mode": "basic", "exchange_types": exchangeTypes(),
		"auth_mechanisms": []object{
			{"name": "PLAIN", "description": "SASL PLAIN", "enabled": true}, {"name": "AMQPLAIN", "description": "AMQPLAIN", "enabled": true},
		},
		"applications": []object{{"name": "naru", "description": "Naru", "version": n.Version}},
		"partitions":   []object{}, "enabled_plugins": []string{}, "contexts": []object{}, "config_files": []string{}, "log_files": []string{},
		"run_queue": 0, "proc_used": n.Goroutines,
	}
	if n.Problem != "" {
		o["problem"] = n.Problem
	}
	return o
}

func nodes(c *call) (reply, error) { return c.list([]object{c.shownNode()}) }

func node(c *call) (reply, error) {
	if c.vars["node"] != c.cfg.Node().Name {
		return reply{}, errNotFound
	}
	return c.one(c.shownNode())
}

func clusterName(c *call) (reply, error) { return c.one(object{"name": c.cfg.Node().Cluster}) }

func whoami(c *call) (reply, error) {
	return c.one(object{"name": c.user.Name, "tags": tagsOf(c.user)})
}

func auth(c *call) (reply, error) {
	return c.one(object{"oauth_enabled": false, "enable_uaa": false, "uaa_client_id": "", "uaa_location": ""})
}
