package etcd

import (
	"net"
	"net/url"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// start starts an etcd with its own defaults, on ports that the system chose, in an
// empty directory.
func start(t testing.TB) *embed.Etcd {
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	client, peer := address(t), address(t)
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	return restart(t, cfg)
}

// restart starts an etcd on what an earlier one left.
func restart(t testing.TB, cfg *embed.Config) *embed.Etcd {
	cfg.LogLevel, cfg.LogOutputs = "fatal", []string{"/dev/null"}
	cfg.UnsafeNoFsync = true // the test's machine does not lose power
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-server.Server.StopNotify(): // the test did it
		default:
			server.Close()
		}
	})
	select {
	case <-server.Server.ReadyNotify():
	case <-time.After(20 * time.Second):
		t.Fatal("etcd is not ready after 20 s")
	}
	return server
}

// address is a URL of a free port.
func address(t testing.TB) url.URL {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return url.URL{Scheme: "http", Host: l.Addr().String()}
}

func endpoint(server *embed.Etcd) string { return server.Clients[0].Addr().String() }
