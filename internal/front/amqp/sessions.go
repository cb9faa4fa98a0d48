package amqp

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// ConnectionInfo tells of a connection to those who look after the broker.
type ConnectionInfo struct {
	Name             string // PEER -> LISTENER, as RabbitMQ names it
	User, VHost      string
	Host, PeerHost   string
	Port, PeerPort   int
	Mechanism        string
	ClientProperties map[string]any // as Plain has them
	Channels         int
	ChannelMax       int
	FrameBytesMax    int
	HeartbeatSeconds int
	Since            time.Time
	Received, Sent   int64 // bytes
	Reads, Writes    int64
}

// ChannelInfo tells of a channel.
type ChannelInfo struct {
	Connection, User, VHost  string
	PeerHost                 string
	PeerPort                 int
	Number                   int
	Consumers                int
	Unacknowledged           int
	Prefetch, GlobalPrefetch int // 0: no limit
	Confirms, Transactional  bool
}

// ConsumerInfo tells of a consumer. Those of direct replies are left out.
type ConsumerInfo struct {
	Connection, User, VHost, Queue, Tag string
	PeerHost                            string
	PeerPort                            int
	Channel                             int
	Prefetch                            int
	AckRequired, Exclusive, Active      bool
	Arguments                           map[string]any // as Plain has them
}

// counted counts what goes through a connection.
type counted struct {
	net.Conn
	received, sent, reads, writes atomic.Int64
}

// Read implements net.Conn.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.received.Add(int64(n))
	c.reads.Add(1)
	return n, err
}

// Write implements net.Conn.
func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.sent.Add(int64(n))
	c.writes.Add(1)
	return n, err
}

// name is how RabbitMQ names a connection.
func (c *conn) name() string { return c.nc.RemoteAddr().String() + " -> " + c.nc.LocalAddr().String() }

func hostPort(a net.Addr) (string, int) {
	host, port, _ := net.SplitHostPort(a.String())
	n, _ := strconv.Atoi(port)
	return host, n
}

func (c *conn) addChannel(ch *channel) {
	c.list.Lock()
	c.channels[ch.id] = ch
	c.list.Unlock()
	c.nChannels.Store(int32(len(c.channels)))
}

func (c *conn) dropChannel(id uint16) {
	c.list.Lock()
	delete(c.channels, id)
	c.list.Unlock()
	c.nChannels.Store(int32(len(c.channels)))
}

// open are the connections that are past their handshake, by age.
func (s *Server) open() []*conn {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		if c.opened.Load() {
			list = append(list, c)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *conn) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.name(), b.name())) })
	return list
}

// ConnectionList tells of the connections that are open, the oldest first.
func (s *Server) ConnectionList() (list []ConnectionInfo) {
	for _, c := range s.open() {
		x := ConnectionInfo{
			Name: c.name(), User: c.user, VHost: c.vhost, Mechanism: c.mechanism, ClientProperties: Plain(c.client),
			Channels: int(c.nChannels.Load()), ChannelMax: c.channelMax, FrameBytesMax: int(c.frameMax),
			HeartbeatSeconds: int(c.beat / time.Second), Since: c.since,
			Received: c.nc.received.Load(), Sent: c.nc.sent.Load(), Reads: c.nc.reads.Load(), Writes: c.nc.writes.Load(),
		}
		x.Host, x.Port = hostPort(c.nc.LocalAddr())
		x.PeerHost, x.PeerPort = hostPort(c.nc.RemoteAddr())
		list = append(list, x)
	}
	return list
}

// channelList are a connection's channels, by number.
func (c *conn) channelList() []*channel {
	c.list.Lock()
	defer c.list.Unlock()
	list := make([]*channel, 0, len(c.channels))
	for _, ch := range c.channels {
		list = append(list, ch)
	}
	slices.SortFunc(list, func(a, b *channel) int { return cmp.Compare(a.id, b.id) })
	return list
}

// ChannelList tells of the channels of all connections.
func (s *Server) ChannelList() (list []ChannelInfo) {
	for _, c := range s.open() {
		host, port := hostPort(c.nc.RemoteAddr())
		for _, ch := range c.channelList() {
			ch.mu.Lock()
			if !ch.gone {
				list = append(list, ChannelInfo{
					Connection: c.name(), User: c.user, VHost: c.vhost, PeerHost: host, PeerPort: port, Number: int(ch.id),
					Consumers: len(ch.consumers), Unacknowledged: ch.unsettled.len(), Prefetch: ch.prefetch, GlobalPrefetch: ch.limit,
					Confirms: ch.confirms != nil, Transactional: ch.tx != nil,
				})
			}
			ch.mu.Unlock()
		}
	}
	return list
}

// ConsumerList tells of the consumers of all queues, by queue and in the order in which they get messages.
func (s *Server) ConsumerList() (list []ConsumerInfo) {
	s.mail.Lock()
	boxes := make([]*mailbox, 0, len(s.mailboxes))
	for _, m := range s.mailboxes {
		boxes = append(boxes, m)
	}
	s.mail.Unlock()
	slices.SortFunc(boxes, func(a, b *mailbox) int { return cmp.Or(cmp.Compare(a.vhost, b.vhost), cmp.Compare(a.name, b.name)) })
	for _, m := range boxes {
		m.mu.Lock()
		consumers, active := slices.Clone(m.consumers), len(m.active())
		m.mu.Unlock()
		for i, x := range consumers {
			c := x.ch.c
			host, port := hostPort(c.nc.RemoteAddr())
			list = append(list, ConsumerInfo{
				Connection: c.name(), User: c.user, VHost: c.vhost, Queue: m.name, Tag: x.tag, PeerHost: host, PeerPort: port,
				Channel: int(x.ch.id), Prefetch: x.prefetch, AckRequired: !x.noAck, Exclusive: x.exclusive, Active: i < active,
				Arguments: Plain(x.arguments),
			})
		}
	}
	return list
}

// CloseConnection ends the connection of that name with CONNECTION_FORCED, and tells whether there is one. Its client is
// told the reason.
func (s *Server) CloseConnection(name, reason string) bool {
	for _, c := range s.open() {
		if c.name() == name {
			c.force("broker forced connection closure with reason '" + reason + "'")
			return true
		}
	}
	return false
}
