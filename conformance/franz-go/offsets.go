package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (s *suite) offsetChecks() {
	s.Run("admin, list offsets: earliest, latest, committed, by time, of the greatest time", s.listOffsets)
	s.Run("admin, delete records moves the log start", s.deleteRecords)
	s.Run("admin, committed offsets and their metadata round-trip", s.commitOffsets)
	s.Run("admin, delete committed offsets", s.deleteOffsets)
	s.Run("admin, list, describe and delete groups", s.groupLife)
	s.Run("admin, a group with members is not deleted", s.groupInUse)
	s.Run("admin, group lag", s.groupLag)
}

func expectOffset(what string, l kadm.ListedOffsets, err error, topic string, want, wantTime int64) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	o, ok := l.Lookup(topic, 0)
	if !ok || o.Err != nil || o.Offset != want {
		return fmt.Errorf("%s: offset %d (%v), want %d", what, o.Offset, o.Err, want)
	}
	if wantTime != 0 && o.Timestamp != wantTime {
		return fmt.Errorf("%s: timestamp %d, want %d", what, o.Timestamp, wantTime)
	}
	return nil
}

func (s *suite) listOffsets(ctx context.Context) error {
	base := time.Now().UnixMilli() - 100_000
	topic, err := s.filled(ctx, 50, time.UnixMilli(base))
	if err != nil {
		return err
	}
	if err := s.fill(ctx, topic, 50, time.UnixMilli(base+1000)); err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		start, err := a.ListStartOffsets(ctx, topic)
		if err := expectOffset("start", start, err, topic, 0, 0); err != nil {
			return err
		}
		end, err := a.ListEndOffsets(ctx, topic)
		if err := expectOffset("end", end, err, topic, 100, 0); err != nil {
			return err
		}
		committed, err := a.ListCommittedOffsets(ctx, topic)
		if err := expectOffset("committed", committed, err, topic, 100, 0); err != nil {
			return err
		}
		for _, c := range []struct{ after, offset, stamp int64 }{
			{0, 0, base}, {base + 20, 20, base + 20}, {base + 500, 50, base + 1000}, {base + 1049, 99, base + 1049},
		} {
			l, err := a.ListOffsetsAfterMilli(ctx, c.after, topic)
			if err := expectOffset(fmt.Sprintf("at base%+d ms", c.after-base), l, err, topic, c.offset, c.stamp); err != nil {
				return err
			}
		}
		late, err := a.ListOffsetsAfterMilli(ctx, base+5000, topic)
		if err := expectOffset("after all", late, err, topic, 100, 0); err != nil { // kadm turns "none" into the end
			return err
		}
		greatest, err := a.ListMaxTimestampOffsets(ctx, topic)
		if err := expectOffset("greatest time", greatest, err, topic, 99, base+1049); err != nil {
			return err
		}
		unknown, err := a.ListEndOffsets(ctx, s.name("absent"))
		if err == nil {
			err = unknown.Error()
		}
		return wantErr(err, kerr.UnknownTopicOrPartition)
	})
}

func (s *suite) deleteRecords(ctx context.Context) error {
	topic, err := s.filled(ctx, 100, time.Now())
	if err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		for _, step := range []struct {
			to, want int64
			err      error
		}{{30, 30, nil}, {10, 30, nil}, {200, 30, kerr.OffsetOutOfRange}, {-1, 100, nil}} {
			var o kadm.Offsets
			o.AddOffset(topic, 0, step.to, -1)
			r, err := a.DeleteRecords(ctx, o)
			if err == nil {
				err = r.Error()
			}
			if !errors.Is(err, step.err) {
				return fmt.Errorf("delete before %d: got %v, want %v", step.to, err, step.err)
			}
			start, err := a.ListStartOffsets(ctx, topic)
			if err := expectOffset(fmt.Sprintf("start after deleting before %d", step.to), start, err, topic, step.want, 0); err != nil {
				return err
			}
		}
		end, err := a.ListEndOffsets(ctx, topic)
		if err := expectOffset("end", end, err, topic, 100, 0); err != nil {
			return err
		}
		return s.fill(ctx, topic, 1, time.Now())
	})
}

func (s *suite) commitOffsets(ctx context.Context) error {
	topic, err := s.topic(ctx, 2, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	return s.withAdmin(func(a *kadm.Client) error {
		none, err := a.FetchOffsets(ctx, s.name("absent"))
		if err != nil || len(none) != 0 {
			return fmt.Errorf("a group that never was has %d offsets: %w", len(none), err)
		}
		o := kadm.Offsets{}
		o.Add(kadm.Offset{Topic: topic, Partition: 0, At: 42, LeaderEpoch: -1, Metadata: "나루 checkpoint"})
		o.Add(kadm.Offset{Topic: topic, Partition: 1, At: 0, LeaderEpoch: -1})
		if err := a.CommitAllOffsets(ctx, group, o); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		got, err := a.FetchOffsets(ctx, group)
		if err != nil {
			return err
		}
		first, _ := got.Lookup(topic, 0)
		second, ok := got.Lookup(topic, 1)
		if first.At != 42 || first.Metadata != "나루 checkpoint" || !ok || second.At != 0 {
			return fmt.Errorf("read back as %+v and %+v", first, second)
		}
		o = kadm.Offsets{}
		o.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1, Metadata: strings.Repeat("m", 5000)})
		err = a.CommitAllOffsets(ctx, group, o)
		if !errors.Is(err, kerr.OffsetMetadataTooLarge) {
			return fmt.Errorf("metadata of 5000 bytes: got %v, want OFFSET_METADATA_TOO_LARGE", err)
		}
		many := a.FetchManyOffsets(ctx, group, s.name("absent"))
		if err := many.Error(); err != nil {
			return fmt.Errorf("fetch of two groups: %w", err)
		}
		if o, _ := many[group].Fetched.Lookup(topic, 0); o.At != 42 {
			return fmt.Errorf("fetch of two groups: offset %d, want 42", o.At)
		}
		return nil
	})
}

