package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/narumq/naru/bench/internal/stats"
)

const missing = "–"

// Table renders medians, ratios and targets as Markdown.
func (r *Results) Table() string {
	var b strings.Builder
	head, rule := []string{"", "unit"}, []string{"---", "---"}
	for _, s := range r.Sides {
		head, rule = append(head, s.Title+"<br>*"+s.Durability+"*"), append(rule, "--:")
	}
	for _, s := range r.Sides[1:] {
		head, rule = append(head, r.Sides[0].Title+" ÷ "+s.Title), append(rule, "--:")
	}
	head, rule = append(head, "target"), append(rule, "---")
	row(&b, head)
	row(&b, rule)
	for _, g := range r.groups() {
		r.group(&b, g, len(head))
	}
	return b.String()
}

func (r *Results) group(b *strings.Builder, g Group, width int) {
	title := false
	for _, m := range g.Measures {
		if !r.taken(m.ID) {
			continue
		}
		if !title {
			title = true
			row(b, append([]string{"**" + g.Title + "**"}, make([]string, width-1)...))
		}
		row(b, r.measureRow(m))
	}
}

// taken says whether any side has the measure.
func (r *Results) taken(id string) bool {
	for _, s := range r.Sides {
		if len(r.Values(s.Name, id)) > 0 {
			return true
		}
	}
	return false
}

func (r *Results) measureRow(m Measure) []string {
	cells := []string{m.Text, m.Unit}
	for _, s := range r.Sides {
		cells = append(cells, number(r.median(s.Name, m.ID), m.Digits))
	}
	for _, s := range r.Sides[1:] {
		cells = append(cells, ratioText(r.ratio(s.Name, m.ID)))
	}
	var targets []string
	if r.Sides[0].Name != Naru { // the targets are Naru's
		m.Targets = nil
	}
	for _, t := range m.Targets {
		targets = append(targets, t.Display+" "+r.verdict(t, m.ID))
	}
	return append(cells, strings.Join(targets, "; "))
}

func (r *Results) median(side, id string) float64 { return stats.Median(r.Values(side, id)) }

// ratio is the first side's median over that of versus.
func (r *Results) ratio(versus, id string) float64 {
	return stats.Ratio(r.median(r.Sides[0].Name, id), r.median(versus, id))
}

// verdict says whether the first side reaches a target.
func (r *Results) verdict(t Target, id string) string {
	value := r.median(r.Sides[0].Name, id)
	if t.Versus != "" {
		value = r.ratio(t.Versus, id)
	}
	switch {
	case math.IsNaN(value):
		return missing
	case t.AtMost && value <= t.Bound, !t.AtMost && value >= t.Bound:
		return "✓"
	}
	return "✗"
}

// Spread renders the smallest and largest value of each measure: how far the
// medians can be trusted.
func (r *Results) Spread() string {
	var b strings.Builder
	head, rule := []string{"", "unit"}, []string{"---", "---"}
	for _, s := range r.Sides {
		head, rule = append(head, s.Title), append(rule, "--:")
	}
	row(&b, head)
	row(&b, rule)
	for _, g := range r.groups() {
		for _, m := range g.Measures {
			if !r.taken(m.ID) {
				continue
			}
			cells := []string{g.Title + ": " + m.Text, m.Unit}
			for _, s := range r.Sides {
				low, high := stats.Range(r.Values(s.Name, m.ID))
				cells = append(cells, number(low, m.Digits)+" to "+number(high, m.Digits))
			}
			row(&b, cells)
		}
	}
	return b.String()
}

func row(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func ratioText(v float64) string {
	if math.IsNaN(v) {
		return missing
	}
	return strconv.FormatFloat(v, 'g', 3, 64) + "×"
}

// number prints v with thousands separators.
func number(v float64, digits int) string {
	if math.IsNaN(v) {
		return missing
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

// Markdown is the whole generated section.
func (r *Results) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured %s by `%s`; medians of %d round(s), the sides taking turns.\n\n",
		r.When.UTC().Format("2006-01-02"), r.Command, r.Rounds)
	b.WriteString(r.Table())
	b.WriteString("\n" + r.Machine.Markdown())
	for _, n := range r.Notes {
		b.WriteString("- " + n + "\n")
	}
	for _, f := range r.Failures() {
		b.WriteString("- **failed**: " + f + "\n")
	}
	if r.Rounds > 1 {
		b.WriteString("\n<details><summary>Smallest and largest value of each</summary>\n\n" + r.Spread() + "\n</details>\n")
	}
	return b.String()
}
