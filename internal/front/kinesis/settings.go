package kinesis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// IncreaseStreamRetentionPeriod, DecreaseStreamRetentionPeriod: the topic's
// retention.ms, 24 to 8,760 hours.
//
// UpdateStreamMode, StartStreamEncryption, StopStreamEncryption,
// EnableEnhancedMonitoring, DisableEnhancedMonitoring, UpdateStreamWarmThroughput,
// UpdateStreamRecordDistributionStrategy: recorded and shown.
//
// UpdateMaxRecordSize: 1,024 to 10,240 KiB.

const (
	retentionHoursMin = 24
	retentionHoursMax = 8760
)

func init() {
	register("IncreaseStreamRetentionPeriod", increaseRetention)
	register("DecreaseStreamRetentionPeriod", decreaseRetention)
	register("UpdateStreamMode", updateStreamMode)
	register("UpdateMaxRecordSize", updateMaxRecordSize)
	register("UpdateStreamWarmThroughput", updateWarmThroughput)
	register("UpdateStreamRecordDistributionStrategy", updateDistribution)
	register("StartStreamEncryption", startEncryption)
	register("StopStreamEncryption", stopEncryption)
	register("EnableEnhancedMonitoring", enableMonitoring)
	register("DisableEnhancedMonitoring", disableMonitoring)
}

type retentionIn struct {
	RetentionPeriodHours *int64 `is:"Any,required"`
	streamRef
}

func increaseRetention(_ context.Context, s *Server, _ *aws.Call, in *retentionIn) (*nothing, error) {
	return nil, s.setRetention(in, "shorter", "DecreaseRetentionPeriod", func(now, want int64) bool { return want < now })
}

func decreaseRetention(_ context.Context, s *Server, _ *aws.Call, in *retentionIn) (*nothing, error) {
	return nil, s.setRetention(in, "longer", "IncreaseRetentionPeriod", func(now, want int64) bool { return want > now })
}

func (s *Server) setRetention(in *retentionIn, not, other string, wrong func(now, want int64) bool) error {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return err
	}
	want, now := *in.RetentionPeriodHours, retentionHours(t)
	switch {
	case want < retentionHoursMin:
		return invalidArgument("Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", retentionHoursMin, want)
	case want > retentionHoursMax:
		return invalidArgument("Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", retentionHoursMax, want)
	case wrong(now, want):
		return invalidArgument("Requested retention period (%d hours) for stream %s can not be %s than existing retention period (%d hours). Use %s API.", want, t.Name, not, now, other)
	}
	ms := strconv.FormatInt(want*time.Hour.Milliseconds(), 10)
	return gone(s.b.AlterTopic(t.Name, []catalog.Change{{Name: "retention.ms", Value: &ms}}, false), t.Name)
}

// gone is for a stream that was there a moment ago.
func gone(err error, stream string) error {
	if errors.Is(err, catalog.ErrUnknownTopic) {
		return noStream(stream)
	}
	return err
}

// setTraits changes a stream's traits.
func (s *Server) setTraits(r *streamRef, edit func(t *traits) error) (*catalog.Topic, error) {
	t, err := s.stream(r)
	if err != nil {
		return nil, err
	}
	return t, gone(s.annotate(t.Name, edit), t.Name)
}

type updateStreamModeIn struct {
	streamARN
	StreamModeDetails   *streamMode `is:"Any,required"`
	WarmThroughputMiBps *int64      `is:"Natural"`
}

func updateStreamMode(_ context.Context, s *Server, _ *aws.Call, in *updateStreamModeIn) (*nothing, error) {
	_, err := s.setTraits(in.ref(), func(t *traits) error {
		t.OnDemand = *in.StreamModeDetails.StreamMode == onDemand
		if in.WarmThroughputMiBps != nil {
			t.WarmMiBps = *in.WarmThroughputMiBps
		}
		return nil
	})
	return nil, err
}

type updateMaxRecordSizeIn struct {
	MaxRecordSizeInKiB *int64 `is:"RecordSize,required"`
	streamARN
}

