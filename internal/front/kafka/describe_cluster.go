package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeCluster (60), versions 0-2.
//
// Behaviour: the cluster's id, its live brokers, and the controller, as in Metadata (KIP-700).
//
// Deviations: there are no controller endpoints to ask (KIP-919):
// MISMATCHED_ENDPOINT_TYPE, as a Kafka broker answers. Authorized operations are
// never given (no authorizer).
var _ = answer(wire.KeyDescribeCluster, describeCluster)

// Endpoint types; on the wire: never renumber.
const (
	endpointBrokers     int8 = 1
	endpointControllers int8 = 2
)

func describeCluster(c *call, q *wire.DescribeClusterRequest) wire.Response {
	resp := &wire.DescribeClusterResponse{
		EndpointType: endpointBrokers, ControllerId: -1, ClusterAuthorizedOperations: notAsked,
	}
	if c.version >= 1 && q.EndpointType != endpointBrokers {
		resp.EndpointType = q.EndpointType
		resp.ErrorCode, resp.ErrorMessage = c.note(codeUnsupportedEndpoint), text("unknown endpoint type")
		if q.EndpointType == endpointControllers {
			resp.ErrorCode, resp.ErrorMessage = c.note(codeMismatchedEndpoint), text("this is a broker's endpoint, not a controller's")
		}
		return resp
	}
	v := c.conn.view()
	resp.ClusterId, resp.ControllerId = v.broker.ClusterID(), v.controller()
	for _, n := range v.nodes {
		resp.Brokers = append(resp.Brokers, wire.DescribeClusterResponseDescribeClusterBroker{BrokerId: n.id, Host: n.host, Port: n.port})
	}
	return resp
}
