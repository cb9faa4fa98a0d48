package report

import (
	"fmt"
	"os"
	"strings"
)

func beginMark(section string) string {
	return "<!-- " + section + ": begin (written by --write) -->\n"
}

func endMark(section string) string { return "<!-- " + section + ": end -->\n" }

// WriteReadme replaces what is between the two marks of a section in path.
func (r *Results) WriteReadme(path, section string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceSection(string(text), section, r.Markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}

func replaceSection(text, name, section string) (string, error) {
	before, rest, found := strings.Cut(text, beginMark(name))
	if !found {
		return "", fmt.Errorf("no line %q", strings.TrimSpace(beginMark(name)))
	}
	_, after, found := strings.Cut(rest, endMark(name))
	if !found {
		return "", fmt.Errorf("no line %q", strings.TrimSpace(endMark(name)))
	}
	return before + beginMark(name) + "\n" + section + "\n" + endMark(name) + after, nil
}
