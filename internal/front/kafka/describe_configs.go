package kafka

import (
	"fmt"
	"slices"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeConfigs (32), versions 1-4.
//
// Behaviour: the settings of topics and of this broker, all or by name, with
// synonyms (KIP-226) and documentation (KIP-569) on request.
//
// Deviations: settings of the broker are those that mean something here. There
// are none by default for all brokers (resource name ""): an empty list, as in
// Kafka while none was set. Loggers, client metrics and groups have no settings:
// INVALID_REQUEST.
var _ = answer(wire.KeyDescribeConfigs, describeConfigs)

func describeConfigs(c *call, q *wire.DescribeConfigsRequest) wire.Response {
	resp := new(wire.DescribeConfigsResponse)
	seen := map[resource]bool{}
	for i := range q.Resources {
		r := &q.Resources[i]
		id := resource{r.ResourceType, r.ResourceName}
		if seen[id] {
			continue // told already
		}
		seen[id] = true
		out := wire.DescribeConfigsResponseDescribeConfigsResult{ResourceType: r.ResourceType, ResourceName: r.ResourceName}
		settings, err := c.conn.s.settingsOf(r)
		if len(q.Resources) > entriesMax {
			settings, err = nil, errTooManyEntries
		}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = c.adminCode(err), textOf(err)
		}
		for k := range settings {
			if len(r.ConfigurationKeys) > 0 && !slices.Contains(r.ConfigurationKeys, settings[k].Name) {
				continue
			}
			out.Configs = append(out.Configs, describeSetting(&settings[k], q))
		}
		resp.Results = append(resp.Results, out)
	}
	return resp
}

func (s *Server) settingsOf(r *wire.DescribeConfigsRequestDescribeConfigsResource) ([]catalog.Described, error) {
	switch r.ResourceType {
	case resourceTopic:
		if err := catalog.CheckTopicName(r.ResourceName); err != nil {
			return nil, err
		}
		t, err := s.topic(r.ResourceName)
		if err != nil {
			return nil, err
		}
		return t.Settings.Describe(), nil
	case resourceBroker:
		if err := s.checkBroker(r.ResourceName); err != nil || r.ResourceName == "" {
			return nil, err
		}
		return s.broker.DescribeSettings(s.cfg.Settings), nil
	}
	return nil, fmt.Errorf("%w, not of resource type %d", errResource, r.ResourceType)
}

func describeSetting(d *catalog.Described, q *wire.DescribeConfigsRequest) wire.DescribeConfigsResponseDescribeConfigsResourceResult {
	out := wire.DescribeConfigsResponseDescribeConfigsResourceResult{
		Name: d.Name, Value: &d.Value, ReadOnly: d.ReadOnly, ConfigSource: configSource(d.Source), ConfigType: configType(d.Type),
	}
	if q.IncludeDocumentation {
		out.Documentation = &d.Doc
	}
	if q.IncludeSynonyms {
		for i := range d.Synonyms {
			s := &d.Synonyms[i]
			out.Synonyms = append(out.Synonyms, wire.DescribeConfigsResponseDescribeConfigsSynonym{
				Name: s.Name, Value: &s.Value, Source: configSource(s.Source),
			})
		}
	}
	return out
}
