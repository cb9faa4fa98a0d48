package amqp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/narumq/naru/internal/user"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// errNotAMQP: the peer speaks something else.
var errNotAMQP = fmt.Errorf("%w: the peer does not speak AMQP 0-9-1", io.EOF)

const mechanisms = "PLAIN AMQPLAIN"

// capabilities are what clients look for before they use it.
var capabilities = []string{
	"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
	"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
}

// handshake negotiates, from the protocol header to open-ok.
func (c *conn) handshake() error {
	c.until = time.Now().Add(c.s.limits.HandshakeMax)
	if err := c.protocolHeader(); err != nil {
		return err
	}
	c.out.send(0, c.start())
	var ok wire.ConnectionStartOk
	if err := c.expect(&ok); err != nil {
		return err
	}
	u, err := c.authenticate(&ok)
	if err != nil {
		return err
	}
	l := &c.s.limits
	tune := &wire.ConnectionTune{ChannelMax: uint16(l.ChannelsMax), FrameMax: l.FrameBytesMax, Heartbeat: uint16(l.Heartbeat / time.Second)}
	c.out.send(0, tune)
	var tuned wire.ConnectionTuneOk
	if err := c.expect(&tuned); err != nil {
		return err
	}
	if err := c.tune(tune, &tuned); err != nil {
		return err
	}
	var open wire.ConnectionOpen
	if err := c.expect(&open); err != nil {
		return err
	}
	if !c.s.broker.HasNamespace(open.VirtualHost) {
		return inMethod(refuse(wire.NotAllowed, "vhost %s not found", open.VirtualHost), open.ID())
	}
	c.vhost = open.VirtualHost
	if err := c.enter(u); err != nil {
		return inMethod(err, open.ID())
	}
	c.until = time.Time{}
	c.opened.Store(true)
	c.out.send(0, &wire.ConnectionOpenOk{})
	return nil
}

func (c *conn) protocolHeader() error {
	b, err := c.in.take(8, 0)
	if err != nil {
		return err
	}
	c.in.at += 8
	if wire.ParseProtocolHeader([8]byte(b)) == wire.Protocol091 {
		return nil
	}
	if c.out.lock() {
		c.out.buf = append(c.out.buf, wire.ProtocolHeader...)
		c.out.unlock()
	}
	return errNotAMQP
}

// Clients choose by these how they use a broker: kombu takes a prefetch for a channel's only from RabbitMQ 3.3 on, and others
// parse the version. It is the one that Naru was compared with.
const (
	product = "RabbitMQ"
	version = "3.10.8"
)

func (c *conn) start() *wire.ConnectionStart {
	var can []wire.Field
	for _, name := range capabilities {
		can = append(can, wire.Field{Name: name, Value: wire.Bool(true)})
	}
	return &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, Mechanisms: mechanisms, Locales: "en_US",
		ServerProperties: wire.NewTable(
			wire.Field{Name: "capabilities", Value: wire.NewTable(can...).Value()},
			wire.Field{Name: "cluster_name", Value: wire.String("naru")},
			wire.Field{Name: "platform", Value: wire.String("Naru " + c.s.cfg.Version)},
			wire.Field{Name: "product", Value: wire.String(product)},
			wire.Field{Name: "version", Value: wire.String(version)},
		),
	}
}

// expect reads the one method that may come now. Heartbeats may come at any time.
func (c *conn) expect(m wire.Method) error {
	for {
		head, payload, err := c.in.frame(c.frameMax)
		if err != nil {
			return err
		}
		if head.Type == wire.FrameHeartbeat {
			continue
		}
		id, arguments, err := wire.SplitMethod(payload)
		switch {
		case head.Type != wire.FrameMethod || head.Channel != 0:
			return refuse(wire.UnexpectedFrame, "a %v frame on channel %d before the connection is open", head.Type, head.Channel)
		case err != nil:
			return err
		case id == wire.IDConnectionClose:
			c.out.send(0, &wire.ConnectionCloseOk{})
			return io.EOF
		case id != m.ID():
			return inMethod(refuse(wire.CommandInvalid, "expected %v, got %v", m.ID(), id), id)
		}
		return c.r.Arguments(m, arguments)
	}
}

