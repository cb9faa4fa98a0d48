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
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// broker is one Naru process after another, on the same ports, with wires of its own to the other parts.
type broker struct {
	process
	number           int
	kafka, aws, http string
	amqp, management string // "off" unless asked for
	toEtcd, toBucket *link
	store            *storeGate
	peer             string // where it listens for other brokers
	fromPeers        *link  // where they find it; nil if nothing of that shall go wrong
	relay            *link  // for Kafka clients, who find it at the same host
}

const brokerCount = 3

func (p *parts) newBroker(number int) (b *broker, err error) {
	b = &broker{number: number, amqp: "off", management: "off"}
	addresses := []*string{&b.kafka, &b.aws, &b.http, &b.peer}
	if p.want.amqp {
		addresses = append(addresses, &b.amqp, &b.management)
	}
	for _, to := range addresses {
		if *to, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if b.store, err = newStoreGate(p.endpoint); err != nil {
		return nil, err
	}
	if b.toBucket, err = newLink(b.store.addr); err != nil {
		return nil, err
	}
	if b.toEtcd, err = newLink(p.etcdAddr); err != nil {
		return nil, err
	}
	b.log, b.program = filepath.Join(p.dir, fmt.Sprintf("broker-%d.log", number)), p.naru
	b.env = []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey}
	b.args = []string{
		"serve", "--cluster", "s3://" + bucket + "/naru?endpoint=" + url.QueryEscape("http://"+b.toBucket.addr()), "--etcd", b.toEtcd.addr(),
		"--lease", p.want.lease.String(), "--kafka", b.kafka, "--aws", b.aws, "--http", b.http, "--amqp", b.amqp, "--amqp-management", b.management, "--peer", b.peer,
	}
	if p.want.keys != "" {
		b.args = append(b.args, "--aws-keys", p.want.keys)
	}
	if p.want.peerLinks {
		err = b.standBehindLinks()
	}
	return b, err
}

// standBehindLinks lets other brokers find this one at another address of loopback, where the same ports are links to it.
func (b *broker) standBehindLinks() (err error) {
	host := fmt.Sprintf("127.0.1.%d", b.number)
	at := func(addr string) (*link, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return newLinkAt(net.JoinHostPort(host, port), addr)
	}
	if b.fromPeers, err = at(b.peer); err != nil {
		return err
	}
	if b.relay, err = at(b.kafka); err != nil {
		return err
	}
	b.args = append(b.args, "--advertise", host)
	return nil
}

// ready tells whether it serves clients.
func (b *broker) ready() bool {
	ok, _ := get("http://" + b.http + "/readyz")
	return ok
}

// up tells whether it serves, or would if it were its turn.
func (b *broker) up() bool {
	ok, body := get("http://" + b.http + "/readyz")
	return ok || strings.Contains(body, "standby")
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

// wants say what cluster it shall be.
type wants struct {
	naru  string
	s3    string // a versitygw binary; built if empty
	lease time.Duration
	amqp  bool
	keys  string // file of access keys; empty: any will do
	first int    // how many brokers run from the beginning
	// peerLinks puts links between the brokers too. They need more of loopback than 127.0.0.1, as Linux has.
	peerLinks bool
}

// parts are all servers there are.
type parts struct {
	want               wants
	dir, naru          string
	endpoint, etcdAddr string
	etcd, gateway      *process
	brokers            []*broker
}

func startParts(ctx context.Context, dir string, want wants) (p *parts, err error) {
	p = &parts{want: want, dir: dir, naru: want.naru}
	defer func() {
		if err != nil {
			err = fmt.Errorf("start: %w\n%s", err, p.logs())
			p.close()
		}
	}()
	if p.naru == "" {
		p.naru = filepath.Join(dir, "naru")
		if err := build(ctx, "../..", p.naru, "./cmd/naru"); err != nil {
			return p, err
		}
	}
	if p.etcd, p.etcdAddr, err = newEtcd(dir); err != nil {
		return p, err
	}
	if p.gateway, p.endpoint, err = newBucket(ctx, dir, want.s3); err != nil {
		return p, err
	}
	if err := errors.Join(p.etcd.start(), p.gateway.start()); err != nil {
		return p, err
	}
	if err := until(ctx, 30*time.Second, func() bool { return answers(p.endpoint) && accepts(p.etcdAddr) }); err != nil {
		return p, fmt.Errorf("etcd and versitygw: %w", err)
	}
	for i := range brokerCount {
		b, err := p.newBroker(i + 1)
		if err != nil {
			return p, err
		}
		p.brokers = append(p.brokers, b)
	}
	for _, b := range p.brokers[:want.first] {
		if err := b.start(); err != nil {
			return p, err
		}
	}
	return p, until(ctx, time.Minute, func() bool { return len(p.serving()) == want.first })
}

// serving are the brokers that serve clients now.
func (p *parts) serving() (list []*broker) {
	for _, b := range p.brokers {
		if b.cmd != nil && b.ready() {
			list = append(list, b)
		}
	}
	return list
}

func (p *parts) close() {
	for _, b := range p.brokers {
		_ = b.end(syscall.SIGKILL)
		for _, l := range []*link{b.toEtcd, b.toBucket, b.fromPeers, b.relay} {
			if l != nil {
				l.close()
			}
		}
		b.store.close()
	}
	for _, s := range []*process{p.gateway, p.etcd} {
		if s != nil {
			_ = s.end(syscall.SIGKILL)
		}
	}
}

// logs are the ends of the brokers' logs.
func (p *parts) logs() string {
	var out strings.Builder
	for _, b := range p.brokers {
		text, _ := os.ReadFile(b.log)
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

// peered tells whether brokers talk to each other, over wires that can be cut.
func (p *parts) peered() bool { return len(p.brokers) > 0 && p.brokers[0].fromPeers != nil }

// dump ends all brokers that are up, and has their goroutines in their logs.
func (p *parts) dump(ctx context.Context) {
	for _, b := range p.brokers {
		_ = b.signal(syscall.SIGQUIT) // one that is down has none
	}
	pause(ctx, 2*time.Second)
}
