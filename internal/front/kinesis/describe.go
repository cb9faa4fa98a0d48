package kinesis

import (
	"context"
	"encoding/json"
	"time"

	"github.com/narumq/naru/internal/front/aws"
)

// DescribeStream, DescribeStreamSummary, ListShards: what is, now.
//
// DescribeLimits, DescribeAccountSettings: an account without limits says Kinesis's
// usual ones.

func init() {
	register("DescribeStream", describeStream)
	register("DescribeStreamSummary", describeStreamSummary)
	register("ListShards", listShards)
	register("DescribeLimits", describeLimits)
	register("DescribeAccountSettings", describeAccountSettings)
}

type describeStreamIn struct {
	Limit                 *int64  `is:"Limit"`
	ExclusiveStartShardId *string `is:"ShardId"`
	streamRef
}

type enhancedMetrics struct{ ShardLevelMetrics []string }

type streamDescription struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       modeOut
	Shards                  []shardOut
	HasMoreShards           bool
	RetentionPeriodHours    int64
	StreamCreationTimestamp aws.Time
	EnhancedMonitoring      []enhancedMetrics
	EncryptionType          string
	KeyId                   string `json:",omitempty"`
}

type describeStreamOut struct{ StreamDescription streamDescription }

const (
	describePage = 100
	shardsPage   = 1_000
)

func describeStream(_ context.Context, s *Server, c *aws.Call, in *describeStreamIn) (*describeStreamOut, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	d := streamDescription{
		StreamName: t.Name, StreamARN: arnOf(c, t.Name), StreamStatus: active, StreamModeDetails: tr.mode(), Shards: []shardOut{},
		RetentionPeriodHours: retentionHours(t), StreamCreationTimestamp: created(t),
		EnhancedMonitoring: tr.monitoring(), EncryptionType: tr.encryptionType(), KeyId: tr.KeyID,
	}
	list := shards(t, s.now())
	if in.ExclusiveStartShardId != nil {
		list = after(list, *in.ExclusiveStartShardId)
	}
	limit := describePage
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	if d.HasMoreShards = len(list) > limit; d.HasMoreShards {
		list = list[:limit]
	}
	for _, i := range list {
		d.Shards = append(d.Shards, describeShard(t, i))
	}
	return &describeStreamOut{d}, nil
}

func (t *traits) monitoring() []enhancedMetrics {
	return []enhancedMetrics{{append([]string{}, t.Metrics...)}}
}

type describeStreamSummaryIn struct{ streamRef }

type warmThroughput struct {
	TargetMiBps  int64
	CurrentMiBps int64
}

type summaryDescription struct {
	StreamName                 string
	StreamARN                  string
	StreamStatus               string
	StreamModeDetails          modeOut
	RetentionPeriodHours       int64
	StreamCreationTimestamp    aws.Time
	EnhancedMonitoring         []enhancedMetrics
	EncryptionType             string
	KeyId                      string `json:",omitempty"`
	OpenShardCount             int64
	ConsumerCount              int64
	WarmThroughput             *warmThroughput `json:",omitempty"`
	MaxRecordSizeInKiB         int64
	RecordDistributionStrategy string `json:",omitempty"`
}

type describeStreamSummaryOut struct {
	StreamDescriptionSummary summaryDescription
}

func describeStreamSummary(_ context.Context, s *Server, c *aws.Call, in *describeStreamSummaryIn) (*describeStreamSummaryOut, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	return &describeStreamSummaryOut{summaryDescription{
		StreamName: t.Name, StreamARN: arnOf(c, t.Name), StreamStatus: active, StreamModeDetails: tr.mode(),
		RetentionPeriodHours: retentionHours(t), StreamCreationTimestamp: created(t),
		EnhancedMonitoring: tr.monitoring(), EncryptionType: tr.encryptionType(), KeyId: tr.KeyID,
		OpenShardCount: int64(len(t.Open())), ConsumerCount: int64(len(tr.Consumers)), WarmThroughput: tr.warm(),
		MaxRecordSizeInKiB: int64(tr.recordBytesMax() >> 10), RecordDistributionStrategy: tr.Distribution,
	}}, nil
}

func (t *traits) warm() *warmThroughput {
	if t.WarmMiBps == 0 {
		return nil
	}
	return &warmThroughput{t.WarmMiBps, t.WarmMiBps}
}

