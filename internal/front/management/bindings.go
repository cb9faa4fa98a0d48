package management

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/user"
)

func (s *Server) shownBinding(vhost string, b *exchange.Binding) object {
	to := "queue"
	if b.DestinationKind == exchange.ToExchange {
		to = "exchange"
	}
	arguments := s.cfg.Arguments(b.Arguments)
	return object{
		"source": b.Source, "vhost": vhost, "destination": b.Destination, "destination_type": to, "routing_key": b.Key,
		"arguments": arguments, "properties_key": quoted(b.Key) + argumentsHash(b.Key, arguments),
	}
}

// quoted is a key as a part of a path has it; "~" is what divides it from the arguments.
func quoted(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// argumentsHash tells bindings of one key apart. Its text is Naru's own; tools take it from lists.
func argumentsHash(key string, arguments object) string {
	switch {
	case len(arguments) > 0:
		b, err := json.Marshal(arguments)
		if err != nil {
			return "~"
		}
		sum := sha256.Sum256(b)
		return "~" + base64.RawURLEncoding.EncodeToString(sum[:9])
	case key == "":
		return "~"
	}
	return ""
}

// hasProps tells whether a part of a path names a binding. Tools that decode it once too often, or forget to encode it, are
// understood, as in RabbitMQ.
func (s *Server) hasProps(b *exchange.Binding, props string) bool {
	hash := argumentsHash(b.Key, s.cfg.Arguments(b.Arguments))
	if props == quoted(b.Key)+hash || props == b.Key+hash {
		return true
	}
	plain, err := url.PathUnescape(props)
	return err == nil && plain == b.Key+hash
}

// bound answers with the bindings that match.
func (c *call) bound(match func(*exchange.Binding) bool) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	var items []object
	for _, vhost := range vhosts {
		for _, b := range c.bindingsOf(vhost) {
			if match(&b) {
				items = append(items, c.shownBinding(vhost, &b))
			}
		}
	}
	return c.list(items)
}

func bindings(c *call) (reply, error) {
	return c.bound(func(*exchange.Binding) bool { return true })
}

func queueBindings(c *call) (reply, error) {
	if _, err := c.theQueue(); err != nil {
		return reply{}, err
	}
	return c.bound(func(b *exchange.Binding) bool {
		return b.DestinationKind == exchange.ToQueue && b.Destination == c.vars["queue"]
	})
}

func bindingsFrom(c *call) (reply, error) {
	x, err := c.theExchange()
	if err != nil {
		return reply{}, err
	}
	return c.bound(func(b *exchange.Binding) bool { return b.Source == x.Name })
}

func bindingsTo(c *call) (reply, error) {
	x, err := c.theExchange()
	if err != nil {
		return reply{}, err
	}
	return c.bound(func(b *exchange.Binding) bool {
		return b.DestinationKind == exchange.ToExchange && b.Destination == x.Name
	})
}

// ends are those of the path's bindings.
func (c *call) ends() (source, destination string, kind exchange.DestinationKind) {
	source = exchangeNamed(c.vars["source"])
	if name, ok := c.vars["queue"]; ok {
		return source, name, exchange.ToQueue
	}
	return source, exchangeNamed(c.vars["exchange"]), exchange.ToExchange
}

func bindingsBetween(c *call) (reply, error) {
	source, destination, kind := c.ends()
	if err := c.endsAreThere(source, destination, kind); err != nil {
		return reply{}, err
	}
	return c.bound(func(b *exchange.Binding) bool {
		return b.Source == source && b.Destination == destination && b.DestinationKind == kind
	})
}

func (c *call) endsAreThere(source, destination string, kind exchange.DestinationKind) error {
	if _, err := c.vhosts(); err != nil {
		return err
	}
	vhost := c.vars["vhost"]
	if _, err := c.anExchange(source); err != nil {
		return err
	}
	if kind == exchange.ToQueue {
		if _, err := c.cfg.Broker.NamespaceQueue(vhost, destination); errors.Is(err, catalog.ErrUnknownQueue) {
			return errNotFound
		}
		return nil
	}
	_, err := c.anExchange(destination)
	return err
}

// theBinding is the one that the path names.
func (c *call) theBinding() (*exchange.Binding, error) {
	source, destination, kind := c.ends()
	if err := c.endsAreThere(source, destination, kind); err != nil {
		return nil, err
	}
	for _, b := range c.bindingsOf(c.vars["vhost"]) {
		if b.Source == source && b.Destination == destination && b.DestinationKind == kind && c.hasProps(&b, c.vars["props"]) {
			return &b, nil
		}
	}
	return nil, errNotFound
}

func binding(c *call) (reply, error) {
	b, err := c.theBinding()
	if err != nil {
		return reply{}, err
	}
	return c.one(c.shownBinding(c.vars["vhost"], b))
}

func bind(c *call) (reply, error) {
	source, destination, kind := c.ends()
	var body struct {
		Key       string         `json:"routing_key"`
		Arguments map[string]any `json:"arguments"`
	}
	if err := c.decode(&body); err != nil {
		return reply{}, err
	}
	if err := c.allowed(need{user.Write, destination}, need{user.Read, source}); err != nil {
		return reply{}, err
	}
	if err := c.mayKey(user.Read, source, body.Key); err != nil {
		return reply{}, err
	}
	err := c.cfg.AMQP.Bind(c.vars["vhost"], source, destination, kind == exchange.ToQueue, body.Key, body.Arguments)
	if err != nil {
		return reply{}, c.explained(err)
	}
	props := quoted(body.Key) + argumentsHash(body.Key, body.Arguments)
	return reply{status: http.StatusCreated, location: url.PathEscape(destination) + "/" + url.PathEscape(props)}, nil
}

func unbind(c *call) (reply, error) {
	source, destination, _ := c.ends()
	if err := c.allowed(need{user.Write, destination}, need{user.Read, source}); err != nil {
		return reply{}, err
	}
	b, err := c.theBinding()
	if err != nil {
		return reply{}, err
	}
	if b.Source == exchange.Default {
		return reply{}, errRefused
	}
	if err := c.mayKey(user.Read, source, b.Key); err != nil {
		return reply{}, err
	}
	return reply{}, c.explained(c.cfg.Broker.Unbind(c.vars["vhost"], *b))
}
