package management

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/user"
)

// shownQueue is a queue as tools see it.
func (s *Server) shownQueue(vhost, name string, q *broker.Queue) object {
	d, st := s.cfg.AMQP.DescribeQueue(q), q.Stats()
	messages := st.Ready + st.InFlight + st.Delayed
	rate := s.rates.of(q, map[string]int64{
		"publish": st.Sent, "deliver": st.Received, "deliver_get": st.Received, "ack": st.Acked, "redeliver": st.Redelivered,
		"messages": messages, "messages_ready": st.Ready + st.Delayed, "messages_unacknowledged": st.InFlight,
	})
	o := object{
		"name": name, "vhost": vhost, "durable": d.Durable, "auto_delete": d.AutoDelete, "exclusive": d.Exclusive, "arguments": d.Arguments,
		"type": d.Type, "node": s.cfg.Node().Name, "state": "running", "consumers": d.Consumers,
		"policy": nil, "operator_policy": nil, "effective_policy_definition": object{},
		"exclusive_consumer_tag": nil, "single_active_consumer_tag": nil,
		"message_stats": rate.stats("publish", "deliver", "deliver_get", "ack", "redeliver"),
	}
	rate.add(o, "messages", "messages_ready", "messages_unacknowledged")
	if d.Owner != "" {
		o["owner_pid_details"] = object{"name": d.Owner}
	}
	if d.SoleConsumer != "" {
		tag := "exclusive_consumer_tag"
		if d.Arguments["x-single-active-consumer"] == true {
			tag = "single_active_consumer_tag"
		}
		o[tag] = d.SoleConsumer
	}
	return o
}

func queues(c *call) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	var items []object
	for _, vhost := range vhosts {
		list := c.cfg.Broker.NamespaceQueues(vhost)
		slices.SortFunc(list, func(a, b broker.NamedQueue) int { return compare(a.Name, b.Name) })
		for _, q := range list {
			items = append(items, c.shownQueue(vhost, q.Name, q.Queue))
		}
	}
	return c.list(items)
}

// theQueue is the one that the path names.
func (c *call) theQueue() (*broker.Queue, error) {
	if _, err := c.vhosts(); err != nil {
		return nil, err
	}
	q, err := c.cfg.Broker.NamespaceQueue(c.vars["vhost"], c.vars["queue"])
	if errors.Is(err, catalog.ErrUnknownQueue) {
		return nil, errNotFound
	}
	return q, err
}

func queue(c *call) (reply, error) {
	q, err := c.theQueue()
	if err != nil {
		return reply{}, err
	}
	o := c.shownQueue(c.vars["vhost"], c.vars["queue"], q)
	details := []object{}
	for _, x := range c.cfg.AMQP.Consumers() {
		if x.VHost == c.vars["vhost"] && x.Queue == c.vars["queue"] {
			details = append(details, shownConsumer(&x))
		}
	}
	o["consumer_details"] = details
	return c.one(o)
}

// declaration is what a queue or an exchange is declared with.
type declaration struct {
	Type       string         `json:"type"`
	Durable    boolean        `json:"durable"`
	AutoDelete boolean        `json:"auto_delete"`
	Internal   boolean        `json:"internal"`
	Arguments  map[string]any `json:"arguments"`
}

// boolean is JSON's, or, as tools send it, a text.
type boolean bool

// UnmarshalJSON implements json.Unmarshaler.
func (b *boolean) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"true"`:
		*b = true
	case `false`, `"false"`, `null`, `""`:
		*b = false
	default:
		return badRequest("not_boolean: %.40s", text)
	}
	return nil
}

// integer is JSON's, or, as tools send it, a text.
type integer int

// UnmarshalJSON implements json.Unmarshaler.
func (n *integer) UnmarshalJSON(text []byte) error {
	i, err := strconv.Atoi(strings.Trim(string(text), `"`))
	if err != nil {
		return badRequest("not_integer: %.40s", text)
	}
	*n = integer(i)
	return nil
}

func putQueue(c *call) (reply, error) {
	vhost, name := c.vars["vhost"], c.vars["queue"]
	needs := []need{{user.Configure, name}}
	var d declaration
	if err := c.decode(&d); err != nil {
		return reply{}, err
	}
	if to, ok := d.Arguments["x-dead-letter-exchange"].(string); ok {
		needs = append(needs, need{user.Read, name}, need{user.Write, to})
	}
	if err := c.allowed(needs...); err != nil {
		return reply{}, err
	}
	made, err := c.cfg.AMQP.DeclareQueue(vhost, name, bool(d.Durable), bool(d.AutoDelete), d.Arguments)
	return madeOrThere(made), c.explained(err)
}

// madeOrThere is 201, or 204 for what was there.
func madeOrThere(made bool) reply {
	if made {
		return reply{status: http.StatusCreated}
	}
	return reply{}
}

func deleteQueue(c *call) (reply, error) {
	if err := c.allowed(need{user.Configure, c.vars["queue"]}); err != nil {
		return reply{}, err
	}
	if _, err := c.theQueue(); err != nil {
		return reply{}, err
	}
	err := c.cfg.AMQP.DeleteQueue(c.vars["vhost"], c.vars["queue"], c.query.Get("if-unused") == "true", c.query.Get("if-empty") == "true")
	return reply{}, c.explained(err)
}

func purgeQueue(c *call) (reply, error) {
	if err := c.allowed(need{user.Read, c.vars["queue"]}); err != nil {
		return reply{}, err
	}
	if _, err := c.theQueue(); err != nil {
		return reply{}, err
	}
	return reply{}, c.explained(c.cfg.AMQP.PurgeQueue(c.vars["vhost"], c.vars["queue"]))
}