// authenticate takes up who the client says it is, and finds out whether it is.
func (c *conn) authenticate(m *wire.ConnectionStartOk) (*user.User, error) {
	c.client, c.mechanism = m.ClientProperties, m.Mechanism
	c.capabilities()
	password, err := c.login(m)
	if err != nil {
		return nil, inMethod(err, m.ID())
	}
	ctx, cancel := context.WithDeadline(c.ctx, c.until)
	defer cancel()
	u, err := c.s.broker.Authenticate(ctx, c.user, password)
	if err == nil {
		return u, nil
	}
	c.log.Warn("amqp: login refused", "user", c.user, "error", err)
	if !c.failureClose {
		return nil, io.EOF
	}
	return nil, refuse(wire.AccessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", m.Mechanism)
}

// updateSecret is for passwords that expire. Those of users do not, and RabbitMQ does not look at another one of such users.
func (c *conn) updateSecret(*wire.ConnectionUpdateSecret) error {
	c.out.send(0, &wire.ConnectionUpdateSecretOk{})
	return nil
}

// login reads the user's name and password.
func (c *conn) login(m *wire.ConnectionStartOk) (password string, err error) {
	switch m.Mechanism {
	case "PLAIN":
		parts := strings.Split(m.Response, "\x00")
		if len(parts) != 3 {
			return "", refuse(wire.AccessRefused, "response of mechanism PLAIN has %d parts, not 3", len(parts))
		}
		c.user = parts[1]
		return parts[2], nil
	case "AMQPLAIN":
		// The response is a table without its length. start-ok begins with one that has it.
		payload := binary.BigEndian.AppendUint32(nil, uint32(len(m.Response)))
		payload = append(append(payload, m.Response...), make([]byte, 1+4+1)...)
		var table wire.ConnectionStartOk
		if err := c.r.Arguments(&table, payload); err != nil {
			return "", err
		}
		field := func(name string) string {
			v, _ := table.ClientProperties.Get(name)
			text, _ := v.Text()
			return text
		}
		c.user = field("LOGIN")
		return field("PASSWORD"), nil
	}
	return "", refuse(wire.CommandInvalid, "unknown authentication mechanism '%s'", m.Mechanism)
}

// capabilities takes up what the client can do.
func (c *conn) capabilities() {
	v, _ := c.client.Get("capabilities")
	can, _ := v.Table()
	has := func(name string) bool {
		v, _ := can.Get(name)
		yes, _ := v.Bool()
		return yes
	}
	c.cancelNotify, c.blockedNotify = has("consumer_cancel_notify"), has("connection.blocked")
	c.failureClose = has("authentication_failure_close")
}

// tune takes up what the client wants, which is at most what was proposed.
func (c *conn) tune(ours *wire.ConnectionTune, m *wire.ConnectionTuneOk) error {
	check := func(field string, value, least, most int64) error {
		switch {
		case value != 0 && value < least:
			return refuse(wire.NotAllowed, "negotiated %s = %d is lower than the minimum allowed value (%d)", field, value, least)
		case value == 0:
			return refuse(wire.NotAllowed, "negotiated %s = 0 (no limit) is higher than the maximum allowed value (%d)", field, most)
		case value > most:
			return refuse(wire.NotAllowed, "negotiated %s = %d is higher than the maximum allowed value (%d)", field, value, most)
		}
		return nil
	}
	err := check("frame_max", int64(m.FrameMax), wire.FrameMin, int64(ours.FrameMax))
	if err == nil {
		err = check("channel_max", int64(m.ChannelMax), 1, int64(ours.ChannelMax))
	}
	if err != nil {
		return inMethod(err, wire.IDConnectionTune)
	}
	c.frameMax, c.channelMax = m.FrameMax, int(m.ChannelMax)
	if c.beat = time.Duration(m.Heartbeat) * time.Second; c.beat > 0 {
		c.heartbeat <- c.beat / 2
	}
	return nil
}

// inMethod says in an error which method failed, if it does not say so itself.
func inMethod(err error, id wire.MethodID) error {
	if e, ok := err.(*wire.Error); ok && e.Class == 0 {
		e.Class, e.Method = id.Class(), id.Method()
	}
	return err
}
