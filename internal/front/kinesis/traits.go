package kinesis

import (
	"encoding/json"
	"fmt"

	"github.com/narumq/naru/internal/catalog"
)

// label is where a topic keeps its traits. On disk: never rename.
const label = "kinesis"

// traits are what Kinesis knows of a stream and nobody else asks for.
type traits struct {
	OnDemand     bool                `json:"on_demand,omitempty"`
	KeyID        string              `json:"key_id,omitempty"`   // of encryption; "" = none
	Metrics      []string            `json:"metrics,omitempty"`  // of each shard
	Policies     map[string]string   `json:"policies,omitempty"` // by consumer; "" is the stream's
	Consumers    map[string]consumer `json:"consumers,omitempty"`
	RecordKiB    int64               `json:"record_kib,omitempty"` // 0 = recordKiBDefault
	WarmMiBps    int64               `json:"warm_mibps,omitempty"`
	Distribution string              `json:"distribution,omitempty"`
}

// consumer is a registered one.
type consumer struct {
	CreatedAt int64             `json:"created_at"` // milliseconds since 1970
	Tags      map[string]string `json:"tags,omitempty"`
}

// recordKiBDefault is the largest record of a stream that does not say.
const recordKiBDefault = 1024

func (t *traits) recordBytesMax() int {
	if t.RecordKiB == 0 {
		return recordKiBDefault << 10
	}
	return int(t.RecordKiB) << 10
}

func traitsOf(t *catalog.Topic) (out traits, err error) {
	if s := t.Labels[label]; s != "" {
		if err := json.Unmarshal([]byte(s), &out); err != nil {
			return out, fmt.Errorf("label %s of topic %s: %w", label, t.Name, err)
		}
	}
	return out, nil
}

func (t *traits) store(labels map[string]string) {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	labels[label] = string(b)
}

// annotate changes a stream's traits, all at once.
func (s *Server) annotate(name string, edit func(*traits) error) error {
	return s.b.AnnotateTopic(name, func(_, labels map[string]string) error {
		t, err := traitsOf(&catalog.Topic{Name: name, Labels: labels})
		if err != nil {
			return err
		}

		if err := edit(&t); err != nil {
			return err
		}
		t.store(labels)
		return nil
	})
}
