package amqp091

import (
	"strings"
	"testing"
)

func TestReplyCodes(t *testing.T) {
	for _, c := range []struct {
		codes, closes string
	}{
		{"200 REPLY_SUCCESS", "nothing"},
		{"311 CONTENT_TOO_LARGE, 312 NO_ROUTE, 313 NO_CONSUMERS, 403 ACCESS_REFUSED, 404 NOT_FOUND, 405 RESOURCE_LOCKED, 406 PRECONDITION_FAILED", "channel"},
		{"320 CONNECTION_FORCED, 402 INVALID_PATH, 501 FRAME_ERROR, 502 SYNTAX_ERROR, 503 COMMAND_INVALID, 504 CHANNEL_ERROR", "connection"},
		{"505 UNEXPECTED_FRAME, 506 RESOURCE_ERROR, 530 NOT_ALLOWED, 540 NOT_IMPLEMENTED, 541 INTERNAL_ERROR, 999 REPLY_CODE_999", "connection"},
	} {
		for _, text := range strings.Split(c.codes, ", ") {
			code := ReplyCode(text[0]-'0')*100 + ReplyCode(text[1]-'0')*10 + ReplyCode(text[2]-'0')
			if got := (&Error{Code: code}).Error(); got != text {
				t.Errorf("got %s, want %s", got, text)
			}
			if got := code.Closes().String(); got != c.closes {
				t.Errorf("%v closes %s, want %s", code, got, c.closes)
			}
		}
	}
}

func TestReplyText(t *testing.T) {
	e := &Error{Code: NotFound, Text: "no queue 'q' in vhost '/'", Class: 50, Method: 10}
	const want = "NOT_FOUND - no queue 'q' in vhost '/'"
	if got := e.ReplyText(); got != want {
		t.Errorf("got %s", got)
	}
	if got := e.ChannelClose(); *got != (ChannelClose{404, want, 50, 10}) {
		t.Errorf("%+v", got)
	}
	if got := e.ConnectionClose(); *got != (ConnectionClose{404, want, 50, 10}) {
		t.Errorf("%+v", got)
	}
	e.Text = strings.Repeat("x", 255)
	if got := e.ReplyText(); len(got) != ShortStringMax || !strings.HasSuffix(got, "xxx...") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
	e.Text = strings.Repeat("x", 238) + "나루" // 12 bytes come before
	if got := e.ReplyText(); !strings.HasSuffix(got, "x...") || len(got) != 253 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
