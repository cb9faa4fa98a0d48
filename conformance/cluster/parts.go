package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	accessKey, secretKey = "naru-access", "naru-secret"
	bucket               = "naru-cluster"
)

// freeAddress is one of a port that was free a moment ago.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// startEtcd runs an etcd in this process.
func startEtcd(dir string) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.LogOutputs = dir, "fatal", []string{"/dev/null"}
	for _, to := range []*[]url.URL{&cfg.ListenClientUrls, &cfg.ListenPeerUrls} {
		host, err := freeAddress()
		if err != nil {
			return nil, err
		}
		*to = []url.URL{{Scheme: "http", Host: host}}
	}
	cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = cfg.ListenClientUrls, cfg.ListenPeerUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case <-time.After(20 * time.Second):
		server.Close()
		return nil, errors.New("etcd is not ready after 20 s")
	}
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

func build(ctx context.Context, dir, out, what string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, what)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, text)
	}
	return nil
}

// startBucket builds and runs versitygw, over a directory.
func startBucket(ctx context.Context, dir string) (cmd *exec.Cmd, endpoint string, err error) {
	program := filepath.Join(dir, "versitygw")
	if err := build(ctx, ".", program, "github.com/versity/versitygw/cmd/versitygw"); err != nil {
		return nil, "", err
	}
	if err := os.MkdirAll(filepath.Join(dir, "s3", bucket), 0o755); err != nil {
		return nil, "", err
	}
	host, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	cmd, err = child(filepath.Join(dir, "versitygw.log"), []string{"ROOT_ACCESS_KEY_ID=" + accessKey, "ROOT_SECRET_ACCESS_KEY=" + secretKey},
		program, "--quiet", "--port", host, "--health", "/health", "posix", filepath.Join(dir, "s3"))
	if err != nil {
		return nil, "", err
	}
	return cmd, "http://" + host, until(ctx, 20*time.Second, func() bool { ok, _ := get("http://" + host + "/health"); return ok })
}

// broker is one Naru process after another, on the same ports.
type broker struct {
	number           int
	kafka, aws, http string
	dir              string
	naru             string
	args             []string
	cmd              *exec.Cmd
}

func (p *parts) newBroker(number int) (*broker, error) {
	b := &broker{number: number, dir: p.dir, naru: p.naru}
	for _, to := range []*string{&b.kafka, &b.aws, &b.http} {
		var err error
		if *to, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	b.args = []string{
		"serve", "--cluster", "s3://" + bucket + "/naru?endpoint=" + url.QueryEscape(p.endpoint), "--etcd", p.etcd.Clients[0].Addr().String(),
		"--lease", p.lease.String(), "--kafka", b.kafka, "--aws", b.aws, "--http", b.http, "--amqp", "off",
	}
	return b, nil
}

func (b *broker) start() (err error) {
	b.cmd, err = child(b.log(), []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey}, b.naru, b.args...)
	return err
}

func (b *broker) log() string { return filepath.Join(b.dir, fmt.Sprintf("broker-%d.log", b.number)) }

// end sends a signal and waits for the process.
func (b *broker) end(s syscall.Signal) error {
	if b.cmd == nil {
		return nil
	}
	cmd := b.cmd
	b.cmd = nil
	_ = cmd.Process.Signal(s)
	err := cmd.Wait()
	if s == syscall.SIGKILL {
		return nil
	}
	return err
}

func (b *broker) ready() bool {
	ok, _ := get("http://" + b.http + "/readyz")
	return ok
}

// asker asks without keeping connections, and not for long: a process may be stopped.
var asker = http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}

func get(url string) (ok bool, body string) {
	r, err := asker.Get(url)
	if err != nil {
		return false, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	return r.StatusCode == http.StatusOK, string(b)
}

// parts are all servers there are.
type parts struct {
	dir, naru, endpoint string
	lease               time.Duration
	etcd                *embed.Etcd
	gateway             *exec.Cmd
	brokers             []*broker
}

func startParts(ctx context.Context, dir, naru string, lease time.Duration) (p *parts, err error) {
	p = &parts{dir: dir, naru: naru, lease: lease}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.naru == "" {
		p.naru = filepath.Join(dir, "naru")
		if err := build(ctx, "../..", p.naru, "./cmd/naru"); err != nil {
			return p, err
		}
	}
	if p.etcd, err = startEtcd(filepath.Join(dir, "etcd")); err != nil {
		return p, err
	}
	if p.gateway, p.endpoint, err = startBucket(ctx, dir); err != nil {
		return p, err
	}
	for i := range 3 {
		b, err := p.newBroker(i + 1)
		if err != nil {
			return p, err
		}
		p.brokers = append(p.brokers, b)
		if err := b.start(); err != nil {
			return p, err
		}
	}
	return p, until(ctx, 30*time.Second, func() bool { return p.owner(nil) != nil })
}

// owner is the broker that serves, nil if none does, or only one that is not asked.
func (p *parts) owner(not *broker) *broker {
	for _, b := range p.brokers {
		if b != not && b.ready() {
			return b
		}
	}
	return nil
}

func (p *parts) close() {
	for _, b := range p.brokers {
		_ = b.end(syscall.SIGKILL)
	}
	if p.gateway != nil {
		_ = p.gateway.Process.Kill()
		_ = p.gateway.Wait()
	}
	if p.etcd != nil {
		p.etcd.Close()
	}
}

// logs are the ends of the brokers' logs.
func (p *parts) logs() string {
	var out strings.Builder
	for _, b := range p.brokers {
		text, _ := os.ReadFile(b.log())
		fmt.Fprintf(&out, "--- broker %d\n%s\n", b.number, text[max(0, len(text)-4000):])
	}
	return out.String()
}

// until waits for a condition.
func until(ctx context.Context, limit time.Duration, is func() bool) error {
	end := time.Now().Add(limit)
	for !is() {
		if time.Now().After(end) {
			return fmt.Errorf("not within %v", limit)
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
