// Command rabbit-hole drives the management API with rabbit-hole, the client for Go. MANAGEMENT_URL says where the broker
// is. It wants a user guest; the suite of rabbitmqadmin makes one.
//
// The suite was checked against RabbitMQ 3.10.8 (Debian 12).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/michaelklishin/rabbit-hole/v2"

	"github.com/narumq/naru/conformance/check"
)

const vhost = "hole/ü"

type suite struct {
	check.Suite
	c *rabbithole.Client
}

func main() {
	c, err := rabbithole.NewClient(cmp.Or(os.Getenv("MANAGEMENT_URL"), "http://127.0.0.1:15672"), "guest", "guest")
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(1)
	}
	s := &suite{Suite: check.Suite{Name: "rabbit-hole", Limit: time.Minute}, c: c}
	c.DeleteVhost(vhost)
	for _, x := range []struct {
		title string
		f     func() error
	}{
		{"overview, nodes, whoami, cluster name", s.overview},
		{"users, virtual hosts, permissions", s.users},
		{"queues", s.queues},
		{"exchanges and bindings", s.bindings},
		{"definitions", s.definitions},
		{"health checks", s.health},
		{"errors", s.errors},
	} {
		s.Run(x.title, func(context.Context) error { return x.f() })
	}
	c.DeleteVhost(vhost)
	c.DeleteUser("hole-user")
	s.Exit()
}

// done wants an answer of a status.
func done(status int) func(*http.Response, error) error {
	return func(r *http.Response, err error) error {
		if err == nil && r.StatusCode != status {
			err = fmt.Errorf("%s %s: status %d, want %d", r.Request.Method, r.Request.URL, r.StatusCode, status)
		}
		return err
	}
}

func equal[T any](got, want T) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%+v, want %+v", got, want)
	}
	return nil
}

func (s *suite) overview() error {
	o, err := s.c.Overview()
	if err != nil {
		return err
	}
	nodes, err := s.c.ListNodes()
	if err != nil {
		return err
	}
	if len(nodes) != 1 || nodes[0].Name != o.Node || !nodes[0].IsRunning {
		return fmt.Errorf("node %s, nodes %+v", o.Node, nodes)
	}
	node, err := s.c.GetNode(o.Node)
	if err != nil || node.Name != o.Node {
		return fmt.Errorf("node %+v, %w", node, err)
	}
	me, err := s.c.Whoami()
	name, nameErr := s.c.GetClusterName()
	if err := errors.Join(err, nameErr); err != nil {
		return err
	}
	return errors.Join(equal(me.Name, "guest"), equal(name.Name != "", true))
}

func (s *suite) users() error {
	everything := rabbithole.Permissions{Configure: ".*", Write: ".*", Read: ".*"}
	err := errors.Join(
		done(201)(s.c.PutVhost(vhost, rabbithole.VhostSettings{})),
		done(204)(s.c.PutVhost(vhost, rabbithole.VhostSettings{})),
		done(201)(s.c.PutUser("hole-user", rabbithole.UserSettings{Name: "hole-user", Password: "x", Tags: rabbithole.UserTags{"management", "own"}})),
		done(201)(s.c.UpdatePermissionsIn(vhost, "hole-user", everything)),
	)
	if err != nil {
		return err
	}
	_, err = s.c.UpdatePermissionsIn(vhost, "guest", everything)
	p, permErr := s.c.GetPermissionsIn(vhost, "hole-user")
	u, userErr := s.c.GetUser("hole-user")
	if err := errors.Join(err, permErr, userErr); err != nil {
		return err
	}
	list, err := s.c.ListPermissionsOf("hole-user")
	return errors.Join(err,
		equal(p, rabbithole.PermissionInfo{User: "hole-user", Vhost: vhost, Configure: ".*", Write: ".*", Read: ".*"}),
		equal(u.Tags, rabbithole.UserTags{"management", "own"}), equal(len(list), 1),
		done(204)(s.c.ClearPermissionsIn(vhost, "hole-user")), done(204)(s.c.DeleteUser("hole-user")))
}