func updateMaxRecordSize(_ context.Context, s *Server, _ *aws.Call, in *updateMaxRecordSizeIn) (*nothing, error) {
	t, err := s.stream(in.ref())
	if err != nil {
		return nil, err
	}
	if t.Settings.MaxMessageBytes < batchBytesMax { // it was made by another protocol
		v := strconv.Itoa(batchBytesMax)
		if err := s.b.AlterTopic(t.Name, []catalog.Change{{Name: "max.message.bytes", Value: &v}}, false); err != nil {
			return nil, gone(err, t.Name)
		}
	}
	_, err = s.setTraits(in.ref(), func(t *traits) error { t.RecordKiB = *in.MaxRecordSizeInKiB; return nil })
	return nil, err
}

type updateWarmIn struct {
	WarmThroughputMiBps *int64 `is:"Natural,required"`
	streamRef
}

type updateWarmOut struct {
	StreamARN, StreamName string
	WarmThroughput        warmThroughput
}

func updateWarmThroughput(_ context.Context, s *Server, c *aws.Call, in *updateWarmIn) (*updateWarmOut, error) {
	n := *in.WarmThroughputMiBps
	t, err := s.setTraits(&in.streamRef, func(t *traits) error {
		if !t.OnDemand {
			return invalid("UpdateStreamWarmThroughput is for streams in ON_DEMAND mode only.")
		}
		t.WarmMiBps = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &updateWarmOut{arnOf(c, t.Name), t.Name, warmThroughput{n, n}}, nil
}

type updateDistributionIn struct {
	RecordDistributionStrategy *string `is:"Strategy,required"`
	streamARN
}

func updateDistribution(_ context.Context, s *Server, _ *aws.Call, in *updateDistributionIn) (*nothing, error) {
	_, err := s.setTraits(in.ref(), func(t *traits) error { t.Distribution = *in.RecordDistributionStrategy; return nil })
	return nil, err
}

type encryptionIn struct {
	EncryptionType *string `is:"EncryptionType,required"`
	KeyId          *string `is:"KeyId,required"`
	streamRef
}

func startEncryption(_ context.Context, s *Server, _ *aws.Call, in *encryptionIn) (*nothing, error) {
	if *in.EncryptionType != "KMS" {
		return nil, invalidArgument("EncryptionType must be KMS to start encryption.")
	}
	_, err := s.setTraits(&in.streamRef, func(t *traits) error { t.KeyID = *in.KeyId; return nil })
	return nil, err
}

func stopEncryption(_ context.Context, s *Server, _ *aws.Call, in *encryptionIn) (*nothing, error) {
	_, err := s.setTraits(&in.streamRef, func(t *traits) error { t.KeyID = ""; return nil })
	return nil, err
}

type monitoringIn struct {
	ShardLevelMetrics []string `is:"Metrics,required"`
	streamRef
}

type monitoringOut struct {
	StreamName               string
	StreamARN                string
	CurrentShardLevelMetrics []string
	DesiredShardLevelMetrics []string
}

func enableMonitoring(_ context.Context, s *Server, c *aws.Call, in *monitoringIn) (*monitoringOut, error) {
	return s.setMonitoring(c, in, func(have, asked []string) []string {
		for _, m := range asked {
			if !slices.Contains(have, m) {
				have = append(have, m)
			}
		}
		slices.Sort(have)
		return have
	})
}

func disableMonitoring(_ context.Context, s *Server, c *aws.Call, in *monitoringIn) (*monitoringOut, error) {
	return s.setMonitoring(c, in, func(have, asked []string) []string {
		return slices.DeleteFunc(have, func(m string) bool { return slices.Contains(asked, m) })
	})
}

func (s *Server) setMonitoring(c *aws.Call, in *monitoringIn, change func(have, asked []string) []string) (*monitoringOut, error) {
	asked := in.ShardLevelMetrics
	if slices.Contains(asked, "ALL") {
		asked = metricsNames[:len(metricsNames)-1]
	}
	out := &monitoringOut{}
	t, err := s.setTraits(&in.streamRef, func(t *traits) error {
		out.CurrentShardLevelMetrics = append([]string{}, t.Metrics...)
		t.Metrics = change(slices.Clone(t.Metrics), asked)
		out.DesiredShardLevelMetrics = append([]string{}, t.Metrics...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.StreamName, out.StreamARN = t.Name, arnOf(c, t.Name)
	return out, nil
}