func (s *suite) deleteOffsets(ctx context.Context) error {
	topic, err := s.topic(ctx, 2, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	return s.withAdmin(func(a *kadm.Client) error {
		var o kadm.Offsets
		o.AddOffset(topic, 0, 5, -1)
		o.AddOffset(topic, 1, 6, -1)
		if err := a.CommitAllOffsets(ctx, group, o); err != nil {
			return err
		}
		var set kadm.TopicsSet
		set.Add(topic, 0)
		r, err := a.DeleteOffsets(ctx, group, set)
		if err == nil {
			err = r.Error()
		}
		if err != nil {
			return err
		}
		got, err := a.FetchOffsets(ctx, group)
		if err != nil {
			return err
		}
		if o, ok := got.Lookup(topic, 0); ok && o.At >= 0 {
			return fmt.Errorf("partition 0 still has %d", o.At)
		}
		if o, _ := got.Lookup(topic, 1); o.At != 6 {
			return fmt.Errorf("partition 1 has %d, want 6", o.At)
		}
		_, err = a.DeleteOffsets(ctx, s.name("absent"), set)
		return wantErr(err, kerr.GroupIDNotFound)
	})
}

func (s *suite) groupLife(ctx context.Context) error {
	topic, err := s.filled(ctx, 5, time.Now())
	if err != nil {
		return err
	}
	group := s.name("g")
	if _, err := s.readN(ctx, topic, 5, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic)); err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		listed, err := a.ListGroups(ctx)
		if err != nil {
			return err
		}
		if g, ok := listed[group]; !ok || g.ProtocolType != "consumer" {
			return fmt.Errorf("listed: %v as %+v", ok, g)
		}
		if err := until(ctx, "the group is empty", func() bool {
			d, err := a.DescribeGroups(ctx, group)
			return err == nil && d[group].Err == nil && d[group].State == "Empty"
		}); err != nil {
			return err
		}
		empty, err := a.ListGroups(ctx, "Empty")
		if err != nil || empty[group].Group != group {
			return fmt.Errorf("not listed among the empty ones: %w", err)
		}
		if stable, err := a.ListGroups(ctx, "Stable"); err != nil || stable[group].Group == group {
			return fmt.Errorf("listed among the stable ones: %w", err)
		}
		r, err := a.DeleteGroups(ctx, group)
		if err == nil {
			err = r.Error()
		}
		if err != nil {
			return fmt.Errorf("delete: %w", err)
		}
		if o, err := a.FetchOffsets(ctx, group); err != nil || len(o) > 0 {
			return fmt.Errorf("a deleted group has %d offsets: %w", len(o), err)
		}
		r, err = a.DeleteGroups(ctx, group)
		if err == nil {
			err = r.Error()
		}
		return wantErr(err, kerr.GroupIDNotFound)
	})
}

func (s *suite) groupInUse(ctx context.Context) error {
	topic, err := s.topic(ctx, 3, nil)
	if err != nil {
		return err
	}
	group := s.name("g")
	m, err := s.join(topic, group, kgo.ClientID("나루-client"), kgo.Balancers(kgo.RangeBalancer()))
	if err != nil {
		return err
	}
	defer m.leave()
	if err := until(ctx, "the member has 3 partitions", func() bool { n, _, _, _ := m.state(); return n == 3 }); err != nil {
		return err
	}
	return s.withAdmin(func(a *kadm.Client) error {
		described, err := a.DescribeGroups(ctx, group)
		if err != nil {
			return err
		}
		g := described[group]
		if g.Err != nil || g.State != "Stable" || g.Protocol != "range" || len(g.Members) != 1 {
			return fmt.Errorf("described as %+v", g)
		}
		member := g.Members[0]
		if got, ok := member.Assigned.AsConsumer(); !ok || len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 3 {
			return fmt.Errorf("assignment is described as %+v", member.Assigned)
		}
		if member.ClientID != "나루-client" || member.ClientHost == "" {
			return fmt.Errorf("client %q on host %q", member.ClientID, member.ClientHost)
		}
		r, err := a.DeleteGroups(ctx, group)
		if err == nil {
			err = r.Error()
		}
		if err := wantErr(err, kerr.NonEmptyGroup); err != nil {
			return err
		}
		var o kadm.Offsets
		o.AddOffset(topic, 0, 1, -1)
		committed, err := a.CommitOffsets(ctx, group, o)
		if err == nil {
			err = committed.Error()
		}
		return wantErr(err, kerr.UnknownMemberID)
	})
}

func (s *suite) groupLag(ctx context.Context) error {
	topic, err := s.filled(ctx, 30, time.Now())
	if err != nil {
		return err
	}
	group := s.name("g")
	return s.withAdmin(func(a *kadm.Client) error {
		var o kadm.Offsets
		o.AddOffset(topic, 0, 12, -1)
		if err := a.CommitAllOffsets(ctx, group, o); err != nil {
			return err
		}
		lags, err := a.Lag(ctx, group)
		if err != nil {
			return err
		}
		if l := lags[group]; l.Error() != nil || l.Lag.Total() != 18 {
			return fmt.Errorf("lag %d (%v), want 18", l.Lag.Total(), l.Error())
		}
		return nil
	})
}
