package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/narumq/naru/bench/internal/peer"
)

const (
	etcdCommand          = "serve-etcd" // runs this program as etcd, so that its CPU time is not the load generator's
	accessKey, secretKey = "naru-access", "naru-secret"
	bucket               = "naru-bench"
	startPatience        = 30 * time.Second
)

// serveEtcd serves clients at addr until it is ended.
func serveEtcd(dir, addr string) error {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel = dir, "error"
	cfg.ListenClientUrls = []url.URL{{Scheme: "http", Host: addr}}
	cfg.AdvertiseClientUrls = cfg.ListenClientUrls
	own, err := freeAddress()
	if err != nil {
		return err
	}
	cfg.ListenPeerUrls = []url.URL{{Scheme: "http", Host: own}}
	cfg.AdvertisePeerUrls = cfg.ListenPeerUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	defer server.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Err():
		return err
	}
}

// freeAddress is one of a port that was free a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// child starts a program that ends with this one, its output in a file.
func child(log string, env []string, name string, args ...string) (*exec.Cmd, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = f, f, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	return cmd, cmd.Start()
}

// parts are what brokers of a scene share: an etcd and a bucket, both new.
type parts struct {
	dir      string
	etcd     string // host:port
	endpoint string // of S3, as brokers are told: the counter's, if there is one
	counter  *counter
	children map[string]*exec.Cmd // by name
}

// The names of what brokers share.
const (
	etcdServer = "etcd"
	s3Server   = "versitygw"
)

// startParts starts etcd and versitygw in dir; counted puts a proxy before the bucket.
func startParts(ctx context.Context, c *command, dir string, counted bool) (p *parts, err error) {
	p = &parts{dir: dir, children: map[string]*exec.Cmd{}}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	if p.etcd, err = freeAddress(); err != nil {
		return p, err
	}
	if err := p.child(etcdServer, nil, self, etcdCommand, filepath.Join(dir, "etcd"), p.etcd); err != nil {
		return p, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "s3", bucket), 0o755); err != nil {
		return p, err
	}
	host, err := freeAddress()
	if err != nil {
		return p, err
	}
	env := []string{"ROOT_ACCESS_KEY_ID=" + accessKey, "ROOT_SECRET_ACCESS_KEY=" + secretKey}
	if err := p.child(s3Server, env, c.gateway, "--quiet", "--port", host, "--health", "/health", "posix", filepath.Join(dir, "s3")); err != nil {
		return p, err
	}
	p.endpoint = "http://" + host
	if err := errors.Join(answers(ctx, p.endpoint+"/health"), answers(ctx, "http://"+p.etcd+"/health")); err != nil {
		return p, err
	}
	if counted {
		p.counter, err = newCounter(p.endpoint)
		if err == nil {
			p.endpoint = p.counter.url
		}
	}
	return p, err
}

func (p *parts) child(name string, env []string, program string, args ...string) error {
	cmd, err := child(filepath.Join(p.dir, name+".log"), env, program, args...)
	if err == nil {
		p.children[name] = cmd
	}
	return err
}

func (p *parts) close() {
	if p.counter != nil {
		p.counter.close()
	}
	for _, cmd := range p.children {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// cpu is what one of them used so far, in seconds; none if it is not there.
func (p *parts) cpu(name string) float64 {
	cmd := p.children[name]
	if cmd == nil {
		return 0
	}
	used, _ := peer.CPU(cmd.Process.Pid) // it ends with us only
	return used.Seconds()
}

// answers waits until a URL is answered with 200.
func answers(ctx context.Context, url string) error {
	return until(ctx, startPatience, func() error {
		r, err := http.Get(url)
		if err != nil {
			return err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, r.Status)
		}
		return nil
	})
}

// until asks again until there is no error.
func until(ctx context.Context, limit time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
