package amqp

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// Whole sessions, frame by frame. A file is one broker; a line is one frame, or a message's content:
//
//	CHANNEL METHOD [FIELD=VALUE | FIELD]…       fields that are left out are zero. Tables are JSON
//	CHANNEL content "BODY" [PROPERTY=VALUE]…    header and body
//	CHANNEL header [size=N] [class=N]           a header alone
//	CHANNEL body "BYTES"                        a body frame alone
//	heartbeat | protocol "BYTES" | hex DIGITS
//
// Commands are `dial NAME`, a connection; `connect NAME`, one that is open; `send [NAME] [n=1]`, which sends the lines and
// reads n methods with their content; `rest NAME`, all bytes until the connection ends; and `restart`. The first connection is the one that is meant if none is named.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/sessions", func(t *testing.T, path string) {
		w := newWorld(t, func(c *Config) { c.Limits.CloseMax = 50 * time.Millisecond })
		s := &transcript{w: w, peers: map[string]*peer{}}
		datadriven.RunTest(t, path, s.do)
	})
}

type transcript struct {
	w     *world
	peers map[string]*peer
	first string
}

func (s *transcript) do(t *testing.T, d *datadriven.TestData) string {
	s.w.t = t
	for _, p := range s.peers {
		p.t = t
	}
	name := s.first
	if len(d.CmdArgs) > 0 && len(d.CmdArgs[0].Vals) == 0 {
		name = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "dial", "connect":
		if s.first == "" {
			s.first = name
		}
		nc := must[net.Conn](t)(net.Dial("tcp", s.w.addr))
		s.peers[name] = newPeer(s.w.t, nc)
		s.peers[name].in.before = func(bool) error { return nc.SetReadDeadline(time.Now().Add(patience)) }
		if d.Cmd == "connect" {
			s.peers[name].open(0)
		}
		return ""
	case "rest":
		return fmt.Sprintf("%q\n", must[[]byte](t)(io.ReadAll(s.peers[name].nc)))
	case "restart":
		s.w.stop()
		s.w.start()
		return ""
	case "send":
		p := s.peers[name]
		if p == nil {
			d.Fatalf(t, "no connection %q", name)
		}
		for line := range strings.Lines(d.Input) {
			b, err := frameOf(strings.TrimSpace(line))
			if err != nil {
				d.Fatalf(t, "%s: %v", line, err)
			}
			p.send(b)
		}
		n := 1
		d.MaybeScanArgs(t, "n", &n)
		text, err := p.items(n)
		if err != nil {
			d.Fatalf(t, "after %q: %v", text, err)
		}
		return text
	}
	d.Fatalf(t, "no command %q", d.Cmd)
	return ""
}

// frameOf is what a line sends.
func frameOf(line string) ([]byte, error) {
	words := words(line)
	switch words[0] {
	case "heartbeat":
		return wire.AppendHeartbeat(nil), nil
	case "protocol":
		return unquoted(words[1])
	case "hex":
		return hex.DecodeString(strings.Join(words[1:], ""))
	}
	var channel uint16
	if _, err := fmt.Sscan(words[0], &channel); err != nil || len(words) < 2 {
		return nil, fmt.Errorf("no channel and what to send")
	}
	switch words[1] {
	case "body":
		b, err := unquoted(words[2])
		return wire.AppendBodyFrame(nil, channel, b), err
	case "header":
		h := struct{ Size, Class uint64 }{0, uint64(wire.ClassBasic)}
		err := setFields(&h, words[2:])
		return wire.AppendContentHeaderFrame(nil, channel, wire.ContentHeader{Class: uint16(h.Class), BodySize: h.Size}, []byte{0, 0}), err
	case "content":
		return contentOf(channel, words[2:])
	}
	m := methodNamed(words[1])
	if m == nil {
		return nil, fmt.Errorf("no method %s", words[1])
	}
	err := setFields(m, words[2:])
	return wire.AppendMethodFrame(nil, channel, m), err
}

func contentOf(channel uint16, words []string) ([]byte, error) {
	body, err := unquoted(words[0])
	if err != nil {
		return nil, err
	}
	var p wire.Properties
	if err := setFields(&p, words[1:]); err != nil {
		return nil, err
	}
	for _, word := range words[1:] {
		name, _, _ := strings.Cut(word, "=")
		p.Has |= propertyFlags[name]
	}
	b := wire.AppendContentHeaderFrame(nil, channel, wire.ContentHeader{Class: wire.ClassBasic, BodySize: uint64(len(body))}, p.Append(nil))
	return wire.AppendBodyFrames(b, channel, wire.FrameMin, body), nil
}

var propertyFlags = map[string]wire.PropertyFlags{
	"content-type": wire.HasContentType, "content-encoding": wire.HasContentEncoding, "headers": wire.HasHeaders,
	"delivery-mode": wire.HasDeliveryMode, "priority": wire.HasPriority, "correlation-id": wire.HasCorrelationID,
	"reply-to": wire.HasReplyTo, "expiration": wire.HasExpiration, "message-id": wire.HasMessageID, "timestamp": wire.HasTimestamp,
	"type": wire.HasType, "user-id": wire.HasUserID, "app-id": wire.HasAppID,
}

// items reads methods with their content, as text.
func (p *peer) items(n int) (string, error) {
	p.t.Helper()
	var b strings.Builder
	for range n {
		head, payload, err := p.in.frame(1 << 20)
		if err == io.EOF {
			b.WriteString("closed\n")
			break
		}
		if err != nil {
			return b.String(), err
		}
		switch head.Type {
		case wire.FrameHeartbeat:
			b.WriteString("heartbeat\n")
			continue
		case wire.FrameMethod:
		default:
			p.t.Fatalf("a %v frame", head.Type)
		}
		m := must[wire.Method](p.t)(wire.DecodeMethod(payload))
		fmt.Fprintf(&b, "%d %v%s\n", head.Channel, m.ID(), fieldsOf(m))
		switch m.(type) {
		case *wire.BasicDeliver, *wire.BasicGetOk, *wire.BasicReturn:
			fmt.Fprintf(&b, "%d content %s\n", head.Channel, p.content())
		}
	}
	return b.String(), nil
}

func (p *peer) content() string {
	p.t.Helper()
	head, payload, err := p.in.frame(1 << 20)
	ok(p.t, err)
	h, properties, err := wire.SplitContentHeader(payload)
	if ok(p.t, err); head.Type != wire.FrameHeader {
		p.t.Fatalf("a %v frame, not a header", head.Type)
	}
	var props wire.Properties
	ok(p.t, props.Parse(properties))
	text := fieldsOf(&props)
	var body []byte
	for uint64(len(body)) < h.BodySize {
		_, payload, err := p.in.frame(1 << 20)
		ok(p.t, err)
		body = append(body, payload...)
	}
	return fmt.Sprintf("%q", body) + text
}
