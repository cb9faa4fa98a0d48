package deploy

import (
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
)

// TestCompose loads the file as Docker's compose does: schema, anchors, references.
func TestCompose(t *testing.T) {
	o, err := cli.NewProjectOptions([]string{"../../deploy/compose.yaml"}, cli.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := p.ServiceNames()
	slices.Sort(names)
	if want := []string{"etcd", "naru-1", "naru-2", "naru-3", "s3"}; !slices.Equal(names, want) {
		t.Errorf("services %q, want %q", names, want)
	}
	for _, name := range names {
		if s := p.Services[name]; name != "etcd" && s.NetworkMode != "service:etcd" {
			t.Errorf("%s does not share etcd's network, and clients could not reach it by the name it gives", name)
		}
	}
}
