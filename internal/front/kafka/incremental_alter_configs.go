package kafka

import (
	"fmt"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/fault"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// IncrementalAlterConfigs (44), versions 0-1.
//
// Behaviour: sets, deletes, appends to or subtracts from single settings of a
// topic, all of them or none (KIP-339).
//
// Deviations: settings of the broker are refused: they are given at its start.
var _ = answer(wire.KeyIncrementalAlterConfigs, incrementalAlterConfigs)

var errOperation = fault.New(fault.InvalidArgument, "unknown operation on a setting")

// operations by their number; on the wire: never renumber.
var operations = [...]catalog.ChangeOp{catalog.Set, catalog.Delete, catalog.Append, catalog.Subtract}

func incrementalAlterConfigs(c *call, q *wire.IncrementalAlterConfigsRequest) wire.Response {
	resp := new(wire.IncrementalAlterConfigsResponse)
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		r := &q.Resources[i]
		id := resource{r.ResourceType, r.ResourceName}
		err := error(errRepeated)
		if count[id] == 1 {
			var changes []catalog.Change
			if changes, err = incrementalChanges(r); err == nil {
				err = c.conn.s.alter(id, changes, q.ValidateOnly)
			}
		}
		out := wire.IncrementalAlterConfigsResponseAlterConfigsResourceResponse{ResourceType: r.ResourceType, ResourceName: r.ResourceName}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = c.adminCode(err), textOf(err)
		}
		resp.Responses = append(resp.Responses, out)
	}
	return resp
}

func incrementalChanges(r *wire.IncrementalAlterConfigsRequestAlterConfigsResource) ([]catalog.Change, error) {
	changes := make([]catalog.Change, 0, len(r.Configs))
	named := map[string]bool{}
	for _, s := range r.Configs {
		if named[s.Name] {
			return nil, fmt.Errorf("%s is %w", s.Name, errRepeated)
		}
		named[s.Name] = true
		if s.ConfigOperation < 0 || int(s.ConfigOperation) >= len(operations) {
			return nil, fmt.Errorf("%w: %s: %d", errOperation, s.Name, s.ConfigOperation)
		}
		op := operations[s.ConfigOperation]
		if op != catalog.Delete && s.Value == nil {
			return nil, fmt.Errorf("%w: %s", errNullValue, s.Name)
		}
		changes = append(changes, catalog.Change{Name: s.Name, Value: s.Value, Op: op})
	}
	return changes, nil
}

// errNullValue is INVALID_REQUEST here and INVALID_CONFIG (errNullConfig) in
// the older APIs, as in Kafka.
var errNullValue = fault.New(fault.InvalidArgument, "a setting needs a value unless it is deleted")
