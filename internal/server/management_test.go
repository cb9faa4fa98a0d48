package server

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqpclient "github.com/rabbitmq/amqp091-go"
)

// tool calls the management API.
type tool struct {
	t              *testing.T
	base           string
	user, password string
}

func newTool(t *testing.T) (*tool, *Server) {
	c := testConfig(t)
	c.KafkaAddr, c.AWSAddr, c.HTTPAddr, c.AMQPAddr, c.ManagementAddr = Off, Off, Off, "127.0.0.1:0", "127.0.0.1:0"
	s := start(t, c, Options{})
	return &tool{t, s.addr("amqp-management") + "/api/", "guest", "guest"}, s
}

func (x *tool) call(method, path, body string, headers ...string) (int, string) {
	x.t.Helper()
	r, err := http.NewRequest(method, x.base+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	r.SetBasicAuth(x.user, x.password)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// want calls, and compares the status and the body.
func (x *tool) want(status int, body, method, path, request string) {
	x.t.Helper()
	if got, text := x.call(method, path, request); got != status || text != body {
		x.t.Errorf("%s %s %s: %d %s, want %d %s", method, path, request, got, text, status, body)
	}
}

// The statuses and errors are those of RabbitMQ 3.10.8.
func TestManagementTopology(t *testing.T) {
	x, _ := newTool(t)
	const notFound = `{"error":"Object Not Found","reason":"Not Found"}`
	x.want(201, "", "PUT", "queues/%2F/q1", `{"durable":true,"arguments":{"x-max-length":10}}`)
	x.want(204, "", "PUT", "queues/%2F/q1", `{"durable":"true","auto_delete":false,"arguments":{"x-max-length":10}}`)
	x.want(400, `{"error":"bad_request","reason":"inequivalent arg 'durable' for queue 'q1' in vhost '/': received 'false' but current is 'true'"}`,
		"PUT", "queues/%2F/q1", `{}`)
	x.want(201, "", "PUT", "queues/%2F/a%2Fb%20c", "")
	x.want(200, `{"messages":0,"name":"a/b c"}`, "GET", "queues/%2F/a%2Fb%20c?columns=name,messages", "")
	x.want(204, "", "DELETE", "queues/%2F/a%2Fb%20c", "")
	x.want(404, notFound, "GET", "queues/%2F/a%2Fb%20c", "")
	x.want(404, `{"error":"not_found","reason":"vhost_not_found"}`, "PUT", "queues/nowhere/q", "{}")
	x.want(400, `{"error":"bad_request","reason":"not_json"}`, "PUT", "queues/%2F/q2", "{bad")
	x.want(201, "", "PUT", "exchanges/%2F/e1", `{"type":"topic","durable":true}`)
	x.want(400, `{"error":"bad_request","reason":"unknown exchange type 'nope'"}`, "PUT", "exchanges/%2F/e2", `{"type":"nope"}`)
	x.want(401, `{"error":"not_authorised","reason":"Access refused."}`, "DELETE", "exchanges/%2F/amq.direct", "")
	x.want(201, "", "POST", "bindings/%2F/e/e1/q/q1", `{"routing_key":"a.*"}`)
	x.want(201, "", "POST", "bindings/%2F/e/e1/q/q1", `{"routing_key":"","arguments":{"n":1}}`)
	x.want(404, `{"error":"not_found","reason":"no queue 'nope' in vhost '/'"}`, "POST", "bindings/%2F/e/e1/q/nope", `{}`)
	a := `{"arguments":{},"destination":"q1","destination_type":"queue","properties_key":"a.%2A","routing_key":"a.*","source":"e1","vhost":"/"}`
	x.want(200, a, "GET", "bindings/%2F/e/e1/q/q1/a.%252A", "")
	x.want(200, a, "GET", "bindings/%2F/e/e1/q/q1/a.%2A", "")
	_, list := x.call("GET", "bindings/%2F/e/e1/q/q1", "")
	var bindings []struct {
		Props string `json:"properties_key"`
	}
	if err := json.Unmarshal([]byte(list), &bindings); err != nil || len(bindings) != 2 {
		t.Fatal(list, err)
	}
	for _, b := range bindings {
		x.want(204, "", "DELETE", "bindings/%2F/e/e1/q/q1/"+strings.ReplaceAll(b.Props, "%", "%25"), "")
	}
	x.want(200, "[]", "GET", "bindings/%2F/e/e1/q/q1", "")
	x.want(404, notFound, "DELETE", "bindings/%2F/e/e1/q/q1/a.%252A", "")
	x.want(204, "", "DELETE", "exchanges/%2F/e1?if-unused=true", "")
	x.want(405, "", "POST", "queues", "")
	x.want(501, `{"error":"not_implemented","reason":"policies, parameters and limits are not kept here: give queues arguments"}`,
		"PUT", "policies/%2F/p", `{"pattern":".*","definition":{}}`)
	x.want(201, "", "PUT", "vhosts/v1", "")
	x.want(204, "", "PUT", "vhosts/v1", "")
	x.want(204, "", "DELETE", "vhosts/v1", "")
	x.want(404, notFound, "DELETE", "vhosts/v1", "")
}

func TestManagementMessages(t *testing.T) {
	x, _ := newTool(t)
	x.want(201, "", "PUT", "queues/%2F/q", `{"durable":true}`)
	message := `{"properties":{"headers":{"b":[1,"x",{"c":true}]},"delivery_mode":2},"routing_key":"q","payload":"hello","payload_encoding":"string"}`
	x.want(200, `{"routed":true}`, "POST", "exchanges/%2F/amq.default/publish", message)
	x.want(200, `{"routed":true}`, "POST", "exchanges/%2F//publish", `{"properties":[],"routing_key":"q","payload":"/////w==","payload_encoding":"base64"}`)
	x.want(200, `{"routed":false}`, "POST", "exchanges/%2F/amq.topic/publish", message)
	x.want(400, `{"error":"bad_request","reason":"[{key_missing,properties},{key_missing,payload_encoding}]"}`,
		"POST", "exchanges/%2F/amq.default/publish", `{"routing_key":"q","payload":"x"}`)
	hello := `{"exchange":"","message_count":1,"payload":"hel","payload_bytes":5,"payload_encoding":"string",` +
		`"properties":{"delivery_mode":2,"headers":{"b":[1,"x",{"c":true}]}},"redelivered":false,"routing_key":"q"}`
	x.want(200, "["+hello+"]", "POST", "queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto","truncate":3}`)
	code, text := x.call("POST", "queues/%2F/q/get", `{"count":9,"ackmode":"ack_requeue_false","encoding":"auto"}`)
	if code != 200 || !strings.Contains(text, `"redelivered":true`) || !strings.Contains(text, `"payload":"/////w==","payload_bytes":4,"payload_encoding":"base64"`) {
		t.Error(code, text)
	}
	x.want(200, "[]", "POST", "queues/%2F/q/get", `{"count":"1","ackmode":"ack_requeue_true","encoding":"auto"}`)
	x.want(400, `{"error":"bad_request","reason":"[{key_missing,ackmode}]"}`, "POST", "queues/%2F/q/get", `{"count":1,"encoding":"auto"}`)
	x.want(200, `{"routed":true}`, "POST", "exchanges/%2F/amq.default/publish", message)
	x.want(400, `{"error":"bad_request","reason":"queue 'q' in vhost '/' not empty"}`, "DELETE", "queues/%2F/q?if-empty=true", "")
	x.want(204, "", "DELETE", "queues/%2F/q/contents", "")
	x.want(204, "", "DELETE", "queues/%2F/q?if-empty=true", "")
	x.want(200, `{"status":"ok"}`, "GET", "aliveness-test/%2F", "")
	x.want(200, `{"status":"ok"}`, "GET", "health/checks/alarms", "")
}

func TestManagementSessions(t *testing.T) {
	x, s := newTool(t)
	c, err := amqpclient.Dial("amqp://guest:guest@" + s.addr("amqp") + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err == nil {
		_, err = ch.QueueDeclare("mine", false, false, true, false, nil)
	}
	if err == nil {
		_, err = ch.Consume("mine", "tag", false, false, false, false, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := c.LocalAddr().String() + " -> " + s.addr("amqp")
	x.want(200, `[{"channels":1,"name":"`+name+`"}]`, "GET", "connections?columns=name,channels", "")
	x.want(200, `[{"name":"`+name+` (1)"}]`, "GET", "channels?columns=name", "")
	x.want(200, `[{"consumer_tag":"tag","queue":{"name":"mine","vhost":"/"}}]`, "GET", "consumers/%2F?columns=consumer_tag,queue", "")
	x.want(200, `{"consumers":1,"exclusive":true,"owner_pid_details":{"name":"`+name+`"}}`, "GET", "queues/%2F/mine?columns=consumers,exclusive,owner_pid_details", "")
	x.want(200, `{"object_totals":{"connections":1}}`, "GET", "overview?columns=object_totals.connections", "")
	closed := c.NotifyClose(make(chan *amqpclient.Error, 1))
	if code, text := x.call("DELETE", "connections/"+strings.NewReplacer(" ", "%20", ">", "%3E").Replace(name), "", "X-Reason", "over"); code != 204 {
		t.Fatal(code, text)
	}
	select {
	case e := <-closed:
		if e == nil || e.Code != 320 || !strings.Contains(e.Reason, "'over'") {
			t.Errorf("closed with %v", e)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the connection stays")
	}
}

// Users log in, and may do what their tags and permissions say.
func TestManagementUsers(t *testing.T) {
	x, _ := newTool(t)
	const refused = `{"error":"not_authorised","reason":"Access refused."}`
	x.want(400, `{"error":"bad_request","reason":"the first user has to be an administrator: afterwards nobody else may make users"}`,
		"PUT", "users/eva", `{"password":"p","tags":""}`)
	x.want(201, "", "PUT", "users/root", `{"password":"secret","tags":"administrator"}`)
	x.want(401, `{"error":"not_authorized","reason":"Login failed"}`, "GET", "whoami", "")
	x.user, x.password = "root", "secret"
	x.want(200, `{"name":"root","tags":["administrator"]}`, "GET", "whoami", "")
	x.want(401, refused, "PUT", "queues/%2F/q", "{}") // tags are no permissions
	x.want(201, "", "PUT", "permissions/%2F/root", `{"configure":".*","write":".*","read":".*"}`)
	x.want(201, "", "PUT", "queues/%2F/q", "{}")
	x.want(201, "", "PUT", "users/eva", `{"password":"p","tags":"management"}`)
	x.want(201, "", "PUT", "users/app", `{"password_hash":"","tags":[]}`)
	x.want(201, "", "PUT", "permissions/%2F/eva", `{"configure":"^eva-","write":"^eva-","read":".*"}`)
	x.want(204, "", "PUT", "permissions/%2F/eva", `{"configure":"^eva-","write":"^eva-","read":".*"}`)
	x.want(201, "", "PUT", "vhosts/closed", "")
	eva := &tool{t, x.base, "eva", "p"}
	eva.want(200, `[{"name":"/"}]`, "GET", "vhosts?columns=name", "")
	eva.want(401, refused, "GET", "queues/closed", "")
	eva.want(401, refused, "GET", "users", "")
	eva.want(401, refused, "GET", "nodes", "")
	eva.want(401, refused, "PUT", "queues/%2F/other", "{}")
	eva.want(201, "", "PUT", "queues/%2F/eva-1", "{}")
	eva.want(401, refused, "DELETE", "queues/%2F/q", "")
	eva.want(401, refused, "POST", "exchanges/%2F/amq.topic/publish", `{"properties":{},"routing_key":"q","payload":"x","payload_encoding":"string"}`)
	app := &tool{t, x.base, "app", ""}
	app.want(401, `{"error":"not_authorized","reason":"Login failed"}`, "GET", "whoami", "")
	x.want(204, "", "DELETE", "users/eva", "")
	eva.want(401, `{"error":"not_authorized","reason":"Login failed"}`, "GET", "whoami", "")
}

const definitions = `{
"vhosts":[{"name":"/"},{"name":"v"}],
"users":[{"name":"app","password_hash":"I/Zy6nqBWCjeQR+Ebxom55pzs+8ftkmndzyjSgZcDL3ENHYk","hashing_algorithm":"rabbit_password_hashing_sha256","tags":[],"limits":{}},
 {"name":"guest","password_hash":"I/Zy6nqBWCjeQR+Ebxom55pzs+8ftkmndzyjSgZcDL3ENHYk","hashing_algorithm":"rabbit_password_hashing_sha256","tags":["administrator"],"limits":{}}],
"permissions":[{"user":"guest","vhost":"/","configure":".*","write":".*","read":".*"}],
"global_parameters":[{"name":"internal_cluster_id","value":"x"}],
"parameters":[{"vhost":"/","component":"shovel","name":"s","value":{}}],
"policies":[{"vhost":"v","name":"all","pattern":".*","apply-to":"all","priority":0,"definition":{"max-length":9}},
 {"vhost":"v","name":"some","pattern":"^q","apply-to":"queues","priority":5,"definition":{"max-length":5,"ha-mode":"all","expires":1000}}],
"queues":[{"name":"q","vhost":"v","durable":true,"auto_delete":false,"arguments":{"x-message-ttl":60000}},
 {"name":"bad","vhost":"v","durable":true,"auto_delete":false,"arguments":{"x-message-ttl":"soon"}}],
"exchanges":[{"name":"x","vhost":"v","type":"headers","durable":true,"auto_delete":false,"internal":false,"arguments":{"alternate-exchange":"y"}},
 {"name":"hash","vhost":"v","type":"x-consistent-hash","durable":true,"auto_delete":false,"internal":false,"arguments":{}}],
"bindings":[{"source":"x","vhost":"v","destination":"q","destination_type":"queue","routing_key":"k","arguments":{"x-match":"all","n":[1,"a"]}},
 {"source":"hash","vhost":"v","destination":"q","destination_type":"queue","routing_key":"1","arguments":{}}]}`

// An import makes what it can, says what it cannot, and can be repeated; its export is imported without a change.
func TestManagementDefinitions(t *testing.T) {
	x, _ := newTool(t)
	send := func(text string, status int) map[string][]string {
		t.Helper()
		code, body := x.call("POST", "definitions", text, "Prefer", "return=representation")
		var r struct{ Made, Existed, Ignored, Unsupported, Failed []struct{ Kind, Name string } }
		if err := json.Unmarshal([]byte(body), &r); err != nil || code != status {
			t.Fatalf("%d %s %v", code, body, err)
		}
		out := map[string][]string{}
		for name, list := range map[string][]struct{ Kind, Name string }{
			"made": r.Made, "existed": r.Existed, "ignored": r.Ignored, "unsupported": r.Unsupported, "failed": r.Failed,
		} {
			for _, i := range list {
				out[name] = append(out[name], i.Kind+" "+i.Name)
			}
		}
		return out
	}
	got := send(definitions, 400)
	made := []string{"vhost v", "user guest", "user app", "permission guest", "exchange x", "queue q", `binding x -> queue q, key "k"`, "policy some"}
	want := map[string][]string{
		"made": made, "existed": {"vhost /", "policy all"}, "ignored": {"policy some ha-mode", "parameter internal_cluster_id"},
		"unsupported": {"exchange hash", `binding hash -> queue q, key "1"`, "policy some expires", "parameter shovel s"}, "failed": {"queue bad"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := send(definitions, 400); len(got["made"]) > 0 || len(got["existed"]) != len(made)+2 {
		t.Errorf("repeated: %v", got)
	}
	code, export := x.call("GET", "definitions", "")
	if code != 200 || !strings.Contains(export, `"password_hash":"I/Zy6nqBWCjeQR+Ebxom55pzs+8ftkmndzyjSgZcDL3ENHYk"`) {
		t.Fatal(code, export)
	}
	y, _ := newTool(t)
	if code, body := y.call("POST", "definitions", export); code != 204 {
		t.Fatal(code, body)
	}
	if _, again := y.call("GET", "definitions", ""); again != export {
		t.Error(cmp.Diff(indented(export), indented(again)))
	}
}

func indented(text string) string {
	var b bytes.Buffer
	json.Indent(&b, []byte(text), "", " ")
	return b.String()
}
