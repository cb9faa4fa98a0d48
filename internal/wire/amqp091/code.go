package amqp091

import "fmt"

// ReplyCode says how a method, a channel or a connection ended.
type ReplyCode uint16

// Scope is what an error ends.
type Scope uint8

// What a reply code may close.
const (
	ClosesNothing Scope = iota
	ClosesChannel
	ClosesConnection
)

func (s Scope) String() string {
	switch s {
	case ClosesNothing:
		return "nothing"
	case ClosesChannel:
		return "channel"
	}
	return "connection"
}

func (c ReplyCode) unknown() string { return fmt.Sprintf("REPLY_CODE_%d", uint16(c)) }

// Error is an exception of the protocol (1.2): what close and return tell the peer. Class and Method name the method that
// failed, and are 0 if it was none.
type Error struct {
	Code          ReplyCode
	Text          string // without the code's name
	Class, Method uint16
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", uint16(e.Code), e.full()) }

// full is the text as RabbitMQ writes it; its users' programs look for the name.
func (e *Error) full() string {
	if e.Text == "" {
		return e.Code.String()
	}
	return e.Code.String() + " - " + e.Text
}

// ReplyText is the text for the peer. It begins with the code's name, and ends in dots if it had to be cut.
func (e *Error) ReplyText() string {
	const dots = "..."
	text := e.full()
	if len(text) > ShortStringMax {
		return cut(text, ShortStringMax-len(dots)) + dots
	}
	return text
}

// ChannelClose is the method that tells a peer.
func (e *Error) ChannelClose() *ChannelClose {
	return &ChannelClose{ReplyCode: uint16(e.Code), ReplyText: e.ReplyText(), ClassID: e.Class, MethodID: e.Method}
}

// ConnectionClose is the method that tells a peer.
func (e *Error) ConnectionClose() *ConnectionClose {
	return &ConnectionClose{ReplyCode: uint16(e.Code), ReplyText: e.ReplyText(), ClassID: e.Class, MethodID: e.Method}
}