type listShardsIn struct {
	ExclusiveStartShardId   *string `is:"ShardId"`
	MaxResults              *int64  `is:"Limit"`
	NextToken               *string `is:"NextToken"`
	StreamCreationTimestamp *aws.Time
	ShardFilter             *shardFilter `is:"Any"`
	streamRef
}

type listShardsOut struct {
	Shards    []shardOut
	NextToken string `json:",omitempty"`
}

// shardsToken is what the token of a page says: the call, and where it stands.
type shardsToken struct {
	Stream string `json:"s"`
	Last   string `json:"l"` // shard
	Type   string `json:"t,omitempty"`
	Shard  string `json:"i,omitempty"`
	At     int64  `json:"a,omitempty"` // ms
	HasAt  bool   `json:"h,omitempty"`
}

func listShards(_ context.Context, s *Server, _ *aws.Call, in *listShardsIn) (*listShardsOut, error) {
	now := s.now()
	token, err := s.shardsCall(in, now)
	if err != nil {
		return nil, err
	}
	t, err := s.topic(token.Stream)
	if err != nil {
		return nil, err
	}
	list := shards(t, now)
	if token.Type != "" {
		if list, err = token.filter().apply(t, list, now); err != nil {
			return nil, err
		}
	}
	if token.Last != "" {
		list = after(list, token.Last)
	}
	limit := shardsPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &listShardsOut{Shards: []shardOut{}}
	more := len(list) > limit
	if more {
		list = list[:limit]
	}
	for _, i := range list {
		out.Shards = append(out.Shards, describeShard(t, i))
	}
	if more {
		token.Last = out.Shards[limit-1].ShardId
		b, err := json.Marshal(token)
		if err != nil {
			return nil, err
		}
		out.NextToken = s.tokens.seal(kindShards, now, b)
	}
	return out, nil
}

// shardsCall is what a call asks for, in the form of a token.
func (s *Server) shardsCall(in *listShardsIn, now time.Time) (token shardsToken, err error) {
	named := in.StreamName != nil || in.StreamARN != nil
	switch {
	case in.NextToken == nil && !named:
		return token, invalidArgument("Either NextToken or StreamName should be provided.")
	case in.NextToken != nil && named:
		return token, invalidArgument("NextToken and StreamName cannot be provided together.")
	case in.NextToken != nil && in.ExclusiveStartShardId != nil:
		return token, invalidArgument("NextToken and ExclusiveStartShardId cannot be provided together.")
	case in.NextToken != nil:
		about, err := s.page(kindShards, *in.NextToken, now)
		if err == nil && json.Unmarshal(about, &token) != nil {
			err = invalidArgument("NextToken %s is invalid.", clip(*in.NextToken))
		}
		return token, err
	}
	if token.Stream, err = in.name(); err != nil {
		return token, err
	}
	if in.ExclusiveStartShardId != nil {
		token.Last = *in.ExclusiveStartShardId
	}
	if f := in.ShardFilter; f != nil {
		token.Type = *f.Type
		if f.ShardId != nil {
			token.Shard = *f.ShardId
		}
		if f.Timestamp != nil {
			token.At, token.HasAt = f.Timestamp.UnixMilli(), true
		}
	}
	return token, nil
}

func (t *shardsToken) filter() *shardFilter {
	f := &shardFilter{Type: &t.Type}
	if t.Shard != "" {
		f.ShardId = &t.Shard
	}
	if t.HasAt {
		f.Timestamp = &aws.Time{Time: time.UnixMilli(t.At)}
	}
	return f
}

type describeLimitsOut struct {
	ShardLimit               int64
	OpenShardCount           int64
	OnDemandStreamCount      int64
	OnDemandStreamCountLimit int64
}

func describeLimits(_ context.Context, s *Server, _ *aws.Call, _ *nothing) (*describeLimitsOut, error) {
	out := &describeLimitsOut{ShardLimit: shardsMax, OpenShardCount: s.openShards(), OnDemandStreamCountLimit: onDemandMax}
	for _, t := range s.b.Topics() {
		tr, err := traitsOf(t)
		if err != nil {
			return nil, err
		}
		if tr.OnDemand {
			out.OnDemandStreamCount++
		}
	}
	return out, nil
}

type commitment struct{ Status string }

type accountSettingsOut struct{ MinimumThroughputBillingCommitment commitment }

func describeAccountSettings(context.Context, *Server, *aws.Call, *nothing) (*accountSettingsOut, error) {
	return &accountSettingsOut{commitment{"DISABLED"}}, nil
}
