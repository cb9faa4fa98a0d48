package broker

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

func wireExample() *encoder {
	e := &encoder{}
	headers := []record.HeaderField{{Key: "a", Value: nil}, {Key: "b", Value: []byte{}}, {Key: "c", Value: bytes.Repeat([]byte("x"), apartBytes+1)}}
	e.messages([]Message{{Key: nil, Value: []byte{}, Headers: headers, Lane: -1, Delay: -1, Expiry: time.Hour, DedupID: "d"}})
	e.sent([]Sent{{Partition: 1, Offset: 2, Timestamp: -1, ID: MessageID{7}, Duplicate: true}, {Err: fmt.Errorf("%w: x", ErrQueueFull)}})
	e.deliveries([]Delivery{{Tag: queue.Tag{Source: 1, Offset: 2, Attempt: 3}, Record: record.Record{Offset: 2, Value: []byte("v"), Headers: headers}, Attempts: 3}})
	e.tags([]queue.Tag{{Source: 1, Offset: 1 << 40, Attempt: 2}})
	e.errs([]error{nil, context.Canceled})
	e.once(&Once{Key: "k", Digest: [32]byte{1}})
	e.request(&ReceiveRequest{Max: 1, BytesMax: 2, Lease: -1, Wait: time.Second, Together: true, AttemptID: "a"})
	return e
}

type wireThings struct {
	messages   []Message
	sent       []Sent
	deliveries []Delivery
	tags       []queue.Tag
	errs       []error
	once       *Once
	request    ReceiveRequest
}

func (d *decoder) things() wireThings {
	return wireThings{d.messages(), d.sent(), d.deliveries(), d.tags(), d.errs(), d.once(), d.request()}
}

// Whatever comes is read or refused, and what was read is written as it was.
func FuzzRemoteWire(f *testing.F) {
	f.Add(bytes.Join(wireExample().payload(), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &decoder{b: b}
		got := d.things()
		if d.fail() != nil {
			return
		}
		e := &encoder{}
		e.messages(got.messages)
		e.sent(got.sent)
		e.deliveries(got.deliveries)
		e.tags(got.tags)
		e.errs(got.errs)
		e.once(got.once)
		e.request(&got.request)
		again := &decoder{b: bytes.Join(e.payload(), nil)}
		if want := again.things(); again.fail() != nil || !reflect.DeepEqual(got.messages, want.messages) || !reflect.DeepEqual(got.deliveries, want.deliveries) ||
			!reflect.DeepEqual(got.once, want.once) || got.request != want.request || !reflect.DeepEqual(got.tags, want.tags) {
			t.Fatalf("%+v became %+v", got, want)
		}
	})
}
