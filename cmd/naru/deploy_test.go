package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/narumq/naru/internal/server"
)

// deployed is a broker's container in deploy/: its command line, and its environment.
type deployed struct {
	where string
	args  []string
	env   map[string]string
	grace time.Duration // from SIGTERM to SIGKILL
}

// TestDeploymentsAreValid starts nothing: it holds flags, variables and times in deploy/ to what the binary takes.
func TestDeploymentsAreValid(t *testing.T) {
	all := append(composed(t), kubernetes(t)...)
	if len(all) != 4 {
		t.Fatalf("%d containers run a broker, want three of Compose and one of Kubernetes", len(all))
	}
	for _, d := range all {
		t.Run(d.where, func(t *testing.T) {
			cfg, err := server.Load(server.Sources{Flags: flagsOf(t, d.args), Lookup: func(name string) (string, bool) { v, ok := d.env[name]; return v, ok }})
			if err != nil {
				t.Fatal(err)
			}
			for name := range d.env {
				known := slices.ContainsFunc(cfg.Settings(), func(s server.Setting) bool { return server.EnvName(s.Name) == name })
				if strings.HasPrefix(name, "NARU_") && !known {
					t.Errorf("%s is no setting", name)
				}
			}
			if cfg.Cluster == "" || cfg.Etcd == "" || cfg.Advertise == "" {
				t.Errorf("not a broker of a cluster: %q", d.args)
			}
			if d.grace <= cfg.ShutdownTimeout {
				t.Errorf("it is killed after %v, and may take %v to hand over", d.grace, cfg.ShutdownTimeout)
			}
			for _, addr := range []string{cfg.KafkaAddr, cfg.HTTPAddr, cfg.AWSAddr} {
				if host, _, err := net.SplitHostPort(addr); err != nil || host != "0.0.0.0" {
					t.Errorf("%s cannot be reached from outside the container", addr)
				}
			}
		})
	}
}

func flagsOf(t *testing.T, args []string) map[string]string {
	t.Helper()
	if len(args) == 0 || args[0] != "serve" {
		t.Fatalf("%q does not serve", args)
	}
	flags := map[string]string{}
	for _, arg := range args[1:] {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		cmd, _, err := (&app{env: os.LookupEnv}).rootCommand().Find([]string{"serve"})
		if err != nil || !ok || cmd.Flags().Lookup(name) == nil {
			t.Fatalf("serve does not take %q", arg)
		}
		flags[name] = strings.NewReplacer("$(POD_NAME)", "naru-0", "$(POD_NAMESPACE)", "naru").Replace(value)
	}
	return flags
}

func composed(t *testing.T) (list []deployed) {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			Grace       time.Duration `yaml:"stop_grace_period"`
		}
	}
	if err := yaml.Unmarshal(read(t, "compose.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		if s.Image == "naru" {
			list = append(list, deployed{"compose " + name, s.Command, s.Environment, s.Grace})
		}
	}
	return list
}

// manifest is as much of Kubernetes as is looked at here.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	Spec     struct {
		Template struct {
			Spec struct {
				Grace      int `yaml:"terminationGracePeriodSeconds"`
				Containers []struct {
					Image   string
					Args    []string
					EnvFrom []struct {
						ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
					} `yaml:"envFrom"`
				}
			}
		}
	}
}

func kubernetes(t *testing.T) (list []deployed) {
	t.Helper()
	var all []manifest
	decoder := yaml.NewDecoder(bytes.NewReader(read(t, "kubernetes/naru.yaml")))
	for {
		var m manifest
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	for _, m := range all {
		for _, c := range m.Spec.Template.Spec.Containers {
			d := deployed{"kubernetes " + m.Metadata.Name, c.Args, map[string]string{}, time.Duration(m.Spec.Template.Spec.Grace) * time.Second}
			for _, from := range c.EnvFrom {
				i := slices.IndexFunc(all, func(m manifest) bool { return m.Kind == "ConfigMap" && m.Metadata.Name == from.ConfigMapRef.Name })
				if i < 0 {
					t.Fatalf("there is no ConfigMap %q", from.ConfigMapRef.Name)
				}
				d.env = all[i].Data
			}
			list = append(list, d)
		}
	}
	return list
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository, "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
