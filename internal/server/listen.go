package server

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// listen opens an endpoint's listener; nil if it is off.
func listen(name, addr string) (net.Listener, error) {
	if addr == Off {
		return nil, nil
	}
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		return ln, nil
	}
	what := fmt.Sprintf("--%s %s", name, addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: another process listens there: stop it, or choose another address "+
			"(port 0 picks a free one, off turns the endpoint off): %w", what, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s: this machine does not have that address: %w", what, syscall.EADDRNOTAVAIL)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: not allowed: ports below 1024 need privileges: %w", what, syscall.EACCES)
	}
	return nil, fmt.Errorf("%s: %w", what, err)
}

// listeners are those of the endpoints; nil are off.
type listeners struct{ kafka, aws, amqp, management, http, peer net.Listener }

// listen opens all listeners, or none.
func (c *Config) listen() (l listeners, err error) {
	management := c.ManagementAddr
	if c.AMQPAddr == Off {
		management = Off
	}
	peer := Off
	if c.Cluster != "" {
		peer = c.PeerAddr
	}
	addr := map[string]string{
		"kafka": c.KafkaAddr, "aws": c.AWSAddr, "amqp": c.AMQPAddr, "amqp-management": management, "http": c.HTTPAddr, "peer": peer,
	}
	for _, e := range l.each() {
		if *e.at, err = listen(e.name, addr[e.name]); err != nil {
			l.close()
			return listeners{}, err
		}
	}
	return l, nil
}

// namedListener is where the listener of an endpoint is, off ones included.
type namedListener struct {
	name string // of the endpoint, and of the setting that is its address
	at   *net.Listener
}

func (l *listeners) each() []namedListener {
	return []namedListener{
		{"kafka", &l.kafka}, {"aws", &l.aws}, {"amqp", &l.amqp}, {"amqp-management", &l.management}, {"http", &l.http}, {"peer", &l.peer},
	}
}

func (l *listeners) close() {
	for _, e := range l.each() {
		if *e.at != nil {
			(*e.at).Close()
		}
	}
}

// limited is a listener with a bound on open connections. Those beyond it wait
// in the kernel's queue, which is bounded too.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func limit(ln net.Listener, most int) *limited {
	return &limited{Listener: ln, slots: make(chan struct{}, most), done: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: c, give: func() { <-l.slots }}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	once sync.Once
	give func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.give)
	return err
}
