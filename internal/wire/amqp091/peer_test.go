package amqp091

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// peer is a server that understands nothing: it answers every synchronous method with what its table says, keeps what it
// was sent, and checks that our encoder would have sent the same bytes.
type peer struct {
	conn   net.Conn
	answer func(p *peer, c command) (answered bool) // before the usual answer; may be nil
	got    []command
	out    chan []byte // to the writer: a pipe holds nothing, and the client answers while it reads
	done   chan error
}

// command is a method with its content.
type command struct {
	channel    uint16
	method     Method
	properties Properties
	body       string
}

func (c command) String() string {
	s := fmt.Sprintf("%d %v %+v", c.channel, c.method.ID(), c.method)
	if c.method.ID().HasContent() {
		s += fmt.Sprintf(" %v %q", &c.properties, c.body)
	}
	return s
}

const peerFrameMax = 8192

// newPeer starts a peer, and returns the client's end of the connection.
func newPeer(t *testing.T, answer func(p *peer, c command) bool) (*peer, net.Conn) {
	client, server := net.Pipe()
	p := &peer{conn: server, answer: answer, out: make(chan []byte, 100), done: make(chan error, 1)}
	t.Cleanup(func() { client.Close(); server.Close() })
	go func() {
		p.done <- p.serve()
		close(p.out)
	}()
	go func() {
		for b := range p.out {
			_, _ = server.Write(b) // if the client has gone, its test says why
		}
	}()
	return p, client
}

// wait returns what the client sent, once it has closed the connection.
func (p *peer) wait(t *testing.T) []command {
	t.Helper()
	if err := <-p.done; err != nil {
		t.Fatal(err)
	}
	return p.got
}

func (p *peer) serve() error {
	var header [8]byte
	if _, err := io.ReadFull(p.conn, header[:]); err != nil || ParseProtocolHeader(header) != Protocol091 {
		return fmt.Errorf("%q: %w", header, err)
	}
	p.send(0, &ConnectionStart{VersionMinor: 9, Mechanisms: "AMQPLAIN PLAIN", Locales: "en_US",
		ServerProperties: NewTable(Field{"capabilities", NewTable(Field{"basic.nack", Bool(true)}).Value()})})
	for {
		c, err := p.read()
		if err != nil {
			return err
		}
		p.got = append(p.got, c)
		if p.answer != nil && p.answer(p, c) {
			continue
		}
		switch m := c.method.(type) {
		case *ConnectionStartOk:
			p.send(0, &ConnectionTune{ChannelMax: 2047, FrameMax: peerFrameMax, Heartbeat: 60})
		case *QueueDeclare:
			p.send(c.channel, &QueueDeclareOk{Queue: m.Queue, MessageCount: 7, ConsumerCount: 1})
		case *BasicConsume:
			p.send(c.channel, &BasicConsumeOk{ConsumerTag: m.ConsumerTag})
		case *BasicCancel:
			p.send(c.channel, &BasicCancelOk{ConsumerTag: m.ConsumerTag})
		case *ConnectionClose:
			p.send(0, &ConnectionCloseOk{})
			return nil
		default:
			if answers := m.ID().Answers(); len(answers) == 1 {
				p.send(c.channel, NewMethod(answers[0]))
			}
		}
	}
}

func (p *peer) send(channel uint16, m Method) { p.out <- AppendMethodFrame(nil, channel, m) }

func (p *peer) sendContent(channel uint16, m Method, properties *Properties, body string) {
	b := AppendMethodFrame(nil, channel, m)
	b = AppendContentHeaderFrame(b, channel, ContentHeader{ClassBasic, uint64(len(body))}, properties.Append(nil))
	p.out <- AppendBodyFrames(b, channel, peerFrameMax, []byte(body))
}

// read reads the next method with its content, and encodes it again.
func (p *peer) read() (c command, err error) {
	h, payload, err := p.frame()
	if err != nil {
		return c, err
	}
	c.channel = h.Channel
	if c.method, err = DecodeMethod(payload); err != nil {
		return c, err
	}
	if again := AppendMethod(nil, c.method); !bytes.Equal(again, payload) {
		return c, fmt.Errorf("%v: %x became %x", c, payload, again)
	}
	if !c.method.ID().HasContent() {
		return c, nil
	}
	if _, payload, err = p.frame(); err != nil {
		return c, err
	}
	head, raw, err := SplitContentHeader(payload)
	if err != nil {
		return c, err
	}
	if err := c.properties.Parse(raw); err != nil {
		return c, err
	}
	if again := AppendContentHeader(nil, head, c.properties.Append(nil)); !bytes.Equal(again, payload) {
		return c, fmt.Errorf("%v: %x became %x", c, payload, again)
	}
	for uint64(len(c.body)) < head.BodySize {
		if _, payload, err = p.frame(); err != nil {
			return c, err
		}
		c.body += string(payload)
	}
	return c, nil
}

// frame returns the next frame but heartbeats.
func (p *peer) frame() (Head, []byte, error) {
	for {
		var b [FrameHeaderBytes]byte
		if _, err := io.ReadFull(p.conn, b[:]); err != nil {
			return Head{}, nil, err
		}
		h, err := ParseFrameHeader(b[:], peerFrameMax)
		if err != nil {
			return h, nil, err
		}
		payload := make([]byte, h.Size+1)
		if _, err := io.ReadFull(p.conn, payload); err != nil {
			return h, nil, err
		}
		if err := CheckFrameEnd(payload[h.Size]); err != nil || h.Type != FrameHeartbeat {
			return h, payload[:h.Size], err
		}
	}
}
