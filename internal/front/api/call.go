package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"connectrpc.com/grpcreflect"

	"github.com/narumq/naru/api/naru/v1/naruv1connect"
)

const (
	bodyTimeout = time.Minute     // for a whole body to come
	stopTimeout = 2 * time.Second // for a client to take what it is being told, when the server stops
)

// longBodies are calls whose requests go on as long as the call does. A single
// message of theirs is small.
var longBodies = map[string]bool{
	naruv1connect.QueueServiceConsumeProcedure:                            true,
	"/" + grpcreflect.ReflectV1ServiceName + "/ServerReflectionInfo":      true,
	"/" + grpcreflect.ReflectV1AlphaServiceName + "/ServerReflectionInfo": true,
}

// call is one request on its way through the server.
type call struct {
	s       *Server
	ctx     context.Context
	control *http.ResponseController
	large   bool // holds a place among those that are large

	mu      sync.Mutex // guards what follows
	ended   bool       // control is net/http's again
	reading bool       // a body that has not come to its end
	unread  bool       // there is such a body
}

// hurry ends writes to a client that does not read, because the server stops.
func (c *call) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.control.SetWriteDeadline(time.Now().Add(stopTimeout))
	}
}

// giveUp ends the read of a body that does not come.
func (c *call) giveUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended && c.reading {
		c.control.SetReadDeadline(time.Now())
	}
}

func (c *call) setReading(to bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading, c.unread = to, to
}

func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	if c.unread { // net/http reads on, to use the connection again
		c.control.SetReadDeadline(time.Now().Add(c.s.slow))
	}
	if c.large {
		<-c.s.large
	}
}

// body is the request's body, of which the client takes no more than bodyTimeout to
// send it, and more than smallBytesMax is read only if there is a place.
func (c *call) body(r *http.Request) io.ReadCloser {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return r.Body
	}
	c.unread = true
	return &body{ReadCloser: r.Body, c: c, length: r.ContentLength}
}

type body struct {
	io.ReadCloser
	c      *call
	length int64 // below 0: not known
	read   int64
	timer  *time.Timer
}

func (b *body) Read(p []byte) (int, error) {
	c := b.c
	if !c.large && max(b.read, b.length) > smallBytesMax {
		select {
		case c.s.large <- struct{}{}:
			c.large = true
		case <-c.ctx.Done():
			return 0, c.ctx.Err()
		}
	}
	if b.timer == nil {
		c.setReading(true)
		b.timer = time.AfterFunc(c.s.slow, c.giveUp)
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	if err != nil || b.length >= 0 && b.read >= b.length {
		c.setReading(false)
		b.timer.Stop()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	return n, err
}
