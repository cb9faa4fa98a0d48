package server

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/narumq/naru/internal/trigger"
)

// configBytesMax bounds the configuration file: it has some twenty lines.
const configBytesMax = 1 << 20

// Sources is where the configuration comes from.
type Sources struct {
	Flags  map[string]string               // given on the command line, by setting
	Lookup func(env string) (string, bool) // os.LookupEnv
	File   string                          // "" is none
}

// EnvName is the environment variable of a setting.
func EnvName(setting string) string {
	return "NARU_" + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

// Load puts a configuration together: flags over environment over file over
// defaults. An error names the source and the value that it did not like.
func Load(src Sources) (Config, error) {
	c := DefaultConfig()
	file, triggers, err := readConfigFile(src.File)
	if err != nil {
		return c, err
	}
	c.Triggers = triggers
	var problems []error
	for _, s := range c.Settings() {
		from, value, ok := src.find(&s, file)
		delete(file, s.Name)
		if !ok {
			continue
		}
		if err := s.Set(value); err != nil {
			problems = append(problems, fmt.Errorf("%s %q: %w", from, value, err))
		}
	}
	problems = append(problems, unknownKeys(src.File, file, c.Settings())...)
	if len(problems) == 0 {
		problems = append(problems, c.validate())
	}
	return c, errors.Join(problems...)
}

// find returns the value that wins, and where it comes from.
func (src *Sources) find(s *Setting, file map[string]string) (from, value string, ok bool) {
	if v, ok := src.Flags[s.Name]; ok {
		return "--" + s.Name, v, true
	}
	if src.Lookup != nil {
		if v, ok := src.Lookup(s.EnvName()); ok && v != "" {
			return s.EnvName(), v, true
		}
	}
	if v, ok := file[s.Name]; ok {
		return src.File + ": " + s.Name, v, true
	}
	return "", "", false
}

// readConfigFile reads a flat YAML mapping from setting to scalar, and the triggers.
func readConfigFile(name string) (values map[string]string, triggers []trigger.Spec, err error) {
	if name == "" {
		return nil, nil, nil
	}
	if info, err := os.Stat(name); err == nil && info.Size() > configBytesMax {
		return nil, nil, fmt.Errorf("--config %s: %d bytes, at most %d are read", name, info.Size(), configBytesMax)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, fmt.Errorf("--config: %w", err)
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, nil, fmt.Errorf("--config %s: %w", name, err)
	}
	values = make(map[string]string, len(doc))
	for key, node := range doc {
		if key == triggersKey {
			if triggers, err = parseTriggers(name, &node); err != nil {
				return nil, nil, err
			}
			continue
		}
		if node.Kind != yaml.ScalarNode {
			return nil, nil, fmt.Errorf("%s:%d: %s: want a single value, such as %s: VALUE", name, node.Line, key, key)
		}
		values[key] = node.Value
		// YAML 1.1 readers take a bare off for false; ours keeps the word.
	}
	return values, triggers, nil
}

func unknownKeys(name string, left map[string]string, known []Setting) []error {
	keys := make([]string, 0, len(left))
	for k := range left {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var errs []error
	for _, k := range keys {
		err := fmt.Errorf("%s: unknown setting %q", name, k)
		if s := closest(k, known); s != "" {
			err = fmt.Errorf("%w, did you mean %q?", err, s)
		}
		errs = append(errs, err)
	}
	return errs
}

// closest finds the setting that a misspelt name may have meant.
func closest(name string, known []Setting) string {
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '-' || r == '_' || r == '.' {
				return -1
			}
			return r
		}, lower(s))
	}
	best, distance := "", 3
	for _, s := range known {
		if d := editDistance(plain(name), plain(s.Name)); d < distance {
			best, distance = s.Name, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{cost, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
