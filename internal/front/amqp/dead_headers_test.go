package amqp

import (
	"fmt"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"
)

// TestDeadLettersKeepTheTypesOfTheirHeaders routes dead letters by headers of every type, as messages are routed.
func TestDeadLettersKeepTheTypesOfTheirHeaders(t *testing.T) {
	w := newWorld(t)
	ch := w.confirming()
	queueOf(t, ch, "q", client.Table{argDeadExchange: "amq.headers"})
	values := []any{
		true, int8(-5), uint8(7), int16(-300), int32(70000), int64(1 << 40), float32(1.1), 2.5, client.Decimal{Scale: 2, Value: 314}, "text", []byte("bytes"),
		time.Unix(1_700_000_000, 0), []any{"a", int32(1)}, client.Table{"in": "side"}, nil,
	}
	for i, v := range values {
		name := fmt.Sprint("dead", i)
		queueOf(t, ch, name, nil)
		ok(t, ch.QueueBind(name, "", "amq.headers", false, client.Table{"x-match": "all", name: v}))
		confirmed(t, ch, "", "q", client.Publishing{Headers: client.Table{name: v}})
		ok(t, got(t, ch, "q").Reject(false))
		eventually(t, func() bool {
			_, there, err := ch.Get(name, true)
			return there && err == nil
		})
	}
	// The text of a number is not the number.
	confirmed(t, ch, "", "q", client.Publishing{Headers: client.Table{"dead4": "70000"}})
	ok(t, got(t, ch, "q").Reject(false))
	// Names that mean something in a record are those of users, too.
	ok(t, ch.QueueBind("dead0", "", "amq.headers", false, client.Table{"content-type": int32(9), "naru.key": "x"}))
	confirmed(t, ch, "", "q", client.Publishing{Headers: client.Table{"content-type": int32(9), "naru.key": "x"}})
	ok(t, got(t, ch, "q").Reject(false))
	eventually(t, func() bool {
		_, there, err := ch.Get("dead0", true)
		return there && err == nil
	})
	if _, there, _ := ch.Get("dead4", true); there {
		t.Error("the text 70000 matches the number")
	}
}
