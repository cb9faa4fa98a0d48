package management

import (
	"strconv"

	"github.com/narumq/naru/internal/user"
)

// sees tells whether the user may look at what another has open: one's own always.
func (c *call) sees(name, vhost string) bool {
	if one, only := c.vars["vhost"]; only && one != vhost {
		return false
	}
	return c.has(monitoring) || name == c.user.Name
}

func (s *Server) shownConnection(x *Connection) object {
	rate := s.rates.of("connection "+x.Name, map[string]int64{"recv_oct": x.Received, "send_oct": x.Sent})
	o := object{
		"name": x.Name, "user": x.User, "user_who_performed_action": x.User, "vhost": x.VHost, "host": x.Host, "port": x.Port,
		"peer_host": x.PeerHost, "peer_port": x.PeerPort, "protocol": "AMQP 0-9-1", "auth_mechanism": x.Mechanism,
		"client_properties": x.ClientProperties, "channels": x.Channels, "channel_max": x.ChannelMax, "frame_max": x.FrameBytesMax,
		"timeout": x.HeartbeatSeconds, "connected_at": x.Since.UnixMilli(), "state": "running", "type": "network",
		"node": s.cfg.Node().Name, "recv_cnt": x.Reads, "send_cnt": x.Writes, "send_pend": 0,
		"ssl": false, "ssl_cipher": nil, "ssl_hash": nil, "ssl_key_exchange": nil, "ssl_protocol": nil,
		"peer_cert_issuer": nil, "peer_cert_subject": nil, "peer_cert_validity": nil,
	}
	if name, ok := x.ClientProperties["connection_name"].(string); ok {
		o["user_provided_name"] = name
	}
	rate.add(o, "recv_oct", "send_oct")
	return o
}

func connections(c *call) (reply, error) {
	if _, err := c.vhosts(); err != nil {
		return reply{}, err
	}
	var items []object
	for _, x := range c.cfg.AMQP.Connections() {
		if c.sees(x.User, x.VHost) {
			items = append(items, c.shownConnection(&x))
		}
	}
	return c.list(items)
}

// theConnection is the one that the path names.
func (c *call) theConnection() (*Connection, error) {
	for _, x := range c.cfg.AMQP.Connections() {
		if x.Name == c.vars["connection"] {
			if !c.sees(x.User, x.VHost) {
				return nil, errRefused
			}
			return &x, nil
		}
	}
	return nil, errNotFound
}

func connection(c *call) (reply, error) {
	x, err := c.theConnection()
	if err != nil {
		return reply{}, err
	}
	return c.one(c.shownConnection(x))
}

// closeConnection is for one's own, and for administrators.
func closeConnection(c *call) (reply, error) {
	x, err := c.theConnection()
	if err != nil {
		return reply{}, err
	}
	if x.User != c.user.Name && !c.user.HasTag(user.TagAdministrator) {
		return reply{}, errRefused
	}
	reason := c.r.Header.Get("X-Reason")
	if reason == "" || len(reason) > 200 {
		reason = "Closed via management plugin"
	}
	if !c.cfg.AMQP.CloseConnection(x.Name, reason) {
		return reply{}, errNotFound
	}
	return reply{}, nil
}

func (s *Server) shownChannel(x *Channel) object {
	return object{
		"name": x.name(), "number": x.Number, "user": x.User, "user_who_performed_action": x.User, "vhost": x.VHost,
		"node": s.cfg.Node().Name, "state": "running", "consumer_count": x.Consumers, "messages_unacknowledged": x.Unacknowledged,
		"prefetch_count": x.Prefetch, "global_prefetch_count": x.GlobalPrefetch, "confirm": x.Confirms, "transactional": x.Transactional,
		"connection_details": object{"name": x.Connection, "peer_host": x.PeerHost, "peer_port": x.PeerPort},
	}
}

func (x *Channel) name() string { return x.Connection + " (" + strconv.Itoa(x.Number) + ")" }

// theChannels are those that the user sees and that match.
func (c *call) theChannels(match func(*Channel) bool) (items []object) {
	for _, x := range c.cfg.AMQP.Channels() {
		if match(&x) && c.sees(x.User, x.VHost) {
			items = append(items, c.shownChannel(&x))
		}
	}
	return items
}

func channels(c *call) (reply, error) {
	if _, err := c.vhosts(); err != nil {
		return reply{}, err
	}
	return c.list(c.theChannels(func(*Channel) bool { return true }))
}

func connectionChannels(c *call) (reply, error) {
	x, err := c.theConnection()
	if err != nil {
		return reply{}, err
	}
	return c.list(c.theChannels(func(ch *Channel) bool { return ch.Connection == x.Name }))
}

func channel(c *call) (reply, error) {
	items := c.theChannels(func(x *Channel) bool { return x.name() == c.vars["channel"] })
	if len(items) == 0 {
		return reply{}, errNotFound
	}
	details := []object{}
	for _, x := range c.cfg.AMQP.Consumers() {
		if on := (Channel{Connection: x.Connection, Number: x.Channel}); on.name() == c.vars["channel"] {
			details = append(details, shownConsumer(&x))
		}
	}
	items[0]["consumer_details"] = details
	return c.one(items[0])
}

func shownConsumer(x *Consumer) object {
	on := Channel{Connection: x.Connection, Number: x.Channel}
	status := "up"
	if !x.Active {
		status = "waiting"
	}
	return object{
		"consumer_tag": x.Tag, "queue": object{"name": x.Queue, "vhost": x.VHost}, "arguments": x.Arguments, "ack_required": x.AckRequired,
		"exclusive": x.Exclusive, "prefetch_count": x.Prefetch, "active": x.Active, "activity_status": status,
		"channel_details": object{
			"name": on.name(), "number": x.Channel, "connection_name": x.Connection, "peer_host": x.PeerHost, "peer_port": x.PeerPort,
			"user": x.User,
		},
	}
}

func consumers(c *call) (reply, error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return reply{}, err
	}
	in := map[string]bool{}
	for _, vhost := range vhosts {
		in[vhost] = true
	}
	var items []object
	for _, x := range c.cfg.AMQP.Consumers() {
		if in[x.VHost] {
			items = append(items, shownConsumer(&x))
		}
	}
	return c.list(items)
}
