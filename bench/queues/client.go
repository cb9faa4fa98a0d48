package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// client speaks AWS JSON 1.0 on one connection that stays open. An SDK would use
// more of the cores that it shares with the broker than the broker does.
type client struct {
	addr string
	url  string // of the queue
	conn net.Conn
	r    *bufio.Reader
	out  []byte
}

const callPatience = 60 * time.Second

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	return &client{addr: addr, conn: conn, r: bufio.NewReaderSize(conn, 64<<10), url: "http://" + addr + "/000000000000/bench"}, nil
}

func (c *client) close() { c.conn.Close() }

// call sends a request and decodes the answer into out, if that is not nil.
func (c *client) call(action string, body []byte, out any) error {
	b := c.out[:0]
	b = append(b, "POST / HTTP/1.1\r\nHost: "...)
	b = append(b, c.addr...)
	b = append(b, "\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS."...)
	b = append(b, action...)
	b = append(b, "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	b = append(b, body...)
	c.out = b
	if err := c.conn.SetDeadline(time.Now().Add(callPatience)); err != nil {
		return err
	}
	if _, err := c.conn.Write(b); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.200s", action, resp.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

func (c *client) createQueue(name string) error {
	c.url = "http://" + c.addr + "/000000000000/" + name
	body := fmt.Appendf(nil, `{"QueueName":%q,"Attributes":{"VisibilityTimeout":"600"}}`, name)
	var out struct{ QueueUrl string }
	if err := c.call("CreateQueue", body, &out); err != nil {
		return err
	}
	c.url = out.QueueUrl
	return nil
}

type sent struct {
	MessageId string
	Failed    []struct{ Code string }
}

// send sends bodies, which need no escaping: one by itself, more as a batch.
func (c *client) send(bodies []string) error {
	b := append([]byte(`{"QueueUrl":"`), c.url...)
	if len(bodies) == 1 {
		b = append(b, `","MessageBody":"`...)
		b = append(append(b, bodies[0]...), `"}`...)
		var out sent
		err := c.call("SendMessage", b, &out)
		if err == nil && out.MessageId == "" {
			err = fmt.Errorf("SendMessage: no message id")
		}
		return err
	}
	b = append(b, `","Entries":[`...)
	for i, body := range bodies {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"Id":"%d","MessageBody":"%s"}`, i, body)
	}
	var out sent
	err := c.call("SendMessageBatch", append(b, `]}`...), &out)
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("SendMessageBatch: %d failed: %s", len(out.Failed), out.Failed[0].Code)
	}
	return err
}

type message struct{ Body, ReceiptHandle string }

// receive takes up to n messages and deletes them.
func (c *client) receive(n int) ([]message, error) {
	var got struct{ Messages []message }
	if err := c.call("ReceiveMessage", fmt.Appendf(nil, `{"QueueUrl":%q,"MaxNumberOfMessages":%d}`, c.url, n), &got); err != nil || len(got.Messages) == 0 {
		return nil, err
	}
	if n == 1 {
		return got.Messages, c.call("DeleteMessage", fmt.Appendf(nil, `{"QueueUrl":%q,"ReceiptHandle":%q}`, c.url, got.Messages[0].ReceiptHandle), nil)
	}
	b := fmt.Appendf(nil, `{"QueueUrl":%q,"Entries":[`, c.url)
	for i, m := range got.Messages {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"Id":"%d","ReceiptHandle":%q}`, i, m.ReceiptHandle)
	}
	var out sent
	err := c.call("DeleteMessageBatch", append(b, `]}`...), &out)
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("DeleteMessageBatch: %d failed: %s", len(out.Failed), out.Failed[0].Code)
	}
	return got.Messages, err
}
