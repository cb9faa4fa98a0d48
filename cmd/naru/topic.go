package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func (a *app) topicCommand() *cobra.Command {
	return a.parent("topic", "Create, list, describe, alter and delete topics",
		a.topicCreateCommand(), a.topicListCommand(), a.topicDescribeCommand(),
		a.topicAlterCommand(), a.topicDeleteCommand(), a.topicTrimCommand())
}

// parseSettings reads key=value pairs of --set.
func parseSettings(pairs []string) (map[string]*string, error) {
	settings := make(map[string]*string, len(pairs))
	for _, pair := range pairs {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || k == "" {
			return nil, usageError("--set %q: want name=value, such as retention.ms=86400000", pair)
		}
		if _, twice := settings[k]; twice {
			return nil, usageError("--set %s is given twice", k)
		}
		settings[k] = &v
	}
	return settings, nil
}

// partitionState is what is known of one partition; -1 where it is not.
type partitionState struct {
	Partition int32  `json:"partition"`
	Leader    int32  `json:"leader"`
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Records   int64  `json:"records"`
	Bytes     int64  `json:"bytes"`
	Error     string `json:"error,omitempty"`
}

// topicState is a topic with its partitions in order.
type topicState struct {
	Name       string
	ID         string
	Internal   bool
	Partitions []partitionState
}

func (t *topicState) records() int64 {
	return t.sum(func(p partitionState) int64 { return p.Records })
}
func (t *topicState) bytes() int64 { return t.sum(func(p partitionState) int64 { return p.Bytes }) }

// sum adds what is known, and is -1 if something is not.
func (t *topicState) sum(of func(partitionState) int64) int64 {
	total := int64(0)
	for _, p := range t.Partitions {
		if of(p) < 0 {
			return -1
		}
		total += of(p)
	}
	return total
}

// topicStates asks for the named topics, or for all of them.
func (cl *client) topicStates(ctx context.Context, internal bool, names ...string) ([]topicState, error) {
	list := cl.adm.ListTopics
	if internal {
		list = cl.adm.ListTopicsWithInternal
	}
	details, err := list(ctx, names...)
	if err != nil {
		return nil, err
	}
	if len(details) == 0 {
		return nil, nil
	}
	for _, name := range names {
		if err := details[name].Err; err != nil {
			return nil, refused(err, "", "topic %q", name)
		}
	}
	known := details.Names()
	starts, startErr := cl.adm.ListStartOffsets(ctx, known...)
	ends, endErr := cl.adm.ListEndOffsets(ctx, known...)
	if err := errors.Join(startErr, endErr); err != nil && starts == nil && ends == nil {
		return nil, err
	}
	// Sizes are a courtesy: a broker without log directories still has topics.
	sizes, _ := cl.adm.DescribeAllLogDirs(ctx, details.TopicsSet())

	var states []topicState
	for _, d := range details.Sorted() {
		t := topicState{Name: d.Topic, ID: base64.RawURLEncoding.EncodeToString(d.ID[:]), Internal: d.IsInternal}
		for _, p := range d.Partitions.Sorted() {
			t.Partitions = append(t.Partitions, partitionStateOf(p, starts, ends, sizes))
		}
		states = append(states, t)
	}
	return states, nil
}

func partitionStateOf(p kadm.PartitionDetail, starts, ends kadm.ListedOffsets, sizes kadm.DescribedAllLogDirs) partitionState {
	s := partitionState{Partition: p.Partition, Leader: p.Leader, Start: -1, End: -1, Records: -1, Bytes: -1}
	start, okStart := starts.Lookup(p.Topic, p.Partition)
	end, okEnd := ends.Lookup(p.Topic, p.Partition)
	if okStart && okEnd && start.Err == nil && end.Err == nil {
		s.Start, s.End, s.Records = start.Offset, end.Offset, end.Offset-start.Offset
	}
	if err := errors.Join(p.Err, start.Err, end.Err); err != nil {
		s.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	for _, dirs := range sizes {
		if found, ok := dirs.LookupPartition(p.Topic, p.Partition); ok {
			s.Bytes = max(s.Bytes, found.Size)
		}
	}
	return s
}

// gone tells whether err says that a topic does not exist.
func gone(err error) bool { return errors.Is(err, kerr.UnknownTopicOrPartition) }

// done reports what a command did to one thing, unless it writes JSON.
func (a *app) done(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.out, format+"\n", args...)
	}
}
