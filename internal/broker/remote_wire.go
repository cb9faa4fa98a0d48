package broker

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/narumq/naru/internal/peer"
	"github.com/narumq/naru/internal/queue"
	"github.com/narumq/naru/internal/record"
)

// What brokers tell each other is a sequence of numbers, which are varints, and of
// texts, which are a length and bytes.

// apartBytes is from which length on a value is not copied into what is sent.
const apartBytes = 2 << 10

// encoder makes a payload for a peer, of parts.
type encoder struct {
	parts [][]byte
	b     []byte
}

func (e *encoder) number(n int64)    { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) unsigned(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoder) flag(f bool) {
	if f {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

// bytes keeps nil and empty apart.
func (e *encoder) bytes(v []byte) {
	if v == nil {
		e.unsigned(0)
		return
	}
	e.unsigned(uint64(len(v)) + 1)
	if len(v) < apartBytes {
		e.b = append(e.b, v...)
		return
	}
	e.parts = append(e.parts, e.b, v)
	e.b = nil
}

func (e *encoder) text(s string) {
	e.unsigned(uint64(len(s)) + 1)
	e.b = append(e.b, s...)
}

func (e *encoder) err(err error) {
	if err == nil {
		e.bytes(nil)
		return
	}
	e.bytes(peer.AppendError(nil, err))
}

func (e *encoder) payload() [][]byte { return append(e.parts, e.b) }

// size is how long the payload is.
func (e *encoder) size() (n int) {
	for _, p := range e.payload() {
		n += len(p)
	}
	return n
}

// decoder reads a payload. What it returns aliases that. After the first mistake all
// it returns is zero, and fail says so.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) wrong() {
	d.bad = true
	d.b = nil
}

// fail is the error of a payload that was not what it should be.
func (d *decoder) fail() error {
	if d.bad {
		return fmt.Errorf("%w: a call", peer.ErrMalformed)
	}
	return nil
}

func (d *decoder) number() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.wrong()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) unsigned() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.wrong()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) flag() bool { return d.unsigned() != 0 }

func (d *decoder) bytes() []byte {
	n := d.unsigned()
	if n == 0 {
		return nil
	}
	if n-1 > uint64(len(d.b)) {
		d.wrong()
		return nil
	}
	v := d.b[: n-1 : n-1]
	d.b = d.b[n-1:]
	return v
}

func (d *decoder) text() string { return string(d.bytes()) }

// fixed fills into.
func (d *decoder) fixed(into []byte) {
	if len(d.b) < len(into) {
		d.wrong()
		return
	}
	d.b = d.b[copy(into, d.b):]
}

func (d *decoder) err() error {
	b := d.bytes()
	if b == nil {
		return nil
	}
	err, ok := peer.ParseError(b)
	if !ok {
		d.wrong()
	}
	return err
}

// count reads how many things follow, of which each takes so many bytes at least.
func (d *decoder) count(least int) int {
	n := d.unsigned()
	if n > uint64(len(d.b)/least) {
		d.wrong()
		return 0
	}
	return int(n)
}

func (e *encoder) headers(list []record.HeaderField) {
	e.unsigned(uint64(len(list)))
	for i := range list {
		e.text(list[i].Key)
		e.bytes(list[i].Value)
	}
}

func (d *decoder) headers() []record.HeaderField {
	n := d.count(2)
	if n == 0 {
		return nil
	}
	list := make([]record.HeaderField, n)
	for i := range list {
		list[i] = record.HeaderField{Key: d.text(), Value: d.bytes()}
	}
	return list
}

func (e *encoder) record(r *record.Record) {
	e.number(int64(r.Offset))
	e.number(r.Timestamp)
	e.bytes(r.Key)
	e.bytes(r.Value)
	e.headers(r.Headers)
}

func (d *decoder) record() record.Record {
	return record.Record{Offset: record.Offset(d.number()), Timestamp: d.number(), Key: d.bytes(), Value: d.bytes(), Headers: d.headers()}
}

