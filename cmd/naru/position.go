package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// position is a place in a partition as a person names it.
type position struct {
	kind positionKind
	n    int64 // offset, how many before the end, or milliseconds since 1970
}

type positionKind uint8

const (
	atEarliest  positionKind = iota
	atLatest                 // the end at the moment of asking
	atOffset                 // n
	atTail                   // n records before the end
	atTimestamp              // the first record that is not older than n
)

const positionHelp = "earliest, latest, an offset (42), the last n records (-10), " +
	"a time (2026-11-21T08:30:00Z, 2026-11-21, @1795249800000 in milliseconds) or a duration ago (-15m)"

// parsePosition reads what positionHelp describes. Times without a zone are
// local.
func parsePosition(s string, now time.Time) (position, error) {
	switch strings.ToLower(s) {
	case "earliest", "beginning", "start":
		return position{kind: atEarliest}, nil
	case "latest", "end":
		return position{kind: atLatest}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n < 0 {
			return position{atTail, -n}, nil
		}
		return position{atOffset, n}, nil
	}
	if ms, ok := strings.CutPrefix(s, "@"); ok {
		if n, err := strconv.ParseInt(ms, 10, 64); err == nil && n >= 0 {
			return position{atTimestamp, n}, nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d <= 0 {
		return position{atTimestamp, now.Add(d).UnixMilli()}, nil
	}
	if t, ok := parseTime(s); ok {
		return position{atTimestamp, t.UnixMilli()}, nil
	}
	return position{}, fmt.Errorf("%q: want %s", s, positionHelp)
}

func parseTime(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999", "2006-01-02 15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// bounds is a partition's log start offset and its end.
type bounds struct{ start, end int64 }

// offsets are places by topic and partition.
type offsets map[string]map[int32]int64

func (o offsets) set(topic string, partition int32, at int64) {
	if o[topic] == nil {
		o[topic] = make(map[int32]int64)
	}
	o[topic][partition] = at
}

// topicBounds asks for the bounds of every partition of the topics.
func (cl *client) topicBounds(ctx context.Context, topics ...string) (map[string]map[int32]bounds, error) {
	starts, err := cl.listed(ctx, func() (kadm.ListedOffsets, error) { return cl.adm.ListStartOffsets(ctx, topics...) })
	if err != nil {
		return nil, err
	}
	ends, err := cl.listed(ctx, func() (kadm.ListedOffsets, error) { return cl.adm.ListEndOffsets(ctx, topics...) })
	if err != nil {
		return nil, err
	}
	all := make(map[string]map[int32]bounds)
	for topic, partitions := range starts {
		all[topic] = make(map[int32]bounds)
		for p, start := range partitions {
			end, ok := ends.Lookup(topic, p)
			if !ok {
				continue
			}
			all[topic][p] = bounds{start.Offset, end.Offset}
		}
	}
	for _, topic := range topics {
		if len(all[topic]) == 0 {
			return nil, fmt.Errorf("topic %q has no partition that answers", topic)
		}
	}
	return all, nil
}

// listed asks for offsets, again and again for --timeout while a partition's leader is away: a cluster has another one soon.
func (cl *client) listed(ctx context.Context, ask func() (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, cl.timeout)
	defer cancel()
	for {
		l, err := listed(ask())
		if !leaderAway(err) {
			return l, err
		}
		select {
		case <-time.After(askAgainAfter):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// askAgainAfter is how long a question waits whose answer was that somebody else knows.
const askAgainAfter = 250 * time.Millisecond

// leaderAway tells whether err may be over when the client knows of another leader.
func leaderAway(err error) bool {
	var broken *net.OpError
	return errors.As(err, &broken) || kgo.IsRetryableBrokerErr(err) ||
		errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.LeaderNotAvailable)
}

// listed turns errors hidden in a list of offsets into an error.
func listed(l kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err != nil {
		return nil, err
	}
	l.Each(func(o kadm.ListedOffset) {
		if o.Err == nil || err != nil {
			return
		}
		if gone(o.Err) {
			err = refused(o.Err, "", "topic %q", o.Topic)
			return
		}
		err = refused(o.Err, "", "topic %q partition %d", o.Topic, o.Partition)
	})
	return l, err
}

// resolve turns a position into offsets within the bounds.
func (cl *client) resolve(ctx context.Context, pos position, within map[string]map[int32]bounds) (offsets, error) {
	var byTime kadm.ListedOffsets
	if pos.kind == atTimestamp {
		topics := make([]string, 0, len(within))
		for t := range within {
			topics = append(topics, t)
		}
		var err error
		ask := func() (kadm.ListedOffsets, error) { return cl.adm.ListOffsetsAfterMilli(ctx, pos.n, topics...) }
		if byTime, err = cl.listed(ctx, ask); err != nil {
			return nil, err
		}
	}
	resolved := make(offsets)
	for topic, partitions := range within {
		for p, b := range partitions {
			at, err := pos.in(b, func() (int64, error) {
				found, ok := byTime.Lookup(topic, p)
				if !ok {
					return 0, errors.New("the broker gave no offset for that time")
				}
				return found.Offset, nil
			})
			if err != nil {
				return nil, fmt.Errorf("topic %q partition %d: %w", topic, p, err)
			}
			resolved.set(topic, p, at)
		}
	}
	return resolved, nil
}

// in is the position's offset, never outside the bounds.
func (pos position) in(b bounds, byTime func() (int64, error)) (int64, error) {
	at := b.start
	switch pos.kind {
	case atLatest:
		at = b.end
	case atOffset:
		at = pos.n
	case atTail:
		at = b.end - min(pos.n, b.end)
	case atTimestamp:
		found, err := byTime()
		if err != nil {
			return 0, err
		}
		if at = found; at < 0 { // nothing that young
			at = b.end
		}
	}
	return min(max(at, b.start), b.end), nil
}

// parsePartitions reads a list such as 0,2,5.
func parsePartitions(s string) ([]int32, error) {
	var list []int32
	for _, part := range strings.Split(s, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(part), 10, 32)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("partition %q: want numbers with commas between, such as 0,2", part)
		}
		list = append(list, int32(n))
	}
	return list, nil
}

// only keeps the partitions of a list; nil keeps all.
func only(within map[string]map[int32]bounds, topic string, partitions []int32) error {
	if partitions == nil {
		return nil
	}
	kept := make(map[int32]bounds)
	for _, p := range partitions {
		b, ok := within[topic][p]
		if !ok {
			return fmt.Errorf("topic %q has no partition %d, it has %s",
				topic, p, plural(int64(len(within[topic])), "partition"))
		}
		kept[p] = b
	}
	within[topic] = kept
	return nil
}
