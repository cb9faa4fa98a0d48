package management

import (
	"errors"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/user"
)

// defaultExchange is how a path says the name of the default exchange, which is empty.
const defaultExchange = "amq.default"

func exchangeNamed(name string) string {
	if name == defaultExchange {
		return exchange.Default
	}
	return name
}

func (s *Server) shownExchange(vhost string, x *exchange.Spec) object {
	return object{
		"name": x.Name, "vhost": vhost, "type": x.Kind.String(), "durable": x.Durable, "auto_delete": x.AutoDelete, "internal": x.Internal,
		"arguments": s.cfg.Arguments(x.Arguments),
	}
}

func exchanges(c *call) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	var items []object
	for _, vhost := range vhosts {
		for _, x := range c.cfg.Broker.Exchanges(vhost) {
			items = append(items, c.shownExchange(vhost, &x))
		}
	}
	return c.list(items)
}

// theExchange is the one that the path names.
func (c *call) theExchange() (exchange.Spec, error) {
	if _, err := c.vhosts(); err != nil {
		return exchange.Spec{}, err
	}
	return c.anExchange(exchangeNamed(c.vars["exchange"]))
}

// anExchange is the one of that name in the path's virtual host.
func (c *call) anExchange(name string) (exchange.Spec, error) {
	x, err := c.cfg.Broker.Exchange(c.vars["vhost"], name)
	if errors.Is(err, exchange.ErrNotFound) {
		return x, errNotFound
	}
	return x, c.explained(err)
}

func oneExchange(c *call) (reply, error) {
	x, err := c.theExchange()
	if err != nil {
		return reply{}, err
	}
	return c.one(c.shownExchange(c.vars["vhost"], &x))
}

func putExchange(c *call) (reply, error) {
	vhost, name := c.vars["vhost"], exchangeNamed(c.vars["exchange"])
	d := declaration{Type: exchange.Direct.String()}
	if err := c.decode(&d); err != nil {
		return reply{}, err
	}
	needs := []need{{user.Configure, name}}
	if to, ok := d.Arguments[exchange.ArgumentAlternate].(string); ok {
		needs = append(needs, need{user.Read, name}, need{user.Write, to})
	}
	if err := c.allowed(needs...); err != nil {
		return reply{}, err
	}
	made, err := c.cfg.AMQP.DeclareExchange(vhost, name, d.Type, bool(d.Durable), bool(d.AutoDelete), bool(d.Internal), d.Arguments)
	return madeOrThere(made), c.explained(err)
}

func deleteExchange(c *call) (reply, error) {
	vhost, name := c.vars["vhost"], exchangeNamed(c.vars["exchange"])
	if err := c.allowed(need{user.Configure, name}); err != nil {
		return reply{}, err
	}
	if _, err := c.theExchange(); err != nil {
		return reply{}, err
	}
	if exchange.Predeclared(name) || strings.HasPrefix(name, "amq.") {
		return reply{}, errRefused
	}
	err := c.cfg.Broker.DeleteExchange(vhost, name, c.query.Get("if-unused") == "true")
	switch {
	case errors.Is(err, exchange.ErrInUse):
		return reply{}, badRequest("exchange '%s' in vhost '%s' in use", name, vhost)
	case errors.Is(err, exchange.ErrNotFound):
		return reply{}, errNotFound
	}
	return reply{}, c.explained(err)
}

// mayKey looks at the permissions on an exchange's keys. Of one that is not there the operation itself says so.
func (c *call) mayKey(p user.Permission, name, key string) error {
	x, err := c.anExchange(name)
	switch {
	case errors.Is(err, errNotFound):
		return nil
	case err != nil:
		return err
	case x.Kind != exchange.Topic:
		return nil
	}
	if rights, _ := c.user.Rights(c.vars["vhost"]); !rights.AllowKey(p, name, key) {
		return errRefused
	}
	return nil
}

// bindingsOf are a virtual host's, those of the default exchange first.
func (s *Server) bindingsOf(vhost string) []exchange.Binding {
	var list []exchange.Binding
	for _, q := range s.cfg.Broker.NamespaceQueues(vhost) {
		list = append(list, exchange.Binding{Destination: q.Name, Key: q.Name})
	}
	slices.SortFunc(list, func(a, b exchange.Binding) int { return strings.Compare(a.Key, b.Key) })
	return append(list, s.cfg.Broker.Bindings(vhost)...)
}
