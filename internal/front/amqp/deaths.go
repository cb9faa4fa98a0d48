package amqp

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/record"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

const headerDeath = "x-death"

func isDeathHeader(name string) bool {
	return name == headerDeath || strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}

// appendDeaths adds x-death and the headers of the first and the last death, as RabbitMQ does.
func (e *envelope) appendDeaths(b []byte, end int, headers []record.HeaderField) []byte {
	deaths := broker.DeathsOf(headers)
	if len(deaths.List) == 0 {
		return b
	}
	var list []wire.Value
	size := len(b)
	for _, d := range deaths.List {
		v := deathEntry(&d).Value()
		if size += deathBytes(&d); size > end {
			break
		}
		list = append(list, v)
	}
	var props wire.Properties
	fields := []wire.Field{{Name: headerDeath, Value: wire.NewArray(list...).Value()}}
	for _, h := range deaths.Headers() {
		fields = append(fields, wire.Field{Name: h.Name, Value: wire.String(h.Value)})
	}
	props.Has, props.Headers = wire.HasHeaders, wire.NewTable(fields...)
	encoded := props.Append(nil)
	return append(b, encoded[2+4:]...) // without flags and the table's length
}

// deathBytes is no less than what an entry takes, with what follows the list.
func deathBytes(d *exchange.Death) int {
	n := len(d.Queue) + len(d.Exchange) + 512
	for _, k := range d.RoutingKeys {
		n += 5 + len(k)
	}
	return n
}

func deathEntry(d *exchange.Death) wire.Table {
	var keys []wire.Value
	for _, k := range d.RoutingKeys {
		keys = append(keys, wire.String(k))
	}
	fields := []wire.Field{
		{Name: "count", Value: wire.Int64(d.Count)}, {Name: "reason", Value: wire.String(string(d.Reason))},
		{Name: "queue", Value: wire.String(d.Queue)}, {Name: "time", Value: wire.Timestamp(d.TimeMillis / 1000).Value()},
		{Name: "exchange", Value: wire.String(d.Exchange)}, {Name: "routing-keys", Value: wire.NewArray(keys...).Value()},
	}
	if d.OriginalExpiration != "" {
		fields = append(fields, wire.Field{Name: "original-expiration", Value: wire.String(d.OriginalExpiration)})
	}
	return wire.NewTable(fields...)
}

// addDeaths takes up the history that a client publishes a message with, as those do who send again what has died: it goes on
// from there. What is no history is a header like others.
func (p *publication) addDeaths(t wire.Table) (taken bool) {
	v, there := t.Get(headerDeath)
	if !there {
		return false
	}
	list, _ := v.Array()
	var deaths exchange.Deaths
	for e := range list.All() {
		entry, ok := e.Table()
		if !ok {
			return false
		}
		d := deathOf(entry)
		at := slices.IndexFunc(deaths.List, func(x exchange.Death) bool { return x.Queue == d.Queue && x.Reason == d.Reason })
		if at >= 0 {
			deaths.List[at].Count += d.Count
		} else if len(deaths.List) < exchange.DeathsMax {
			deaths.List = append(deaths.List, d)
		}
	}
	if len(deaths.List) == 0 {
		return false
	}
	deaths.Last = placeOf(t, "x-last-death-", &deaths.List[0])
	deaths.First = placeOf(t, "x-first-death-", &deaths.List[len(deaths.List)-1])
	b, err := json.Marshal(&deaths)
	if err == nil {
		p.add(broker.HeaderDeaths, b)
	}
	return err == nil
}

// deathOf reads an entry of x-death. Those of old do not count, each stands for one death.
func deathOf(t wire.Table) exchange.Death {
	d := exchange.Death{
		Queue: textOf(t, "queue"), Reason: exchange.Reason(textOf(t, "reason")), Exchange: textOf(t, "exchange"),
		OriginalExpiration: textOf(t, "original-expiration"), Count: 1,
	}
	if v, ok := t.Get("count"); ok {
		if n, ok := v.Int(); ok {
			d.Count = max(n, 1)
		}
	}
	if v, ok := t.Get("time"); ok {
		at, _ := v.Timestamp()
		d.TimeMillis = int64(at) * 1000
	}
	keys, _ := t.Get("routing-keys")
	list, _ := keys.Array()
	for e := range list.All() {
		if key, ok := e.Text(); ok {
			d.RoutingKeys = append(d.RoutingKeys, key)
		}
	}
	return d
}

// placeOf is the first or the last death as its headers say it, and else as an entry does.
func placeOf(t wire.Table, prefix string, entry *exchange.Death) exchange.Place {
	if queue := textOf(t, prefix+"queue"); queue != "" {
		return exchange.Place{Reason: exchange.Reason(textOf(t, prefix+"reason")), Queue: queue, Exchange: textOf(t, prefix+"exchange")}
	}
	return exchange.Place{Reason: entry.Reason, Queue: entry.Queue, Exchange: entry.Exchange}
}

func textOf(t wire.Table, name string) string {
	v, _ := t.Get(name)
	text, _ := v.Text()
	return text
}
