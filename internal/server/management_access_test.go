package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The default exchange is amq.default where permissions are asked for, whatever needs them.
func TestManagementDefaultExchangeAccess(t *testing.T) {
	x, _ := newTool(t)
	const refused = `{"error":"not_authorised","reason":"Access refused."}`
	const message = `{"properties":{},"routing_key":"q","payload":"x","payload_encoding":"string"}`
	x.want(201, "", "PUT", "queues/%2F/q", "{}")
	x.want(201, "", "PUT", "users/eva", `{"password":"p","tags":"administrator"}`)
	x.user, x.password = "eva", "p"
	for _, c := range []struct {
		write  string
		may    bool
		queues int
	}{{"", false, 401}, {"^$", false, 401}, {"^amq\\\\.default$", true, 201}} {
		if code, text := x.call("PUT", "permissions/%2F/eva", `{"configure":".*","write":"`+c.write+`","read":".*"}`); code > 204 {
			t.Fatal(code, text)
		}
		body := ""
		if !c.may {
			body = refused
		}
		x.want(c.queues, body, "PUT", "queues/%2F/dead-"+fmt.Sprint(len(c.write)), `{"arguments":{"x-dead-letter-exchange":""}}`)
		if c.may {
			x.want(200, `{"routed":true}`, "POST", "exchanges/%2F/amq.default/publish", message)
		} else {
			x.want(401, refused, "POST", "exchanges/%2F/amq.default/publish", message)
		}
	}
}

// Who may not read with a key may not unbind with it either.
func TestManagementUnbindAccess(t *testing.T) {
	x, _ := newTool(t)
	x.want(201, "", "PUT", "queues/%2F/q", "{}")
	x.want(201, "", "POST", "bindings/%2F/e/amq.topic/q/q", `{"routing_key":"a"}`)
	x.want(201, "", "PUT", "users/eva", `{"password":"p","tags":"administrator"}`)
	x.user, x.password = "eva", "p"
	x.want(201, "", "PUT", "permissions/%2F/eva", `{"configure":".*","write":".*","read":".*"}`)
	x.want(201, "", "PUT", "topic-permissions/%2F/eva", `{"exchange":"amq.topic","write":".*","read":"^b$"}`)
	x.want(401, `{"error":"not_authorised","reason":"Access refused."}`, "DELETE", "bindings/%2F/e/amq.topic/q/q/a", "")
}

// Many bindings take time with their number, not with its square.
func TestManagementManyBindings(t *testing.T) {
	x, _ := newTool(t)
	const n = 10_000
	var b strings.Builder
	b.WriteString(`{"queues":[{"name":"q","vhost":"/"}],"bindings":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"source":"amq.direct","vhost":"/","destination":"q","destination_type":"queue","routing_key":"k%d"}`, i)
	}
	b.WriteString(`]}`)
	began := time.Now()
	x.want(204, "", "POST", "definitions", b.String())
	if took := time.Since(began); took > 30*time.Second { // of minutes
		t.Error(n, "bindings took", took)
	}
}
