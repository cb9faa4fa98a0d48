package management

import (
	"fmt"
	"net/http"
	"strings"
)

// Report says what became of definitions.
type Report struct {
	Made        []Item `json:"made"`
	Existed     []Item `json:"existed"`     // as they were defined
	Ignored     []Item `json:"ignored"`     // they mean nothing here
	Unsupported []Item `json:"unsupported"` // they do not work here
	Failed      []Item `json:"failed"`
}

// Item is one of a Report.
type Item struct {
	Kind   string `json:"kind"` // vhost, user, permission, queue, exchange, binding, policy, parameter
	VHost  string `json:"vhost,omitempty"`
	Name   string `json:"name"`
	Reason string `json:"reason,omitempty"`
}

// definitionFile is what RabbitMQ exports.
type definitionFile struct {
	VHosts           []struct{ Name string }
	Users            []credentials
	Permissions      []patterns
	TopicPermissions []patterns `json:"topic_permissions"`
	Exchanges        []defined
	Queues           []defined
	Bindings         []defined
	Policies         []policy
	Parameters       []parameter
	GlobalParameters []parameter `json:"global_parameters"`
}

// defined is a queue, an exchange or a binding.
type defined struct {
	declaration
	Name, VHost         string
	Source, Destination string
	DestinationType     string `json:"destination_type"`
	Key                 string `json:"routing_key"`
}

type parameter struct{ VHost, Component, Name string }

// importing is an import at work.
type importing struct {
	*call
	vhost  string // of all that the file defines; empty: it says itself
	report Report
	lost   map[Item]bool // exchanges and queues that are not supported, without a reason
}

// importDefinitions makes what a file defines and is not there. What cannot be done keeps nothing else back. Tools get 204 if
// all is as they want it, 200 with the report if something is not supported, 400 if something failed; with the header
// "Prefer: return=representation" (RFC 7240) they always get the report.
func importDefinitions(c *call) (reply, error) {
	if _, err := c.vhosts(); err != nil {
		return reply{}, err
	}
	var file definitionFile
	if err := c.decodeUpTo(&file, definitionsBytesMax); err != nil {
		return reply{}, err
	}
	im := &importing{call: c, vhost: c.vars["vhost"], report: Report{[]Item{}, []Item{}, []Item{}, []Item{}, []Item{}}, lost: map[Item]bool{}}
	im.run(&file)
	r := &im.report
	out := reply{body: r}
	switch {
	case len(r.Failed) > 0:
		f := r.Failed[0]
		out.status = http.StatusBadRequest
		out.body = object{
			"error": "bad_request", "reason": fmt.Sprintf("%d of the definitions failed, first %s '%s': %s", len(r.Failed), f.Kind, f.Name, f.Reason),
			"made": r.Made, "existed": r.Existed, "ignored": r.Ignored, "unsupported": r.Unsupported, "failed": r.Failed,
		}
	case len(r.Unsupported) == 0 && !strings.Contains(c.r.Header.Get("Prefer"), "return=representation"):
		return reply{}, nil
	}
	return out, nil
}

func (im *importing) run(file *definitionFile) {
	if im.vhost == "" {
		for _, v := range file.VHosts {
			im.namespace(v.Name)
		}
		im.people(file)
	}
	for i := range file.Exchanges {
		im.exchange(&file.Exchanges[i], im.in(file.Exchanges[i].VHost))
	}
	for i := range file.Queues {
		im.queue(&file.Queues[i], im.in(file.Queues[i].VHost))
	}
	for i := range file.Bindings {
		im.binding(&file.Bindings[i], im.in(file.Bindings[i].VHost))
	}
	im.policies(file.Policies)
	for _, p := range file.Parameters {
		note(&im.report.Unsupported, Item{"parameter", im.in(p.VHost), p.Component + " " + p.Name, "nothing reads parameters: there are no plugins, such as federation and shovel"})
	}
	for _, p := range file.GlobalParameters {
		note(&im.report.Ignored, Item{Kind: "parameter", Name: p.Name, Reason: "it is about the cluster that it comes from"})
	}
}

// in is the virtual host that a definition is for.
func (im *importing) in(vhost string) string {
	if im.vhost != "" {
		return im.vhost
	}
	return vhost
}

func note(list *[]Item, x Item) { *list = append(*list, x) }

// ended notes what became of an item.
func (im *importing) ended(x Item, made bool, err error) {
	r := &im.report
	if err != nil {
		p, lost := im.problemOf(err), x
		x.Reason = p.reason
		if p.status == http.StatusNotImplemented || strings.HasPrefix(p.reason, "unknown exchange type") {
			note(&r.Unsupported, x)
			im.lost[lost] = true
			return
		}
		note(&r.Failed, x)
		return
	}
	if made {
		note(&r.Made, x)
		return
	}
	note(&r.Existed, x)
}
