// Package report turns the runs into a table of medians and ratios, with the
// durability beside the figures, the targets, and the machine they came from.
package report
