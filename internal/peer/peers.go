package peer

import (
	"sync"
	"time"
)

// Peers are the clients of the other brokers, by number.
type Peers struct {
	cfg Config

	mu     sync.Mutex // guards what follows
	list   map[int32]*Client
	closed bool
}

// NewPeers makes an empty set.
func NewPeers(cfg Config) *Peers { return &Peers{cfg: cfg, list: make(map[int32]*Client)} }

// Client is that of a broker at an address. It does not connect yet. A broker whose
// address changed gets a new one, and the calls of the old one end.
func (p *Peers) Client(node int32, addr string) (*Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, notSent(errClosed)
	}
	if c := p.list[node]; c != nil {
		if c.addr == addr {
			return c, nil
		}
		p.drop(c)
	}
	p.tidy()
	c, err := NewClient(p.cfg, node, addr)
	if err != nil {
		return nil, notSent(err)
	}
	p.list[node] = c
	return c, nil
}

// tidy closes clients that nobody uses, and others if there are too many. Caller holds mu.
func (p *Peers) tidy() {
	now := time.Now()
	for _, c := range p.list {
		if c.idle(now) || len(p.list) >= peersMax {
			p.drop(c)
		}
	}
}

// drop closes a client. Caller holds mu.
func (p *Peers) drop(c *Client) {
	delete(p.list, c.node)
	go c.Close() // its calls' callbacks may ask for a client
}

// Keep closes the clients of brokers that are no longer there.
func (p *Peers) Keep(there func(node int32) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for node, c := range p.list {
		if !there(node) {
			p.drop(c)
		}
	}
}

// Close closes all clients, for good.
func (p *Peers) Close() {
	p.mu.Lock()
	list := p.list
	p.list, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range list {
		c.Close()
	}
}
