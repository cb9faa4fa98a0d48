package server

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// connectionsShown bounds a list of connections.
const connectionsShown = 1_000

// system is what the API tells of the server.
type system struct{ *Server }

// Status implements api.System.
func (s system) Status() *naruv1.Status {
	stored := s.broker.JournalStats().DiskBytes
	out := &naruv1.Status{
		Version: s.version, ClusterId: s.broker.ClusterID(), NodeId: s.broker.NodeID(), StartedTime: timestamppb.New(s.started),
		DataDir: s.cfg.keptIn(), StoredBytes: stored, Ready: true,
	}
	if free, err := s.broker.FreeBytes(); err == nil {
		out.FreeBytes = free
	}
	if err := s.Server.Ready(); err != nil {
		out.Ready, out.Problem = false, err.Error()
	}
	for _, e := range s.Endpoints() {
		out.Endpoints = append(out.Endpoints, &naruv1.Endpoint{Name: e.Name, Address: e.Addr})
	}
	return out
}

// Activity implements api.System.
func (s system) Activity(after time.Time) *naruv1.Activity { return s.activity.after(after) }

// Settings implements api.System.
func (s system) Settings() *naruv1.ListSettingsResponse {
	cfg, def := s.cfg, DefaultConfig()
	defaults := def.Settings()
	out := &naruv1.ListSettingsResponse{}
	for i, set := range cfg.Settings() {
		out.Settings = append(out.Settings, &naruv1.ServerSetting{Name: set.Name, Value: set.Get(), Help: set.Help, Overridden: set.Get() != defaults[i].Get()})
	}
	return out
}

// Connections implements api.System.
func (s system) Connections() *naruv1.ListConnectionsResponse {
	out := &naruv1.ListConnectionsResponse{Counts: s.connectionCounts()}
	delete(out.Counts, "all")
	if s.kafka != nil {
		for _, c := range s.kafka.Conns(connectionsShown) {
			out.Connections = append(out.Connections, &naruv1.Connection{
				Protocol: kafkaProtocol, RemoteAddress: c.Peer.String(), Client: strings.ToValidUTF8(c.Client, "\ufffd"), Since: timestamppb.New(c.Since), Requests: c.Requests,
			})
		}
	}
	for _, t := range []*connTable{&s.httpConns, &s.awsConns, &s.managementConns} {
		out.Connections = append(out.Connections, t.list(connectionsShown)...)
	}
	slices.SortFunc(out.Connections, func(a, b *naruv1.Connection) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), a.Since.AsTime().Compare(b.Since.AsTime()))
	})
	return out
}

// connectionCounts is by protocol, and of all.
func (s *Server) connectionCounts() map[string]int32 {
	out := map[string]int32{}
	if s.kafka != nil {
		out[kafkaProtocol] = int32(s.kafka.Connections())
	}
	out[httpProtocol], out[awsProtocol] = s.httpConns.count(), s.awsConns.count()
	out["all"] = out[kafkaProtocol] + out[httpProtocol] + out[awsProtocol]
	if e := s.amqp.Load(); e != nil {
		out[amqpProtocol] = int32(e.server.Connections())
		out["all"] += out[amqpProtocol]
		if e.mgmt != nil {
			out[managementProtocol] = s.managementConns.count()
			out["all"] += out[managementProtocol]
		}
	}
	return out
}

// connTable knows the connections of an HTTP server.
type connTable struct {
	protocol string
	mu       sync.Mutex // guards conns
	conns    map[net.Conn]*connEntry
}

type connEntry struct {
	since    time.Time
	requests atomic.Int64
}

// state is for http.Server.ConnState.
func (t *connTable) state(c net.Conn, to http.ConnState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch to {
	case http.StateNew:
		if t.conns == nil {
			t.conns = make(map[net.Conn]*connEntry)
		}
		t.conns[c] = &connEntry{since: time.Now()}
	case http.StateActive:
		if e := t.conns[c]; e != nil {
			e.requests.Add(1)
		}
	case http.StateClosed, http.StateHijacked:
		delete(t.conns, c)
	}
}

func (t *connTable) count() int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int32(len(t.conns))
}

func (t *connTable) list(n int) (out []*naruv1.Connection) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, e := range t.conns {
		if len(out) == n {
			break
		}
		out = append(out, &naruv1.Connection{Protocol: t.protocol, RemoteAddress: c.RemoteAddr().String(), Since: timestamppb.New(e.since), Requests: e.requests.Load()})
	}
	return out
}
