package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A record as JSON. Bytes that are UTF-8 are a string, others are base64 under
// a name that says so, null is null:
//
//	{"topic":"t","partition":0,"offset":7,"timestamp_ms":1795249800000,
//	 "key":null,"value":"text","headers":[{"key":"k","value_base64":"/w=="}]}
//
// What consume --json writes, produce --json reads. It keeps key, value,
// headers and timestamp; topic, partition and offset are the new place's.

// appendJSON adds the record and a line feed to b.
func appendJSON(b []byte, r *kgo.Record) []byte {
	b = append(b, `{"topic":`...)
	b = appendString(b, r.Topic)
	b = append(b, `,"partition":`...)
	b = strconv.AppendInt(b, int64(r.Partition), 10)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, `,"timestamp_ms":`...)
	b = strconv.AppendInt(b, r.Timestamp.UnixMilli(), 10)
	b = appendBytes(append(b, ','), "key", r.Key)
	b = appendBytes(append(b, ','), "value", r.Value)
	b = append(b, `,"headers":[`...)
	for i, h := range r.Headers {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"key":`...)
		b = appendString(b, h.Key)
		b = appendBytes(append(b, ','), "value", h.Value)
		b = append(b, '}')
	}
	return append(b, "]}\n"...)
}

func appendBytes(b []byte, name string, v []byte) []byte {
	switch {
	case v == nil:
		return fmt.Appendf(b, `"%s":null`, name)
	case utf8.Valid(v):
		return appendString(fmt.Appendf(b, `"%s":`, name), string(v))
	}
	b = fmt.Appendf(b, `"%s_base64":"`, name)
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		panic("a string has a JSON form")
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}

type jsonRecord struct {
	Topic       string       `json:"topic"`
	Partition   int32        `json:"partition"`
	Offset      int64        `json:"offset"`
	TimestampMS *int64       `json:"timestamp_ms"`
	Key         *string      `json:"key"`
	KeyBase64   []byte       `json:"key_base64"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"value_base64"`
	Headers     []jsonHeader `json:"headers"`
}

type jsonHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"value_base64"`
}

// parseJSON reads one record.
func parseJSON(line []byte) (*kgo.Record, error) {
	var j jsonRecord
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return nil, fmt.Errorf("not a record in JSON: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("more than one JSON value in a line")
	}
	r := &kgo.Record{}
	var err error
	if r.Key, err = eitherBytes("key", j.Key, j.KeyBase64); err != nil {
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
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: v})
	}
	if j.TimestampMS != nil {
		r.Timestamp = time.UnixMilli(*j.TimestampMS)
	}
	return r, nil
}

func eitherBytes(name string, text *string, base64 []byte) ([]byte, error) {
	switch {
	case text != nil && base64 != nil:
		return nil, fmt.Errorf("both %s and %s_base64 are given", name, name)
	case text != nil:
		return []byte(*text), nil
	}
	return base64, nil
}
