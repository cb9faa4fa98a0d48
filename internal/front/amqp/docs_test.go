package amqp

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/broker"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// TestDocument holds docs/amqp.md to the methods that clients send, and to the names of headers.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../docs/amqp.md")
	ok(t, err)
	_, methods, _ := strings.Cut(string(b), "<!-- methods: held by a test -->")
	methods, rest, _ := strings.Cut(methods, "<!-- end of methods -->")
	row := regexp.MustCompile(`(?m)^\| ([a-z-]+\.[a-z-]+) \|`)
	var have, want []string
	for _, m := range row.FindAllStringSubmatch(methods, -1) {
		have = append(have, m[1])
	}
	answers := []string{"basic.cancel-ok", "channel.close-ok", "channel.flow-ok", "connection.close-ok", "connection.secure-ok", "access.request"}
	for _, id := range wire.MethodIDs() {
		if name := id.String(); id.FromClient() && !slices.Contains(answers, name) {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("the document has methods\n%v\nclients send\n%v", have, want)
	}
	_, rest, _ = strings.Cut(rest, "<!-- properties: held by a test -->")
	properties, _, _ := strings.Cut(rest, "<!-- end of properties -->")
	names := []string{broker.HeaderExchange, broker.HeaderRoutingKey, broker.HeaderExpires}
	for name := range slots {
		names = append(names, name)
	}
	for _, name := range names {
		if !strings.Contains(properties, "`"+name+"`") {
			t.Errorf("the document does not name the header %s", name)
		}
	}
}
