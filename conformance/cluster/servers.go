package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	accessKey, secretKey = "naru-access", "naru-secret"
	bucket               = "naru-cluster"
)

// Ports that are given away before somebody listens there are below those that Linux gives by itself (ip_local_port_range), so that no
// connection and no listener at port 0 takes one in between. They follow each other from a place of chance: several clusters may start at once.
const firstPort, lastPort = 10_000, 32_767

var nextPort = firstPort + rand.IntN(lastPort-firstPort)

// freeAddress is one of a port that was free a moment ago.
func freeAddress() (_ string, err error) {
	for range lastPort - firstPort {
		if nextPort++; nextPort > lastPort {
			nextPort = firstPort
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", nextPort)); err == nil {
			return ln.Addr().String(), ln.Close()
		}
	}
	return "", err
}

// process is a program that ends with this one, its output in a file. It can be started again.
type process struct {
	log     string
	env     []string
	program string
	args    []string
	cmd     *exec.Cmd // nil while it does not run
}

func (p *process) start() error {
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = f, f, append(os.Environ(), p.env...)
	// A group of its own: an interrupt of the terminal reaches this program only, which then ends all in good order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	return nil
}

func (p *process) signal(s syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	return p.cmd.Process.Signal(s)
}

// endsWithin is how long a process may take to end; one that takes longer says in its log what it is waiting for.
const endsWithin = 20 * time.Second

// end sends a signal and waits for the process.
func (p *process) end(s syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	cmd := p.cmd
	p.cmd = nil
	_ = cmd.Process.Signal(s)
	late := time.AfterFunc(endsWithin, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	defer late.Stop()
	err := cmd.Wait()
	if s == syscall.SIGKILL {
		return nil
	}
	return err
}

// newEtcd is this program once more, as an etcd (see serveEtcd): so that it can be stopped and killed, and nobody needs to install one.
func newEtcd(dir string) (p *process, client string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	if client, err = freeAddress(); err != nil {
		return nil, "", err
	}
	peer, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	return &process{log: filepath.Join(dir, "etcd.log"), program: self, args: []string{etcdCommand, filepath.Join(dir, "etcd"), client, peer}}, client, nil
}

const etcdCommand = "etcd"

// serveEtcd is an etcd until the process is ended: its arguments are a directory and the addresses for clients and peers.
func serveEtcd(args []string) error {
	if len(args) != 3 {
		return errors.New("etcd DIR CLIENT PEER")
	}
	cfg := embed.NewConfig()
	cfg.Dir, cfg.LogLevel, cfg.LogOutputs = args[0], "error", []string{"stderr"}
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{{Scheme: "http", Host: args[1]}}, []url.URL{{Scheme: "http", Host: args[2]}}
	cfg.AdvertiseClientUrls, cfg.AdvertisePeerUrls = cfg.ListenClientUrls, cfg.ListenPeerUrls
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	return <-server.Err()
}

func build(ctx context.Context, dir, out, what string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, what)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, text)
	}
	return nil
}

// newBucket is versitygw, which it builds if program is empty, to run over a directory.
func newBucket(ctx context.Context, dir, program string) (p *process, endpoint string, err error) {
	if program == "" {
		program = filepath.Join(dir, "versitygw")
		if err := build(ctx, ".", program, "github.com/versity/versitygw/cmd/versitygw"); err != nil {
			return nil, "", err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "s3", bucket), 0o755); err != nil {
		return nil, "", err
	}
	host, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	return &process{
		log: filepath.Join(dir, "versitygw.log"), env: []string{"ROOT_ACCESS_KEY_ID=" + accessKey, "ROOT_SECRET_ACCESS_KEY=" + secretKey},
		program: program, args: []string{"--quiet", "--port", host, "--health", "/health", "posix", filepath.Join(dir, "s3")},
	}, "http://" + host, nil
}

func answers(endpoint string) bool {
	ok, _ := get(endpoint + "/health")
	return ok
}

// accepts tells whether somebody listens.
func accepts(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}