func (e *encoder) once(o *Once) {
	e.flag(o != nil)
	if o != nil {
		e.text(o.Key)
		e.b = append(e.b, o.Digest[:]...)
	}
}

func (d *decoder) once() *Once {
	if !d.flag() {
		return nil
	}
	o := &Once{Key: d.text()}
	d.fixed(o.Digest[:])
	return o
}

func (e *encoder) messages(list []Message) {
	e.unsigned(uint64(len(list)))
	for i := range list {
		m := &list[i]
		e.bytes(m.Key)
		e.bytes(m.Value)
		e.headers(m.Headers)
		e.number(int64(m.Lane))
		e.number(int64(m.Delay))
		e.number(int64(m.Expiry))
		e.text(m.DedupID)
	}
}

func (d *decoder) messages() []Message {
	list := make([]Message, d.count(7))
	for i := range list {
		list[i] = Message{
			Key: d.bytes(), Value: d.bytes(), Headers: d.headers(), Lane: int32(d.number()),
			Delay: time.Duration(d.number()), Expiry: time.Duration(d.number()), DedupID: d.text(),
		}
	}
	return list
}

func (e *encoder) sent(list []Sent) {
	e.unsigned(uint64(len(list)))
	for i := range list {
		s := &list[i]
		e.number(int64(s.Partition))
		e.number(int64(s.Offset))
		e.number(s.Timestamp)
		e.b = append(e.b, s.ID[:]...)
		e.flag(s.Duplicate)
		e.err(s.Err)
	}
}

func (d *decoder) sent() []Sent {
	list := make([]Sent, d.count(21))
	for i := range list {
		s := &list[i]
		s.Partition, s.Offset, s.Timestamp = int32(d.number()), record.Offset(d.number()), d.number()
		d.fixed(s.ID[:])
		s.Duplicate, s.Err = d.flag(), d.err()
	}
	return list
}

func (e *encoder) tags(list []queue.Tag) {
	e.unsigned(uint64(len(list)))
	for _, t := range list {
		e.number(int64(t.Source))
		e.number(int64(t.Offset))
		e.number(int64(t.Attempt))
	}
}

func (d *decoder) tag() queue.Tag {
	return queue.Tag{Source: queue.Source(d.number()), Offset: record.Offset(d.number()), Attempt: int32(d.number())}
}

func (d *decoder) tags() []queue.Tag {
	list := make([]queue.Tag, d.count(3))
	for i := range list {
		list[i] = d.tag()
	}
	return list
}

func (e *encoder) errs(list []error) {
	e.unsigned(uint64(len(list)))
	for _, err := range list {
		e.err(err)
	}
}

func (d *decoder) errs() []error {
	list := make([]error, d.count(1))
	for i := range list {
		list[i] = d.err()
	}
	return list
}

func (e *encoder) deliveries(list []Delivery) {
	e.unsigned(uint64(len(list)))
	for i := range list {
		v := &list[i]
		e.number(int64(v.Tag.Source))
		e.number(int64(v.Tag.Offset))
		e.number(int64(v.Tag.Attempt))
		e.record(&v.Record)
		e.b = append(e.b, v.ID[:]...)
		e.number(int64(v.Attempts))
		e.number(v.FirstReceivedAt)
	}
}

func (d *decoder) deliveries() []Delivery {
	list := make([]Delivery, d.count(26))
	for i := range list {
		v := &list[i]
		v.Tag, v.Record = d.tag(), d.record()
		d.fixed(v.ID[:])
		v.Attempts, v.FirstReceivedAt = int32(d.number()), d.number()
	}
	return list
}

func (e *encoder) request(r *ReceiveRequest) {
	e.number(int64(r.Max))
	e.number(int64(r.BytesMax))
	e.number(int64(r.Lease))
	e.number(int64(r.Wait))
	e.flag(r.Together)
	e.text(r.AttemptID)
}

func (d *decoder) request() ReceiveRequest {
	return ReceiveRequest{
		Max: int(d.number()), BytesMax: int(d.number()), Lease: time.Duration(d.number()), Wait: time.Duration(d.number()),
		Together: d.flag(), AttemptID: d.text(),
	}
}