func (s *suite) queues() error {
	settings := rabbithole.QueueSettings{Type: "classic", Durable: true, Arguments: map[string]any{"x-max-length": 5}}
	err := errors.Join(
		done(201)(s.c.DeclareQueue(vhost, "a/b ü", settings)), done(204)(s.c.DeclareQueue(vhost, "a/b ü", settings)),
		done(201)(s.c.DeclareQueue(vhost, "other", rabbithole.QueueSettings{})))
	if err != nil {
		return err
	}
	q, err := s.c.GetQueue(vhost, "a/b ü")
	if err != nil {
		return err
	}
	if q.Name != "a/b ü" || q.Vhost != vhost || !q.Durable || q.Arguments["x-max-length"] != 5.0 {
		return fmt.Errorf("queue %+v", q)
	}
	page, err := s.c.PagedListQueuesWithParametersIn(vhost, url.Values{"page": {"2"}, "page_size": {"1"}, "sort": {"name"}})
	if err != nil {
		return err
	}
	list, err := s.c.ListQueuesIn(vhost)
	return errors.Join(err, equal(len(list), 2), equal(page.PageCount, 2), equal(page.Items[0].Name, "other"),
		done(204)(s.c.PurgeQueue(vhost, "other")),
		done(204)(s.c.DeleteQueue(vhost, "other", rabbithole.QueueDeleteOptions{IfEmpty: true, IfUnused: true})))
}

func (s *suite) bindings() error {
	b := rabbithole.BindingInfo{
		Source: "x ü", Vhost: vhost, Destination: "a/b ü", DestinationType: "queue", RoutingKey: "a.*/ü", Arguments: map[string]any{"n": 1.0},
	}
	err := errors.Join(
		done(201)(s.c.DeclareExchange(vhost, "x ü", rabbithole.ExchangeSettings{Type: "topic", Durable: true})),
		done(201)(s.c.DeclareExchange(vhost, "y", rabbithole.ExchangeSettings{Type: "fanout"})),
		done(201)(s.c.DeclareBinding(vhost, b)),
		done(201)(s.c.DeclareBinding(vhost, rabbithole.BindingInfo{Source: "x ü", Destination: "y", DestinationType: "exchange", RoutingKey: "k"})),
	)
	if err != nil {
		return err
	}
	x, err := s.c.GetExchange(vhost, "x ü")
	if err != nil || x.Type != "topic" || !bool(x.Durable) {
		return fmt.Errorf("exchange %+v, %w", x, err)
	}
	from, err := s.c.ListExchangeBindingsWithSource(vhost, "x ü")
	if err != nil || len(from) != 2 {
		return fmt.Errorf("bindings %+v, %w", from, err)
	}
	between, err := s.c.ListQueueBindingsBetween(vhost, "x ü", "a/b ü")
	if err != nil || len(between) != 1 {
		return fmt.Errorf("bindings %+v, %w", between, err)
	}
	b.PropertiesKey = between[0].PropertiesKey
	if err := equal(between[0], b); err != nil {
		return err
	}
	return errors.Join(done(204)(s.c.DeleteBinding(vhost, b)), done(204)(s.c.DeleteExchange(vhost, "y")))
}

func (s *suite) definitions() error {
	d, err := s.c.ListDefinitions()
	if err != nil {
		return err
	}
	var mine *rabbithole.ExportedDefinitions
	if mine, err = s.c.ListVhostDefinitions(vhost); err != nil {
		return err
	}
	if len(*d.Queues) == 0 || len(*mine.Queues) != 1 || len(*mine.Exchanges) != 1 {
		return fmt.Errorf("definitions %+v", mine)
	}
	return nil // rabbit-hole 2.12 uploads permissions without names, which RabbitMQ refuses too
}

func (s *suite) health() error {
	alarms, err := s.c.HealthCheckAlarms()
	if err != nil || alarms.Status != "ok" {
		return fmt.Errorf("alarms %+v, %w", alarms, err)
	}
	vhosts, err := s.c.HealthCheckVirtualHosts()
	if err != nil || vhosts.Status != "ok" {
		return fmt.Errorf("virtual hosts %+v, %w", vhosts, err)
	}
	amqp, err := s.c.HealthCheckProtocolListener("amqp")
	if err != nil || amqp.Status != "ok" {
		return fmt.Errorf("protocol %+v, %w", amqp, err)
	}
	port, err := s.c.HealthCheckPortListener(1)
	if err != nil || port.Status != "failed" || port.Missing != 1 {
		return fmt.Errorf("port %+v, %w", port, err)
	}
	return nil
}

func (s *suite) errors() error {
	refused := func(status int) func(any, error) error {
		return func(_ any, err error) error {
			e, ok := err.(rabbithole.ErrorResponse)
			if !ok || e.StatusCode != status {
				return fmt.Errorf("error %v, want status %d", err, status)
			}
			return nil
		}
	}
	_, missing := s.c.GetQueue(vhost, "nothing")
	_, noVHost := s.c.GetVhost("nothing")
	_, differs := s.c.DeclareQueue(vhost, "a/b ü", rabbithole.QueueSettings{})
	wrong, _ := rabbithole.NewClient(s.c.Endpoint, "guest", "wrong")
	_, login := wrong.Whoami()
	if login == nil {
		return errors.New("a wrong password is let in")
	}
	return errors.Join(refused(404)(nil, missing), refused(404)(nil, noVHost), refused(400)(nil, differs))
}
