package report

import (
	"fmt"
	"os"
	"strings"
)

const (
	beginMark = "<!-- results: begin (written by --write) -->\n"
	endMark   = "<!-- results: end -->\n"
)

// WriteReadme replaces what is between the two marks in path.
func (r *Results) WriteReadme(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := replaceSection(string(text), r.Markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}

func replaceSection(text, section string) (string, error) {
	before, rest, found := strings.Cut(text, beginMark)
	if !found {
		return "", fmt.Errorf("no line %q", strings.TrimSpace(beginMark))
	}
	_, after, found := strings.Cut(rest, endMark)
	if !found {
		return "", fmt.Errorf("no line %q", strings.TrimSpace(endMark))
	}
	return before + beginMark + "\n" + section + "\n" + endMark + after, nil
}
