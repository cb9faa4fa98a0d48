package management

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/narumq/naru/internal/user"
)

// missing says which keys a body lacks, in RabbitMQ's words.
func missing(have map[string]bool, keys ...string) error {
	var list []string
	for _, key := range keys {
		if !have[key] {
			list = append(list, "{key_missing,"+key+"}")
		}
	}
	if list == nil {
		return nil
	}
	return badRequest("[%s]", strings.Join(list, ","))
}

func publish(c *call) (reply, error) {
	name := exchangeNamed(c.vars["exchange"])
	var body struct {
		Properties json.RawMessage `json:"properties"`
		Key        *string         `json:"routing_key"`
		Payload    *string         `json:"payload"`
		Encoding   *string         `json:"payload_encoding"`
	}
	if err := c.decodeUpTo(&body, publishBytesMax); err != nil {
		return reply{}, err
	}
	err := missing(map[string]bool{
		"properties": body.Properties != nil, "routing_key": body.Key != nil, "payload": body.Payload != nil, "payload_encoding": body.Encoding != nil,
	}, "properties", "routing_key", "payload", "payload_encoding")
	if err != nil {
		return reply{}, err
	}
	var properties map[string]any
	if string(body.Properties) != "[]" { // what Erlang makes of an empty object
		d := json.NewDecoder(strings.NewReader(string(body.Properties)))
		d.UseNumber()
		if d.Decode(&properties) != nil {
			return reply{}, badRequest("properties are no object")
		}
	}
	payload := []byte(*body.Payload)
	switch *body.Encoding {
	case "string":
	case "base64":
		if payload, err = base64.StdEncoding.DecodeString(*body.Payload); err != nil {
			return reply{}, badRequest("payload is not base64: %v", err)
		}
	default:
		return reply{}, badRequest("unsupported payload_encoding %.40q: string or base64", *body.Encoding)
	}
	if err := c.allowed(need{user.Write, name}); err != nil {
		return reply{}, err
	}
	if err := c.mayKey(user.Write, name, *body.Key); err != nil {
		return reply{}, err
	}
	routed, err := c.cfg.AMQP.PublishAs(c.r.Context(), c.user.Name, c.vars["vhost"], name, *body.Key, properties, payload)
	if err != nil {
		return reply{}, c.explained(err)
	}
	return reply{body: object{"routed": routed}}, nil
}

func getMessages(c *call) (reply, error) {
	body := struct {
		Count    *integer `json:"count"`
		Mode     *string  `json:"ackmode"`
		Encoding *string  `json:"encoding"`
		Truncate *integer `json:"truncate"`
	}{}
	if err := c.decode(&body); err != nil {
		return reply{}, err
	}
	err := missing(map[string]bool{"count": body.Count != nil, "ackmode": body.Mode != nil, "encoding": body.Encoding != nil}, "count", "ackmode", "encoding")
	if err != nil {
		return reply{}, err
	}
	switch *body.Mode {
	case "ack_requeue_true", "ack_requeue_false", "reject_requeue_true", "reject_requeue_false":
	default:
		return reply{}, badRequest("unknown ackmode %.40q", *body.Mode)
	}
	if *body.Count < 1 || *body.Count > getMessagesMax {
		return reply{}, badRequest("count %d: 1 to %d are allowed", *body.Count, getMessagesMax)
	}
	if *body.Encoding != "auto" && *body.Encoding != "base64" {
		return reply{}, badRequest("unknown encoding %.40q: auto or base64", *body.Encoding)
	}
	if err := c.allowed(need{user.Read, c.vars["queue"]}); err != nil {
		return reply{}, err
	}
	list, err := c.cfg.AMQP.Get(c.r.Context(), c.vars["vhost"], c.vars["queue"], int(*body.Count), getBytesMax, *body.Mode)
	if err != nil {
		return reply{}, c.explained(err)
	}
	out := make([]object, len(list))
	for i := range list {
		out[i] = shownMessage(&list[i], *body.Encoding, body.Truncate)
	}
	return reply{status: http.StatusOK, body: out}, nil
}

func shownMessage(m *Message, encoding string, truncate *integer) object {
	body := m.Body
	if truncate != nil && *truncate >= 0 && len(body) > int(*truncate) {
		body = body[:*truncate]
	}
	o := object{
		"payload_bytes": len(m.Body), "redelivered": m.Redelivered, "exchange": m.Exchange, "routing_key": m.RoutingKey,
		"message_count": m.Left, "properties": m.Properties, "payload": string(body), "payload_encoding": "string",
	}
	if encoding == "base64" || !utf8.Valid(body) {
		o["payload"], o["payload_encoding"] = base64.StdEncoding.EncodeToString(body), "base64"
	}
	return o
}
