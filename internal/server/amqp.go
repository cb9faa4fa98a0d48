package server

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/narumq/naru/internal/front/amqp"
)

// amqpEndpoint answers AMQP clients, and beside them the tools of the management API.
type amqpEndpoint struct {
	server   *amqp.Server
	addr     net.Addr
	mgmt     *managementEndpoint // nil: off
	pressure *pressure
}

// serveAMQP begins to answer on ln, and the management API on management if that is not nil.
func (s *Server) serveAMQP(ln, management net.Listener) error {
	server, err := amqp.NewServer(amqp.Config{
		Broker: s.broker, Log: s.log, Version: s.version, ConnectionsMax: s.cfg.ConnectionsMax, Observer: s.metrics.amqpObserver(),
	})
	if err != nil {
		return err
	}
	if err := server.CleanUp(); err != nil {
		return err
	}
	if !loopback(s.cfg.AMQPAddr) && len(s.broker.Users()) == 0 {
		s.log.Warn("endpoint is open to other machines and there are no users: whoever reaches it can read, write and delete, "+
			"until `naru user add` makes the first", "endpoint", "amqp", "address", s.cfg.AMQPAddr)
	}
	e := &amqpEndpoint{server: server, addr: ln.Addr(), pressure: s.watchPressure(server)}
	if management != nil {
		e.mgmt = s.newManagement(management.Addr(), server)
	}
	s.amqp.Store(e) // before the first request asks for the endpoints
	go func() {
		if err := server.Serve(ln); err != nil {
			s.failed <- fmt.Errorf("amqp endpoint %s: %w", e.addr, err)
		}
	}()
	if management != nil {
		s.serveManagement(e.mgmt, management)
	}
	return nil
}

// closeAMQP answers what was read, and ends the endpoint if it is on.
func (s *Server) closeAMQP(ctx context.Context) error {
	e := s.amqp.Swap(nil)
	if e == nil {
		return nil
	}
	var problems []error
	if e.mgmt != nil {
		if err := e.mgmt.shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("amqp-management: requests did not end in time: %w", err))
		}
	}
	e.pressure.end()
	if err := e.server.Shutdown(ctx); err != nil {
		problems = append(problems, fmt.Errorf("amqp: requests did not end in time: %w", err))
	}
	return errors.Join(problems...)
}

// amqpObserver feeds the AMQP endpoint's connections.
func (m *metrics) amqpObserver() amqp.Observer {
	return amqp.Observer{
		Opened: func() {
			m.connections.Inc()
			m.connectionsAll.Inc()
		},
		Closed:    m.connections.Dec,
		Refused:   m.connectionsOver.Inc,
		Malformed: func(error) { m.malformed.Inc() },
	}
}
