package kafka

import (
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeCluster (60), versions 0-2.
//
// Behaviour: the cluster's id, this broker, and those that stand by (KIP-700).
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
	b := c.conn.s.broker
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
	resp.ClusterId, resp.ControllerId = b.ClusterID(), b.NodeID()
	resp.Brokers = []wire.DescribeClusterResponseDescribeClusterBroker{{BrokerId: b.NodeID(), Host: c.conn.host, Port: c.conn.port}}
	for _, p := range c.conn.s.peers() {
		resp.Brokers = append(resp.Brokers, wire.DescribeClusterResponseDescribeClusterBroker{BrokerId: p.NodeID, Host: p.Host, Port: p.Port})
	}
	return resp
}
