package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/narumq/naru/internal/journal"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "naru.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Each row sets one setting in some places and says which of them wins.
func TestPrecedence(t *testing.T) {
	for _, c := range []struct {
		name            string
		flag, env, file string
		want            string
	}{
		{name: "default", want: "always"},
		{name: "file", file: "sync: os", want: "os"},
		{name: "environment over file", env: "10ms", file: "sync: os", want: "10ms"},
		{name: "empty environment is none", env: "", file: "sync: os", want: "os"},
		{name: "flag over file", flag: "1s", file: "sync: os", want: "1s"},
		{name: "flag over environment", flag: "1s", env: "10ms", want: "1s"},
		{name: "flag over all", flag: "always", env: "10ms", file: "sync: os", want: "always"},
	} {
		src := Sources{Flags: map[string]string{}, Lookup: lookup(map[string]string{"NARU_SYNC": c.env})}
		if c.flag != "" {
			src.Flags["sync"] = c.flag
		}
		if c.file != "" {
			src.File = writeFile(t, c.file)
		}
		cfg, err := Load(src)
		if err != nil || cfg.Sync.String() != c.want {
			t.Errorf("%s: sync %v, %v; want %s", c.name, cfg.Sync, err, c.want)
		}
	}
}

// Every setting can be set in all three places, under its one name.
func TestEverySettingEverywhere(t *testing.T) {
	other := map[string]string{ // differs from the default
		"data": "/elsewhere", "kafka": "127.0.0.1:1", "kafka-advertised": "example.com:9", "http": "off",
		"cluster": "s3://bucket/prefix", "etcd": "127.0.0.1:7", "advertise": "example.com", "lease": "12s", "flush-every": "50ms", "flush-bytes": "1MiB",
		"slots": "8", "peer": "127.0.0.1:5", "peer-cert": "/cert", "peer-key": "/key", "peer-ca": "/ca", "cache-dir": "/cache", "cache-disk-bytes": "1GiB",
		"aws": "127.0.0.1:2", "aws-keys": "/keys", "kinesis-limits": "true", "amqp": "127.0.0.1:3", "amqp-management": "127.0.0.1:4",
		"pprof": "true", "api-remote": "true", "sync": "os", "segment-bytes": "1MiB", "cache-bytes": "2MiB",
		"auto-create-topics": "false", "default-partitions": "3", "group-initial-delay": "7s",
		"trigger-programs": "true", "connections-max": "5", "request-bytes-max": "2MiB", "memory-bytes": "3GiB", "disk-free-min": "1GiB",
		"topic-metrics-max": "4", "shutdown-timeout": "9s", "log-level": "debug", "log-format": "json",
	}
	var plain Config
	for _, s := range plain.Settings() {
		v, ok := other[s.Name]
		if !ok {
			t.Errorf("%s: not in this test", s.Name)
			continue
		}
		extra := map[string]string{}
		if s.Name == "pprof" {
			extra["http"] = "127.0.0.1:2"
		}
		if s.Name == "amqp-management" {
			extra["amqp"] = "127.0.0.1:3"
		}
		switch s.Name {
		case "peer-cert", "peer-key", "peer-ca": // they belong together
			extra = map[string]string{"peer-cert": "/a", "peer-key": "/b", "peer-ca": "/c", "cluster": "s3://bucket", "etcd": "127.0.0.1:8"}
			delete(extra, s.Name)
		case "cluster":
			extra["etcd"] = "127.0.0.1:8"
		case "etcd":
			extra["cluster"] = "s3://other-bucket"
		}
		flags := map[string]string{s.Name: v}
		for k, x := range extra {
			flags[k] = x
		}
		for place, src := range map[string]Sources{
			"flag":        {Flags: flags},
			"environment": {Lookup: lookup(map[string]string{s.EnvName(): v}), Flags: extra},
			"file":        {File: writeFile(t, s.Name+": "+v+"\n"), Flags: extra},
		} {
			cfg, err := Load(src)
			if err != nil {
				t.Errorf("%s as %s: %v", s.Name, place, err)
				continue
			}
			for _, got := range cfg.Settings() {
				if got.Name == s.Name && got.Get() != v {
					t.Errorf("%s as %s is %s, want %s", s.Name, place, got.Get(), v)
				}
			}
			defaults := DefaultConfig()
			if cmp.Equal(cfg, defaults) {
				t.Errorf("%s as %s changed nothing", s.Name, place)
			}
		}
	}
}

