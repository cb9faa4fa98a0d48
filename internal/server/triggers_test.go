package server

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narumq/naru/internal/trigger"
)

const triggersFile = `
sync: always
triggers:
  - name: drain
    queue: mails
    conditions:
      - {on: depth, depth: 10, min-priority: 5}
      - {on: depth, depth: 10, max-wait: 30s}
    program:
      argv: [/usr/local/bin/drain, --all]
      env: {MODE: fast}
      timeout: 10m
    max-running: 2
  - name: tell
    queue: mails
    conditions: [{on: every}]
    webhook:
      url: https://example.com/hook
      headers: {Authorization: Bearer x}
`

func TestTriggersOfFile(t *testing.T) {
	cfg, err := Load(Sources{File: writeFile(t, triggersFile)})
	if err != nil {
		t.Fatal(err)
	}
	want := []trigger.Spec{
		{
			Name: "drain", Queue: "mails", MaxRunning: 2, Configured: true,
			Conditions: []trigger.Condition{
				{On: trigger.OnDepth, Depth: 10, MinPriority: 5}, {On: trigger.OnDepth, Depth: 10, MaxWait: 30 * time.Second},
			},
			Program: &trigger.Program{Argv: []string{"/usr/local/bin/drain", "--all"}, Env: map[string]string{"MODE": "fast"}, Timeout: 10 * time.Minute},
		},
		{
			Name: "tell", Queue: "mails", Configured: true, Conditions: []trigger.Condition{{On: trigger.OnEvery}},
			Webhook: &trigger.Webhook{URL: "https://example.com/hook", Headers: map[string]string{"Authorization": "Bearer x"}},
		},
	}
	if diff := cmp.Diff(want, cfg.Triggers); diff != "" {
		t.Error(diff)
	}
}

func TestTriggersOfFileRefused(t *testing.T) {
	for file, want := range map[string]string{
		"triggers: no":                                                                                          "cannot unmarshal",
		"triggers:\n- {name: a, queu: b}":                                                                       "field queu not found",
		"triggers:\n- {name: a b, queue: b}":                                                                    `trigger "a b": invalid trigger: name`,
		"triggers:\n- {name: a, queue: b}":                                                                      "0 conditions",
		"triggers:\n- {name: a, queue: b, conditions: [{on: never}]}":                                           `on "never"`,
		"triggers:\n- {name: a, queue: b, conditions: [{on: first}]}":                                           "want a program or a webhook",
		"triggers:\n- {name: a, queue: b, conditions: [{on: depth}], program: {argv: [x]}}":                     "depth 0",
		"triggers:\n- {name: a, queue: b, conditions: [{on: first}], webhook: {url: ftp://x}}":                  `url "ftp://x"`,
		"triggers:\n- {name: a, queue: b, conditions: [{on: first}], program: {argv: [x], env: {NARU_RUN: x}}}": `variable "NARU_RUN"`,
	} {
		if _, err := Load(Sources{File: writeFile(t, file)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", file, err, want)
		}
	}
}
