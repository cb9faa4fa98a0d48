package kafka

import (
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// AlterConfigs (33), versions 0-2.
//
// Behaviour: replaces all settings of a topic: those not named go back to their
// defaults (KIP-133).
//
// Deviations: settings of the broker are refused: they are given at its start.
var _ = answer(wire.KeyAlterConfigs, alterConfigs)

func alterConfigs(c *call, q *wire.AlterConfigsRequest) wire.Response {
	resp := new(wire.AlterConfigsResponse)
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		r := &q.Resources[i]
		id := resource{r.ResourceType, r.ResourceName}
		err := error(errRepeated)
		if count[id] == 1 {
			err = c.alterConfigs(id, r, q.ValidateOnly)
		}
		out := wire.AlterConfigsResponseAlterConfigsResourceResponse{ResourceType: r.ResourceType, ResourceName: r.ResourceName}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = c.adminCode(err), textOf(err)
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp
}

func (c *call) alterConfigs(id resource, r *wire.AlterConfigsRequestAlterConfigsResource, validateOnly bool) error {
	var changes []catalog.Change
	named := map[string]bool{}
	for _, s := range r.Configs {
		if s.Value == nil {
			return fmt.Errorf("%w: %s", errNullConfig, s.Name)
		}
		if named[s.Name] {
			return fmt.Errorf("%s is %w", s.Name, errRepeated)
		}
		named[s.Name] = true
		changes = append(changes, catalog.Change{Name: s.Name, Value: s.Value, Op: catalog.Set})
	}
	if id.kind == resourceTopic {
		t, err := c.conn.s.topic(id.name)
		if err != nil {
			return err
		}
		for name := range t.Settings.Explicit {
			if !named[name] {
				changes = append(changes, catalog.Change{Name: name, Op: catalog.Delete})
			}
		}
	}
	return c.conn.s.alter(id, changes, validateOnly)
}