// What Get shows, Set reads.
func TestSettingsRoundTrip(t *testing.T) {
	a, b := DefaultConfig(), Config{}
	from, to := a.Settings(), b.Settings()
	for i := range from {
		if err := to[i].Set(from[i].Get()); err != nil {
			t.Errorf("%s: %v", from[i].Name, err)
		}
	}
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct {
		flags map[string]string
		env   map[string]string
		file  string
		want  []string
	}{
		{flags: map[string]string{"kafka": "9092"}, want: []string{`--kafka "9092": want host:port`}},
		{flags: map[string]string{"kafka": "localhost:99999"}, want: []string{`--kafka "localhost:99999"`, "0 to 65535"}},
		{env: map[string]string{"NARU_SYNC": "never"}, want: []string{`NARU_SYNC "never"`, "always, os, or a duration"}},
		{env: map[string]string{"NARU_CACHE_BYTES": "12q"}, want: []string{`NARU_CACHE_BYTES "12q"`, "64MiB"}},
		{flags: map[string]string{"segment-bytes": "1"}, want: []string{`--segment-bytes "1"`, "64KiB to 2GiB"}},
		{flags: map[string]string{"default-partitions": "0"}, want: []string{"1 to 10000"}},
		{flags: map[string]string{"log-level": "loud"}, want: []string{"debug, info, warn or error"}},
		{flags: map[string]string{"log-format": "xml"}, want: []string{"text or json"}},
		{flags: map[string]string{"pprof": "maybe"}, want: []string{"true or false"}},
		{flags: map[string]string{"shutdown-timeout": "1ms"}, want: []string{"at least 1s"}},
		{flags: map[string]string{"kafka-advertised": "0.0.0.0:9092"}, want: []string{"nobody can connect to that"}},
		{flags: map[string]string{"kafka-advertised": "[::]:9092"}, want: []string{"nobody can connect to that"}},
		{flags: map[string]string{"kafka": "off", "aws": "off", "amqp": "off", "http": "off"}, want: []string{"every endpoint is off"}},
		{flags: map[string]string{"http": "off", "pprof": "true"}, want: []string{"--pprof needs the HTTP endpoint"}},
		{flags: map[string]string{"data": ""}, want: []string{"--data is empty"}},
		{file: "sink: os\ncache_bytes: 1", want: []string{`unknown setting "sink", did you mean "sync"`, `"cache_bytes", did you mean "cache-bytes"`}},
		{file: "kafka: [a, b]", want: []string{"naru.yaml:1: kafka: want a single value"}},
		{file: "kafka: 1\nhttp: 2", want: []string{`naru.yaml: kafka "1"`, `naru.yaml: http "2"`}},
		{file: "- a", want: []string{"naru.yaml"}},
		{file: "a: 1\na: 2", want: []string{"already defined"}},
	} {
		src := Sources{Flags: c.flags, Lookup: lookup(c.env)}
		if c.file != "" {
			src.File = writeFile(t, c.file)
		}
		_, err := Load(src)
		if err == nil {
			t.Errorf("%+v: no error", c)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q", err, want)
			}
		}
	}
	if _, err := Load(Sources{File: "/nowhere/naru.yaml"}); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("missing file: %v", err)
	}
}

// The defaults are what the project promises.
func TestDefaultsAreSafe(t *testing.T) {
	c, err := Load(Sources{})
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{c.KafkaAddr, c.AWSAddr, c.AMQPAddr, c.ManagementAddr, c.HTTPAddr} {
		if !loopback(addr) {
			t.Errorf("%s is not loopback", addr)
		}
	}
	if c.Sync.Mode != journal.SyncAlways || c.Pprof {
		t.Errorf("sync %v, pprof %v", c.Sync, c.Pprof)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.com:1": false, "x": false,
	} {
		if loopback(addr) != want {
			t.Errorf("loopback(%q) is %v", addr, !want)
		}
	}
}

func TestBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "7": 7, "7b": 7, "1KiB": 1024, "1k": 1024, "1 kB": 1000, "64MiB": 64 << 20, "64m": 64 << 20, "2GB": 2e9, "1TiB": 1 << 40,
	} {
		if got, err := ParseBytes(s); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "-1", "x", "1.5MiB", "9223372036854775807KiB", "MiB", "1Mi B"} {
		if got, err := ParseBytes(s); err == nil {
			t.Errorf("%q is %d, want an error", s, got)
		}
	}
}

// FuzzBytes: no size is negative or wraps, and what is shown reads back.
func FuzzBytes(f *testing.F) {
	for _, s := range []string{"1KiB", "9223372036854775807", "8191PiB", "-0", " 5 m "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseBytes(s)
		if err != nil {
			return
		}
		if back, err := ParseBytes(FormatBytes(v)); v < 0 || err != nil || back != v {
			t.Fatalf("%q is %d, shown as %s, read back as %d, %v", s, v, FormatBytes(v), back, err)
		}
	})
}

// FuzzConfigFile: no file does harm.
func FuzzConfigFile(f *testing.F) {
	f.Add([]byte("kafka: 127.0.0.1:1\nsync: 10ms\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("? {x: y}\n: z\n"))
	f.Add([]byte("kafka: !!binary aGk=\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := Load(Sources{File: name}); err == nil && c.validate() != nil {
			t.Fatal("Load accepted what validate refuses")
		}
	})
}

func TestContainerBytes(t *testing.T) {
	for text, want := range map[string]int64{"1073741824\n": 1 << 30, "max\n": 0, "": 0, "-5": 0} {
		if got, ok := containerBytes(writeFile(t, text)); ok != (want > 0) || ok && got != want {
			t.Errorf("%q is %d, %v", text, got, ok)
		}
	}
	if _, ok := containerBytes("/nowhere"); ok {
		t.Error("a missing file has a limit")
	}
}
