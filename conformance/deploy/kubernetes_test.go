package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

const manifests = "../../deploy/kubernetes"

// everything is what all files define, by kind.
type everything struct {
	configs  map[string]core.ConfigMap
	secrets  map[string]core.Secret
	services map[string]core.Service
	claims   map[string]core.PersistentVolumeClaim
	budgets  []policy.PodDisruptionBudget
	pods     []pods
}

// pods is a Deployment or a StatefulSet.
type pods struct {
	name, service string // the latter is that of a StatefulSet
	selector      *meta.LabelSelector
	template      core.PodTemplateSpec
	claims        []core.PersistentVolumeClaim
}

func strict[T any](t *testing.T, doc []byte) (v T) {
	t.Helper()
	if err := yaml.UnmarshalStrict(doc, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func parse(t *testing.T) everything {
	t.Helper()
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil || len(files) != 4 {
		t.Fatalf("found %q, %v", files, err)
	}
	e := everything{map[string]core.ConfigMap{}, map[string]core.Secret{}, map[string]core.Service{}, map[string]core.PersistentVolumeClaim{}, nil, nil}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			e.add(t, filepath.Base(file), []byte(doc))
		}
	}
	return e
}

func (e *everything) add(t *testing.T, file string, doc []byte) {
	t.Helper()
	var of meta.TypeMeta
	if err := yaml.Unmarshal(doc, &of); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	switch of.APIVersion + " " + of.Kind {
	case "v1 ConfigMap":
		v := strict[core.ConfigMap](t, doc)
		e.configs[v.Name] = v
	case "v1 Secret":
		v := strict[core.Secret](t, doc)
		e.secrets[v.Name] = v
	case "v1 Service":
		v := strict[core.Service](t, doc)
		e.services[v.Name] = v
	case "v1 PersistentVolumeClaim":
		v := strict[core.PersistentVolumeClaim](t, doc)
		e.claims[v.Name] = v
	case "policy/v1 PodDisruptionBudget":
		e.budgets = append(e.budgets, strict[policy.PodDisruptionBudget](t, doc))
	case "apps/v1 StatefulSet":
		v := strict[apps.StatefulSet](t, doc)
		e.pods = append(e.pods, pods{v.Name, v.Spec.ServiceName, v.Spec.Selector, v.Spec.Template, v.Spec.VolumeClaimTemplates})
	case "apps/v1 Deployment":
		v := strict[apps.Deployment](t, doc)
		e.pods = append(e.pods, pods{v.Name, "", v.Spec.Selector, v.Spec.Template, nil})
	case "kustomize.config.k8s.io/v1beta1 Kustomization":
		for _, name := range strict[kustomization](t, doc).Resources {
			if _, err := os.Stat(filepath.Join(manifests, name)); err != nil {
				t.Error(err)
			}
		}
	default:
		t.Errorf("%s: what is a %s %s?", file, of.APIVersion, of.Kind)
	}
}

type kustomization struct {
	meta.TypeMeta `json:",inline"`
	Namespace     string   `json:"namespace"`
	Resources     []string `json:"resources"`
	Images        []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"`
		NewTag  string `json:"newTag"`
	} `json:"images"`
}

func TestKubernetes(t *testing.T) {
	e := parse(t)
	if len(e.pods) != 3 || len(e.services) != 4 {
		t.Fatalf("%d sets of pods and %d services", len(e.pods), len(e.services))
	}
	for _, p := range e.pods {
		t.Run(p.name, func(t *testing.T) { e.check(t, p) })
	}
	for name, s := range e.services {
		of := e.selected(s.Spec.Selector)
		if of == nil {
			t.Errorf("service %s selects nothing", name)
			continue
		}
		for _, port := range s.Spec.Ports {
			if !slices.ContainsFunc(of.template.Spec.Containers[0].Ports, func(c core.ContainerPort) bool { return c.Name == port.TargetPort.StrVal }) {
				t.Errorf("service %s: nothing listens at port %q", name, port.TargetPort.StrVal)
			}
		}
	}
	for _, b := range e.budgets {
		if e.selected(b.Spec.Selector.MatchLabels) == nil {
			t.Errorf("budget %s selects nothing", b.Name)
		}
	}
}

func (e *everything) selected(by map[string]string) *pods {
	for i, p := range e.pods {
		if labels.SelectorFromSet(by).Matches(labels.Set(p.template.Labels)) {
			return &e.pods[i]
		}
	}
	return nil
}

// check looks at what a pod refers to.
func (e *everything) check(t *testing.T, p pods) {
	if s, err := meta.LabelSelectorAsSelector(p.selector); err != nil || !s.Matches(labels.Set(p.template.Labels)) {
		t.Errorf("it does not select its own pods: %v", err)
	}
	if _, there := e.services[p.service]; p.service != "" && !there {
		t.Errorf("there is no service %q", p.service)
	}
	volumes := map[string]bool{}
	for _, c := range p.claims {
		volumes[c.Name] = true
	}
	for _, v := range p.template.Spec.Volumes {
		volumes[v.Name] = true
		if s := v.Secret; s != nil {
			for _, item := range s.Items {
				e.secret(t, s.SecretName, item.Key)
			}
		}
		if c := v.PersistentVolumeClaim; c != nil && e.claims[c.ClaimName].Name == "" {
			t.Errorf("there is no claim %q", c.ClaimName)
		}
	}
	for _, c := range p.template.Spec.Containers {
		e.container(t, c, volumes)
	}
}

func (e *everything) container(t *testing.T, c core.Container, volumes map[string]bool) {
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("there is no volume %q", m.Name)
		}
	}
	for _, from := range c.EnvFrom {
		if _, there := e.configs[from.ConfigMapRef.Name]; !there {
			t.Errorf("there is no ConfigMap %q", from.ConfigMapRef.Name)
		}
	}
	known := map[string]bool{}
	for _, v := range c.Env {
		known[v.Name] = true
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			e.secret(t, v.ValueFrom.SecretKeyRef.Name, v.ValueFrom.SecretKeyRef.Key)
		}
	}
	for _, arg := range append(c.Command, c.Args...) {
		for _, part := range strings.Split(arg, "$(")[1:] {
			if name, _, _ := strings.Cut(part, ")"); !known[name] {
				t.Errorf("%s: there is no variable %q", arg, name)
			}
		}
	}
	ports := map[string]bool{}
	for _, p := range c.Ports {
		ports[p.Name] = true
	}
	for _, probe := range []*core.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
		if probe != nil && probe.HTTPGet != nil && !ports[probe.HTTPGet.Port.StrVal] {
			t.Errorf("a probe asks port %q, which is not there", probe.HTTPGet.Port.StrVal)
		}
	}
	if c.ReadinessProbe == nil || c.Resources.Requests == nil {
		t.Errorf("%s has no readiness probe, or asks for no resources", c.Name)
	}
}

func (e *everything) secret(t *testing.T, name, key string) {
	if _, there := e.secrets[name].StringData[key]; !there {
		t.Errorf("there is no %q in a secret %q", key, name)
	}
}
