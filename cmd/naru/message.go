package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// A message as JSON, in one line: as a record (see recordjson.go), with what a
// queue adds.
//
//	{"queue":"q","id":"…","partition":0,"offset":7,"attempts":1,"sent_ms":1795249800000,
//	 "receipt":"…","group":null,"value":"text","headers":[]}
//
// What receive --json writes, send --json reads. It keeps group, value and
// headers, but for those that Naru wrote itself.

func appendMessageJSON(b []byte, queue string, d *delivery) []byte {
	b = appendString(append(b, `{"queue":`...), queue)
	b = fmt.Appendf(b, `,"id":"%s","partition":%d,"offset":%d,"attempts":%d,"sent_ms":%d`, d.ID, d.Partition, d.Offset, d.Attempts, d.SentMS)
	if d.Receipt != "" {
		b = fmt.Appendf(b, `,"receipt":"%s"`, d.Receipt)
	}
	b = appendBytes(append(b, ','), "group", d.Group)
	b = appendBytes(append(b, ','), "value", d.Value)
	b = append(b, `,"headers":[`...)
	for i, h := range d.Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"key":`...), h.Key)
		b = append(appendBytes(append(b, ','), "value", h.Value), '}')
	}
	return append(b, "]}\n"...)
}

type jsonMessage struct {
	Group       *string      `json:"group"`
	GroupBase64 []byte       `json:"group_base64"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"value_base64"`
	Headers     []jsonHeader `json:"headers"`
	// What a message has where it is, and not where it goes.
	Queue     any `json:"queue"`
	ID        any `json:"id"`
	Partition any `json:"partition"`
	Offset    any `json:"offset"`
	Attempts  any `json:"attempts"`
	SentMS    any `json:"sent_ms"`
	Receipt   any `json:"receipt"`
}

// ownHeaders is how the names of headers begin that the broker writes.
const ownHeaders = "naru."

// parseMessageJSON reads one message, as a record whose key is the group.
func parseMessageJSON(line []byte) (*kgo.Record, error) {
	var j jsonMessage
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, fmt.Errorf("not a message in JSON: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one JSON value in a line")
	}
	r := &kgo.Record{}
	var err error
	if r.Key, err = eitherBytes("group", j.Group, j.GroupBase64); err != nil {
		return nil, err
	}
	if r.Value, err = eitherBytes("value", j.Value, j.ValueBase64); err != nil {
		return nil, err
	}
	for _, h := range j.Headers {
		v, err := eitherBytes("value", h.Value, h.ValueBase64)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(h.Key, ownHeaders) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: v})
		}
	}
	return r, nil
}

const messageFormatHelp = `%v or %s value, %k group, %h headers, %i id, %a attempts, %r receipt,
%q queue, %p partition, %o offset, %T when it was sent in milliseconds, %D as a date,
%S and %K size of value and group in bytes (-1 if null), %% a percent sign;
\n \t \r \0 \\ \xHH \uHHHH`

const messageFormatFields = "vskhiarqpoTDSK"

// messageWriter turns deliveries into text.
type messageWriter struct {
	format, nullMarker string
	write              func(b []byte, queue string, d *delivery) []byte
}

func (m *messageWriter) flags(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.format, "format", `%v\n`, "how to write a message; see above")
	cmd.Flags().StringVar(&m.nullMarker, "null-marker", "", "`TEXT` to write for a null group or value")
	a.jsonFlag(cmd)
}

// parse is called once the flags are known.
func (m *messageWriter) parse(cmd *cobra.Command, json bool) error {
	if json {
		if cmd.Flags().Changed("format") || cmd.Flags().Changed("null-marker") {
			return usageError("--json excludes --format and --null-marker")
		}
		m.write = appendMessageJSON
		return nil
	}
	format, err := parseFormatOf(messageFormatFields, m.format, m.nullMarker)
	if err != nil {
		return usageError("--format %q: %w", m.format, err)
	}
	m.write = func(b []byte, queue string, d *delivery) []byte {
		r := recordOf(queue, d)
		return format.appendWith(b, r, func(b []byte, field byte) []byte {
			switch field {
			case 'i':
				b = append(b, d.ID...)
			case 'a':
				b = strconv.AppendInt(b, int64(d.Attempts), 10)
			case 'r':
				b = append(b, d.Receipt...)
			case 'q':
				b = append(b, queue...)
			}
			return b
		})
	}
	return nil
}

// delivery is a message that was received or peeked at, with its bytes.
type delivery struct {
	ID, Receipt  string
	Partition    int32
	Offset       int64
	Attempts     int32
	SentMS       int64
	Group, Value []byte
	Headers      []kgo.RecordHeader
}

func deliveryOf(m *naruv1.Message) *delivery {
	d := &delivery{
		ID: m.GetId(), Receipt: m.GetDelivery(), Partition: m.GetPartition(), Offset: m.GetOffset(), Attempts: m.GetAttempts(),
		SentMS: m.GetSentTime().AsTime().UnixMilli(),
	}
	switch k := m.GetKey().(type) {
	case *naruv1.Message_KeyText:
		d.Group = []byte(k.KeyText)
	case *naruv1.Message_KeyBytes:
		d.Group = notNil(k.KeyBytes)
	}
	switch v := m.GetValue().(type) {
	case *naruv1.Message_Text:
		d.Value = []byte(v.Text)
	case *naruv1.Message_Bytes:
		d.Value = notNil(v.Bytes)
	}
	for _, h := range m.GetHeaders() {
		one := kgo.RecordHeader{Key: h.GetName()}
		switch v := h.GetValue().(type) {
		case *naruv1.Header_Text:
			one.Value = []byte(v.Text)
		case *naruv1.Header_Bytes:
			one.Value = notNil(v.Bytes)
		}
		d.Headers = append(d.Headers, one)
	}
	if t := m.GetContentType(); t != "" { // a field in the API, a header in the record
		d.Headers = append(d.Headers, kgo.RecordHeader{Key: "content-type", Value: []byte(t)})
	}
	return d
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func recordOf(queue string, d *delivery) *kgo.Record {
	r := &kgo.Record{
		Topic: queue, Partition: d.Partition, Offset: d.Offset, Timestamp: time.UnixMilli(d.SentMS), Key: d.Group, Value: d.Value,
	}
	r.Headers = d.Headers
	return r
}
