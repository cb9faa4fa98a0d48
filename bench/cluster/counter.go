package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// counter is a proxy before the bucket that counts what a bill would be about.
type counter struct {
	url     string
	server  *http.Server
	puts    atomic.Int64 // PUT, POST, and lists, which cost as much
	gets    atomic.Int64 // GET and HEAD of objects
	deletes atomic.Int64 // are free
	in, out atomic.Int64 // bytes of bodies, seen from the bucket
}

func newCounter(endpoint string) (*counter, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{url: "http://" + ln.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = counted{r.Body, &c.out}
			return nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256},
	}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.note(r)
		r.Body = counted{r.Body, &c.in}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = c.server.Serve(ln) }()
	return c, nil
}

func (c *counter) note(r *http.Request) {
	object := strings.Count(strings.Trim(r.URL.Path, "/"), "/") > 0
	switch {
	case r.Method == http.MethodDelete, r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		c.deletes.Add(1)
	case r.Method == http.MethodHead, r.Method == http.MethodGet && object:
		c.gets.Add(1)
	default:
		c.puts.Add(1)
	}
}

func (c *counter) close() { _ = c.server.Close() }

// counted counts what is read of a body.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// use is what the bucket and etcd were asked for until now.
type use struct {
	puts, gets, in, out  float64
	etcdCalls, etcdBytes float64
}

func (u use) since(b use) use {
	return use{u.puts - b.puts, u.gets - b.gets, u.in - b.in, u.out - b.out, u.etcdCalls - b.etcdCalls, u.etcdBytes - b.etcdBytes}
}

// used reads the counter, and what etcd says of itself.
func (p *parts) used() (u use, err error) {
	c := p.counter
	u = use{puts: float64(c.puts.Load()), gets: float64(c.gets.Load()), in: float64(c.in.Load()), out: float64(c.out.Load())}
	err = metrics("http://"+p.etcd+"/metrics", func(name, labels string, v float64) {
		switch name {
		case "grpc_server_handled_total":
			if strings.Contains(labels, `"unary"`) {
				u.etcdCalls += v
			}
		case "etcd_network_client_grpc_received_bytes_total", "etcd_network_client_grpc_sent_bytes_total":
			u.etcdBytes += v
		}
	})
	return u, err
}

// metrics reads all samples in Prometheus's text format.
func metrics(url string, each func(name, labels string, v float64)) error {
	r, err := http.Get(url)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, r.Status)
	}
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	var bad error
	for lines.Scan() {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		bad = errors.Join(bad, err)
		name, labels, _ := strings.Cut(line[:at], "{")
		each(name, labels, v)
	}
	return errors.Join(bad, lines.Err())
}
