package server

import (
	"fmt"
	"net"

	"github.com/narumq/naru/internal/front/amqp"
)

// serveAMQP begins to answer on ln.
func (s *Server) serveAMQP(ln net.Listener) (err error) {
	s.amqp, err = amqp.NewServer(amqp.Config{
		Broker: s.broker, Log: s.log, Version: s.version, ConnectionsMax: s.cfg.ConnectionsMax, Observer: s.metrics.amqpObserver(),
	})
	if err != nil {
		return err
	}
	if err := s.amqp.CleanUp(); err != nil {
		return err
	}
	if !loopback(s.cfg.AMQPAddr) && len(s.broker.Users()) == 0 {
		s.log.Warn("endpoint is open to other machines and there are no users: whoever reaches it can read, write and delete, "+
			"until `naru user add` makes the first", "endpoint", "amqp", "address", s.cfg.AMQPAddr)
	}
	s.pressure = s.watchPressure(s.amqp)
	s.amqpAddr = ln.Addr()
	go func() {
		if err := s.amqp.Serve(ln); err != nil {
			s.failed <- fmt.Errorf("amqp endpoint %s: %w", ln.Addr(), err)
		}
	}()
	return nil
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
