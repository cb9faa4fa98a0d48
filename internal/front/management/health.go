package management

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/user"
)

// number is a port or a process id in the form in which it is shown.
func number[T string | int](v T) any {
	switch v := any(v).(type) {
	case int:
		return strconv.Itoa(v)
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return v
}

func sinceMillis(t time.Time) int64 { return time.Since(t).Milliseconds() }

func failed(o object) (reply, error) {
	o["status"] = "failed"
	return reply{status: http.StatusServiceUnavailable, body: o}, nil
}

func well(c *call) (reply, error) { return c.one(object{"status": "ok"}) }

// single answers checks that are about other nodes.
func single(c *call) (reply, error) {
	return c.one(object{"status": "ok", "reason": "single node cluster"})
}

// inService is ok while the broker takes messages.
func inService(c *call) (reply, error) {
	if why := c.cfg.Node().Problem; why != "" {
		return failed(object{"reason": why})
	}
	return well(c)
}

// alarms is ok while nobody who publishes has to wait.
func alarms(c *call) (reply, error) {
	n := c.cfg.Node()
	list := []object{}
	for _, a := range []struct {
		on       bool
		resource string
	}{{n.DiskAlarm, "disk"}, {n.MemoryAlarm, "memory"}} {
		if a.on {
			list = append(list, object{"node": n.Name, "resource": a.resource})
		}
	}
	if len(list) > 0 {
		return failed(object{"reason": "There are alarms in effect in the cluster", "alarms": list})
	}
	return inService(c)
}

func portListener(c *call) (reply, error) {
	ports := []any{}
	for _, l := range c.cfg.Node().Listeners {
		if l.Port == c.vars["port"] {
			return c.one(object{"status": "ok", "port": number(l.Port)})
		}
		ports = append(ports, number(l.Port))
	}
	return failed(object{"reason": "No active listener", "missing": number(c.vars["port"]), "ports": ports})
}

func protocolListener(c *call) (reply, error) {
	protocols := []string{}
	for _, l := range c.cfg.Node().Listeners {
		if l.Protocol == c.vars["protocol"] || l.Protocol == "amqp" && (c.vars["protocol"] == "amqp091" || c.vars["protocol"] == "amqp0-9-1") {
			return c.one(object{"status": "ok", "protocol": c.vars["protocol"]})
		}
		protocols = append(protocols, l.Protocol)
	}
	return failed(object{"reason": "No active listener", "missing": c.vars["protocol"], "protocols": protocols})
}

// alivenessQueue is the queue of the aliveness test. It stays, as RabbitMQ's does.
const (
	alivenessQueue = "aliveness-test"
	alivenessWait  = 10 * time.Second
)

// aliveness declares a queue, and publishes and gets a message.
func aliveness(c *call) (reply, error) {
	vhost := c.vars["vhost"]
	err := c.allowed(need{user.Configure, alivenessQueue}, need{user.Write, ""}, need{user.Read, alivenessQueue})
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), alivenessWait)
	defer cancel()
	amqp := c.cfg.AMQP
	if _, err := amqp.DeclareQueue(vhost, alivenessQueue, false, false, nil); err != nil {
		return reply{}, c.explained(err)
	}
	routed, err := amqp.PublishAs(ctx, c.user.Name, vhost, "", alivenessQueue, nil, []byte("test_message"))
	if err == nil && routed {
		var list []Message
		if list, err = amqp.Get(ctx, vhost, alivenessQueue, 1, getBytesMax, "ack_requeue_false"); err == nil && len(list) == 1 {
			return well(c)
		}
	}
	reason := "the message did not come"
	if err != nil {
		reason = c.explained(err).Error()
	}
	return failed(object{"reason": reason})
}
