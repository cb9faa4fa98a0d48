package kafka

import (
	"fmt"
	"strconv"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
)

// What the three APIs about settings share.

// Resource types; on the wire: never renumber.
const (
	resourceTopic  int8 = 2
	resourceBroker int8 = 4
)

var (
	errResource       = fault.New(fault.InvalidArgument, "settings are of topics and of the broker")
	errOtherBroker    = fault.New(fault.InvalidArgument, "no such broker")
	errBrokerSettings = fault.New(fault.InvalidArgument,
		"settings of the broker are given when it starts, by flag, environment or file, and cannot be changed while it runs")
)

// configSource is where a setting's value comes from, as the protocol counts
// (ConfigSource in DescribeConfigsResponse); on the wire: never renumber.
func configSource(s catalog.Source) int8 {
	switch s {
	case catalog.FromTopic:
		return 1 // DYNAMIC_TOPIC_CONFIG
	case catalog.FromBroker:
		return 4 // STATIC_BROKER_CONFIG
	}
	return 5 // DEFAULT_CONFIG
}

// configType is a setting's type as the protocol counts (KIP-569); on the wire:
// never renumber.
func configType(t catalog.ConfigType) int8 {
	switch t {
	case catalog.TypeBoolean:
		return 1
	case catalog.TypeString:
		return 2
	case catalog.TypeInt:
		return 3
	case catalog.TypeLong:
		return 5
	case catalog.TypeList:
		return 7
	}
	return 0
}

// checkBroker accepts this broker, and with "" all of them.
func (s *Server) checkBroker(name string) error {
	if name != "" && name != strconv.Itoa(int(s.broker.NodeID())) {
		return fmt.Errorf("%w: %q, the only one is %d", errOtherBroker, name, s.broker.NodeID())
	}
	return nil
}

// resource is what an alteration is about.
type resource struct {
	kind int8
	name string
}

// alter changes a resource's settings.
func (s *Server) alter(r resource, changes []catalog.Change, validateOnly bool) error {
	switch r.kind {
	case resourceTopic:
		if _, err := s.topic(r.name); err != nil {
			return err
		}
		return s.broker.AlterTopic(r.name, changes, validateOnly)
	case resourceBroker:
		if err := s.checkBroker(r.name); err != nil {
			return err
		}
		return errBrokerSettings
	}
	return fmt.Errorf("%w, not of resource type %d", errResource, r.kind)
}
