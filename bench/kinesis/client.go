package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// client speaks AWS JSON 1.1 on one connection that stays open. An SDK would use
// more of the cores that it shares with the server than the server does.
type client struct {
	addr string
	conn net.Conn
	r    *bufio.Reader
	out  []byte
	body []byte
	in   bytes.Buffer
}

const callPatience = 60 * time.Second

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	return &client{addr: addr, conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { c.conn.Close() }

// send sends a request and returns its answer, whose body is still to be read.
func (c *client) send(action string, body []byte) (*http.Response, error) {
	b := c.out[:0]
	b = append(b, "POST / HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	b = append(b, "\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202."...)
	b = append(b, action...)
	b = append(b, "\r\nX-Amz-Date: 20260101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	c.out = append(b, "\r\n\r\n"...)
	if err := c.conn.SetDeadline(time.Now().Add(callPatience)); err != nil {
		return nil, err
	}
	if _, err := (&net.Buffers{c.out, body}).WriteTo(c.conn); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s: %s: %.200s", action, resp.Status, text)
	}
	return resp, nil
}

// call returns an answer's document, which holds until the next call.
func (c *client) call(action string, body []byte) ([]byte, error) {
	resp, err := c.send(action, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	c.in.Reset()
	_, err = c.in.ReadFrom(resp.Body)
	return c.in.Bytes(), err
}

func (c *client) ask(action string, out any, format string, args ...any) error {
	doc, err := c.call(action, fmt.Appendf(nil, format, args...))
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(doc, out)
}

type summary struct {
	StreamDescription struct {
		StreamARN, StreamStatus string
		Shards                  []struct{ ShardId string }
	}
}

// stream creates a stream and returns its ARN and shards.
func (c *client) stream(name string, shards int) (arn string, ids []string, err error) {
	if err := c.ask("CreateStream", nil, `{"StreamName":%q,"ShardCount":%d}`, name, shards); err != nil {
		return "", nil, err
	}
	for range 200 {
		var s summary
		if err := c.ask("DescribeStream", &s, `{"StreamName":%q}`, name); err != nil {
			return "", nil, err
		}
		if d := s.StreamDescription; d.StreamStatus == "ACTIVE" {
			for _, shard := range d.Shards {
				ids = append(ids, shard.ShardId)
			}
			return d.StreamARN, ids, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return "", nil, fmt.Errorf("stream %s does not become active", name)
}

func (c *client) iterator(stream, shard string) (string, error) {
	var out struct{ ShardIterator string }
	err := c.ask("GetShardIterator", &out, `{"StreamName":%q,"ShardId":%q,"ShardIteratorType":"TRIM_HORIZON"}`, stream, shard)
	return out.ShardIterator, err
}

// put puts records, whose partition keys say which they are. each is called with
// the Base64 of every one.
func (c *client) put(stream string, first int64, records [][]byte, each func(data []byte)) error {
	b := append(append(append(c.body[:0], `{"StreamName":"`...), stream...), `","Records":[`...)
	for i, data := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"Data":"`...)
		start := len(b)
		b = base64.StdEncoding.AppendEncode(b, data)
		each(b[start:])
		b = append(strconv.AppendInt(append(b, `","PartitionKey":"`...), first+int64(i), 10), `"}`...)
	}
	c.body = append(b, `]}`...)
	doc, err := c.call("PutRecords", c.body)
	if err == nil && !bytes.Contains(doc, []byte(`"FailedRecordCount":0`)) {
		err = fmt.Errorf("PutRecords: %.200s", doc)
	}
	return err
}

// each calls f with what is the text of each member of that name in a document.
// None holds quotes. To decode it all would cost more than the server takes.
func each(doc []byte, name string, f func(text []byte)) {
	mark := []byte(`"` + name + `":"`)
	for {
		i := bytes.Index(doc, mark)
		if i < 0 {
			return
		}
		doc = doc[i+len(mark):]
		end := bytes.IndexByte(doc, '"')
		if end < 0 {
			return
		}
		f(doc[:end])
		doc = doc[end:]
	}
}

// get reads records, and returns the next iterator.
func (c *client) get(iterator string, limit int, f func(data []byte)) (next string, err error) {
	doc, err := c.call("GetRecords", fmt.Appendf(nil, `{"ShardIterator":"%s","Limit":%d}`, iterator, limit))
	if err != nil {
		return "", err
	}
	each(doc, "Data", f)
	each(doc, "NextShardIterator", func(text []byte) { next = string(text) })
	return next, nil
}

// subscribe reads records as they come until f says no.
func (c *client) subscribe(consumer, shard string, f func(data []byte) bool) error {
	body := fmt.Appendf(nil, `{"ConsumerARN":%q,"ShardId":%q,"StartingPosition":{"Type":"TRIM_HORIZON"}}`, consumer, shard)
	resp, err := c.send("SubscribeToShard", body)
	if err != nil {
		return err
	}
	// The body is not closed, which would read it to its end: the connection is.
	r, going := bufio.NewReaderSize(resp.Body, 64<<10), true
	for going {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return fmt.Errorf("subscription: %w", err)
		}
		message := make([]byte, binary.BigEndian.Uint32(head[:])-4)
		if _, err := io.ReadFull(r, message); err != nil {
			return fmt.Errorf("subscription: %w", err)
		}
		each(message, "Data", func(data []byte) { going = f(data) && going })
	}
	return nil
}
