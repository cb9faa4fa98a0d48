package management

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the table of docs/amqp.md anew")

// notes are what the document says of a path beside its methods.
var notes = map[string]string{
	"aliveness-test/{vhost}":               "declares a queue, publishes and gets a message",
	"connections/{connection}":             "DELETE closes it: 320 with the header `X-Reason`",
	"definitions":                          "see below",
	"definitions/{vhost}":                  "see below",
	"exchanges/{vhost}/{exchange}":         "`if-unused`. `amq.default` is the default exchange",
	"exchanges/{vhost}/{exchange}/publish": "answers when the message is durable",
	"nodes":                                "one; `naru@HOST`. In a cluster the owner of slot 0, with the listeners of all brokers",
	"overview":                             "",
	"queues/{vhost}/{queue}":               "`if-unused`, `if-empty`",
	"queues/{vhost}/{queue}/contents":      "what is not delivered",
	"queues/{vhost}/{queue}/get":           "up to 1,000 messages, 16 MiB",
	"topic-permissions/{vhost}/{user}":     "DELETE takes all of the virtual host",
	"vhosts/{vhost}":                       "description and tags are not kept. Who makes one gets all permissions in it",
}

// said is what the document says of a path.
func said(path string, r *route) string {
	if text, ok := notes[path]; ok {
		return text
	}
	if _, ok := r.methods[put]; ok && strings.HasSuffix(path, "/{name}") {
		return "404; PUT is 501"
	}
	for _, always := range []string{"policies", "operator-policies", "parameters", "global-parameters", "vhost-limits", "user-limits", "extensions", "feature-flags"} {
		if path == always || strings.HasPrefix(path, always+"/") {
			return "none"
		}
	}
	return ""
}

// TestDocument holds docs/amqp.md to the paths.
func TestDocument(t *testing.T) {
	var want strings.Builder
	for _, r := range routes() {
		var methods []string
		for m := range r.methods {
			methods = append(methods, m)
		}
		slices.SortFunc(methods, func(a, b string) int {
			order := []string{"GET", "PUT", "POST", "DELETE"}
			return slices.Index(order, a) - slices.Index(order, b)
		})
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", r.path, strings.Join(methods, " "), said(r.path, &r))
	}
	const name, from, to = "../../../docs/amqp.md", "<!-- management: held by a test -->\n| path under `/api/` | methods | |\n|---|---|---|\n", "<!-- end of management -->"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), from)
	have, after, done := strings.Cut(rest, to)
	if !ok || !done {
		t.Fatal("the document has no table of the management API")
	}
	if *rewrite {
		if err := os.WriteFile(name, []byte(before+from+want.String()+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if have != want.String() {
		t.Error("the table of docs/amqp.md is not the code's; go test ./internal/front/management -rewrite writes it")
	}
}
