package api

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/wrapperspb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
	"github.com/narumq/naru/internal/fault"
)

// GetStatus implements naruv1connect.SystemServiceHandler.
func (s *Server) GetStatus(context.Context, *naruv1.GetStatusRequest) (*naruv1.Status, error) {
	out := s.cfg.System.Status()
	for _, t := range s.broker.Topics() {
		if !t.Internal {
			out.Topics++
		}
	}
	out.Queues = int32(len(s.broker.Queues()))
	out.Groups = int32(len(s.broker.ListGroups(nil, nil)))
	return out, nil
}

// GetActivity implements naruv1connect.SystemServiceHandler.
func (s *Server) GetActivity(_ context.Context, in *naruv1.GetActivityRequest) (*naruv1.Activity, error) {
	var after time.Time
	if in.After != nil {
		if err := in.After.CheckValid(); err != nil {
			return nil, invalid("after: %v", err)
		}
		after = in.After.AsTime()
	}
	return s.cfg.System.Activity(after), nil
}

// ListConnections implements naruv1connect.SystemServiceHandler.
func (s *Server) ListConnections(context.Context, *naruv1.ListConnectionsRequest) (*naruv1.ListConnectionsResponse, error) {
	return s.cfg.System.Connections(), nil
}

// ListSettings implements naruv1connect.SystemServiceHandler.
func (s *Server) ListSettings(context.Context, *naruv1.ListSettingsRequest) (*naruv1.ListSettingsResponse, error) {
	return s.cfg.System.Settings(), nil
}

// GetCluster implements naruv1connect.SystemServiceHandler.
func (s *Server) GetCluster(ctx context.Context, _ *naruv1.GetClusterRequest) (*naruv1.Cluster, error) {
	return s.cfg.System.Cluster(ctx)
}

// The health protocol of gRPC (grpc.health.v1). Its messages have one field each, so
// that those of wrapperspb are the same bytes: HealthCheckRequest is a string,
// HealthCheckResponse an enum.
const (
	healthService = "grpc.health.v1.Health"
	healthPath    = "/" + healthService + "/"

	healthServing    = 1
	healthNotServing = 2

	healthEvery = time.Second // between looks of Watch
)

var errUnknownService = fault.New(fault.NotFound, "unknown service")

func (s *Server) health(options []connect.HandlerOption) http.Handler {
	known := map[string]bool{"": true}
	for _, name := range services {
		known[name] = true
	}
	state := func(service string) (*wrapperspb.Int32Value, error) {
		if !known[service] {
			return nil, errUnknownService
		}
		if s.cfg.System.Ready() != nil {
			return wrapperspb.Int32(healthNotServing), nil
		}
		return wrapperspb.Int32(healthServing), nil
	}
	mux := http.NewServeMux()
	mux.Handle(healthPath+"Check", connect.NewUnaryHandlerSimple(healthPath+"Check",
		func(_ context.Context, in *wrapperspb.StringValue) (*wrapperspb.Int32Value, error) {
			return state(in.GetValue())
		}, options...))
	mux.Handle(healthPath+"Watch", connect.NewServerStreamHandlerSimple(healthPath+"Watch",
		func(ctx context.Context, in *wrapperspb.StringValue, out *connect.ServerStream[wrapperspb.Int32Value]) error {
			tick := time.NewTicker(healthEvery)
			defer tick.Stop()
			for last := int32(-1); ; {
				now, err := state(in.GetValue())
				if err != nil {
					return err
				}
				if now.GetValue() != last {
					last = now.GetValue()
					if err := out.Send(now); err != nil {
						return err
					}
				}
				select {
				case <-tick.C:
				case <-ctx.Done():
					return s.ended(ctx)
				}
			}
		}, options...))
	return mux
}

// methods are the functions that REST paths stand for.
func (s *Server) methods() map[string]method {
	return map[string]method{
		"ListTopics": unary(s.ListTopics), "GetTopic": unary(s.GetTopic), "CreateTopic": unary(s.CreateTopic), "UpdateTopic": unary(s.UpdateTopic),
		"DeleteTopic": unary(s.DeleteTopic), "TrimTopic": unary(s.TrimTopic), "Produce": unary(s.Produce), "Read": unary(s.Read),

		"ListQueues": unary(s.ListQueues), "GetQueue": unary(s.GetQueue), "CreateQueue": unary(s.CreateQueue), "UpdateQueue": unary(s.UpdateQueue),
		"DeleteQueue": unary(s.DeleteQueue), "PurgeQueue": unary(s.PurgeQueue), "Send": unary(s.Send), "Receive": unary(s.Receive),
		"Ack": unary(s.Ack), "Nack": unary(s.Nack), "Reject": unary(s.Reject), "Extend": unary(s.Extend), "Peek": unary(s.Peek),
		"StartRedrive": unary(s.StartRedrive), "ListRedrives": unary(s.ListRedrives), "CancelRedrive": unary(s.CancelRedrive),

		"ListGroups": unary(s.ListGroups), "GetGroup": unary(s.GetGroup), "ResetOffsets": unary(s.ResetOffsets), "DeleteGroup": unary(s.DeleteGroup),

		"OpenReplyChannel": unary(s.OpenReplyChannel), "Request": unary(s.Request), "Collect": unary(s.Collect), "Reply": unary(s.Reply),
		"GetReplyStats": unary(s.GetReplyStats),

		"ListTriggers": unary(s.ListTriggers), "GetTrigger": unary(s.GetTrigger), "CreateTrigger": unary(s.CreateTrigger), "DeleteTrigger": unary(s.DeleteTrigger),

		"ListUsers": unary(s.ListUsers), "CreateUser": unary(s.CreateUser), "UpdateUser": unary(s.UpdateUser), "DeleteUser": unary(s.DeleteUser),
		"PermitUser": unary(s.PermitUser), "ForbidUser": unary(s.ForbidUser),

		"GetStatus": unary(s.GetStatus), "GetActivity": unary(s.GetActivity), "ListConnections": unary(s.ListConnections), "ListSettings": unary(s.ListSettings),
		"GetCluster": unary(s.GetCluster),
	}
}
