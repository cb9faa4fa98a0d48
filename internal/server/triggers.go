package server

import (
	"bytes"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/runner"
	"github.com/narumq/naru/internal/trigger"
)

// triggersKey is the key of the configuration file under which triggers are.
const triggersKey = "triggers"

// triggerFile is a trigger as the configuration file has it.
type triggerFile struct {
	Name       string `yaml:"name"`
	Queue      string `yaml:"queue"`
	Conditions []struct {
		On          string        `yaml:"on"`
		Depth       int32         `yaml:"depth"`
		MinPriority int32         `yaml:"min-priority"`
		MaxWait     time.Duration `yaml:"max-wait"`
	} `yaml:"conditions"`
	Program *struct {
		Argv    []string          `yaml:"argv"`
		Env     map[string]string `yaml:"env"`
		Dir     string            `yaml:"dir"`
		Timeout time.Duration     `yaml:"timeout"`
	} `yaml:"program"`
	Webhook *struct {
		URL     string            `yaml:"url"`
		Headers map[string]string `yaml:"headers"`
		Timeout time.Duration     `yaml:"timeout"`
	} `yaml:"webhook"`
	MaxRunning  int32 `yaml:"max-running"`
	AttemptsMax int32 `yaml:"attempts-max"`
}

// parseTriggers reads the configuration file's triggers.
func parseTriggers(file string, node *yaml.Node) ([]trigger.Spec, error) {
	b, err := yaml.Marshal(node) // a node itself cannot be decoded strictly
	if err != nil {
		return nil, err
	}
	var list []triggerFile
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%s:%d: %s: %w", file, node.Line, triggersKey, err)
	}
	specs := make([]trigger.Spec, 0, len(list))
	for i := range list {
		spec := list[i].spec()
		if err := spec.Validate(); err != nil {
			return nil, fmt.Errorf("%s:%d: trigger %q: %w", file, node.Line, spec.Name, err)
		}
		if spec.Program == nil && spec.Webhook == nil {
			return nil, fmt.Errorf("%s:%d: trigger %q: want a program or a webhook", file, node.Line, spec.Name)
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

func (f *triggerFile) spec() trigger.Spec {
	s := trigger.Spec{Name: f.Name, Queue: f.Queue, MaxRunning: f.MaxRunning, AttemptsMax: f.AttemptsMax, Configured: true}
	for _, c := range f.Conditions {
		s.Conditions = append(s.Conditions, trigger.Condition{On: trigger.On(c.On), Depth: c.Depth, MinPriority: c.MinPriority, MaxWait: c.MaxWait})
	}
	if p := f.Program; p != nil {
		s.Program = &trigger.Program{Argv: p.Argv, Env: p.Env, Dir: p.Dir, Timeout: p.Timeout}
	}
	if w := f.Webhook; w != nil {
		s.Webhook = &trigger.Webhook{URL: w.URL, Headers: w.Headers, Timeout: w.Timeout}
	}
	return s
}

// startTriggers lets triggers fire. Their work ends with the broker.
func (s *Server) startTriggers() error {
	return s.broker.StartTriggers(broker.TriggersConfig{
		Run: runner.New(s.log).Run, Programs: s.cfg.TriggerPrograms, Configured: s.cfg.Triggers,
	})
}
