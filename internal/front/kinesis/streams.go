package kinesis

import (
	"context"
	"errors"
	"maps"
	"sort"
	"strconv"
	"time"

	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/front/aws"
)

// CreateStream, DeleteStream: at once.
//
// ListStreams: by name, in pages.

const (
	active      = "ACTIVE"
	onDemand    = "ON_DEMAND"
	provisioned = "PROVISIONED"

	// retentionDefault is that of a stream that was made here: 24 hours.
	retentionDefault = 24 * time.Hour
	// batchBytesMax is max.message.bytes of such a stream: a record of 10 MiB fits.
	batchBytesMax = 11 << 20
)

func init() {
	register("CreateStream", createStream)
	register("DeleteStream", deleteStream)
	register("ListStreams", listStreams)
}

type streamMode struct {
	StreamMode *string `is:"StreamMode,required"`
}

type createStreamIn struct {
	ShardCount                 *int64            `is:"ShardCount"`
	StreamName                 *string           `is:"StreamName,required"`
	StreamModeDetails          *streamMode       `is:"Any"`
	Tags                       map[string]string `is:"TagMap"`
	WarmThroughputMiBps        *int64            `is:"Natural"`
	MaxRecordSizeInKiB         *int64            `is:"RecordSize"`
	RecordDistributionStrategy *string           `is:"Strategy"`
}

func createStream(_ context.Context, s *Server, _ *aws.Call, in *createStreamIn) (*nothing, error) {
	t := traits{OnDemand: in.StreamModeDetails != nil && *in.StreamModeDetails.StreamMode == onDemand}
	count := int64(onDemandShards)
	switch {
	case in.ShardCount != nil:
		count = *in.ShardCount
	case !t.OnDemand:
		return nil, invalidArgument("ShardCount must be provided for streams in PROVISIONED mode.")
	}
	if in.MaxRecordSizeInKiB != nil {
		t.RecordKiB = *in.MaxRecordSizeInKiB
	}
	if in.WarmThroughputMiBps != nil {
		t.WarmMiBps = *in.WarmThroughputMiBps
	}
	if in.RecordDistributionStrategy != nil {
		t.Distribution = *in.RecordDistributionStrategy
	}
	if err := checkTags(*in.StreamName, in.Tags); err != nil {
		return nil, err
	}
	if err := s.shardLimit(count); err != nil {
		return nil, err
	}
	labels := map[string]string{}
	t.store(labels)
	_, err := s.b.CreateTopic(catalog.TopicSpec{
		Name: *in.StreamName, Partitions: int32(count), Tags: maps.Clone(in.Tags), Labels: labels,
		Settings: map[string]string{
			"retention.ms":      strconv.FormatInt(retentionDefault.Milliseconds(), 10),
			"max.message.bytes": strconv.Itoa(batchBytesMax),
		},
	}, false)
	switch {
	case errors.Is(err, catalog.ErrTopicExists) && s.exists(*in.StreamName):
		return nil, inUse("Stream %s under account %s already exists.", *in.StreamName, Account)
	case errors.Is(err, catalog.ErrInvalidPartitions):
		return nil, limitExceeded("%s", err)
	}
	return nil, err
}

func (s *Server) exists(name string) bool {
	_, err := s.b.Topic(name)
	return err == nil
}

// shardLimit refuses more shards than an account has, where the limits hold.
func (s *Server) shardLimit(more int64) error {
	if s.limits == nil {
		return nil
	}
	if open := s.openShards(); open+more > shardsMax {
		return limitExceeded("This request would exceed the shard limit for the account %s. Current shard count for the account: %d. Limit: %d. "+
			"Number of additional shards that would have resulted from this request: %d. Refer to the AWS Service Limits page "+
			"(http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current limits and how to request higher limits.",
			Account, open, shardsMax, more)
	}
	return nil
}

func (s *Server) openShards() (n int64) {
	for _, t := range s.b.Topics() {
		if !t.Internal {
			n += int64(len(t.Open()))
		}
	}
	return n
}

type deleteStreamIn struct {
	streamRef
	EnforceConsumerDeletion *bool
}

func deleteStream(_ context.Context, s *Server, _ *aws.Call, in *deleteStreamIn) (*nothing, error) {
	t, err := s.stream(&in.streamRef)
	if err != nil {
		return nil, err
	}
	tr, err := traitsOf(t)
	if err != nil {
		return nil, err
	}
	if n := len(tr.Consumers); n > 0 && (in.EnforceConsumerDeletion == nil || !*in.EnforceConsumerDeletion) {
		return nil, inUse("Stream %s under account %s has %d registered consumers; set EnforceConsumerDeletion to delete them with it.", t.Name, Account, n)
	}
	return nil, s.b.DeleteTopic(t.Name)
}

type listStreamsIn struct {
	Limit                    *int64  `is:"Limit"`
	ExclusiveStartStreamName *string `is:"StreamName"`
	NextToken                *string `is:"NextToken"`
}

type listStreamsOut struct {
	StreamNames     []string
	HasMoreStreams  bool
	NextToken       string `json:",omitempty"`
	StreamSummaries []streamSummary
}

type streamSummary struct {
	StreamName              string
	StreamARN               string
	StreamStatus            string
	StreamModeDetails       modeOut
	StreamCreationTimestamp aws.Time
}

type modeOut struct{ StreamMode string }

func (t *traits) mode() modeOut {
	if t.OnDemand {
		return modeOut{onDemand}
	}
	return modeOut{provisioned}
}

const streamsPage = 100

func listStreams(_ context.Context, s *Server, c *aws.Call, in *listStreamsIn) (*listStreamsOut, error) {
	limit, from, now := streamsPage, "", s.now()
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	switch {
	case in.NextToken != nil:
		about, err := s.page(kindStreams, *in.NextToken, now)
		if err != nil {
			return nil, err
		}
		from = string(about)
	case in.ExclusiveStartStreamName != nil:
		from = *in.ExclusiveStartStreamName
	}
	out := &listStreamsOut{StreamNames: []string{}, StreamSummaries: []streamSummary{}}
	topics := s.b.Topics()
	for _, t := range topics[sort.Search(len(topics), func(i int) bool { return topics[i].Name > from }):] {
		if t.Internal {
			continue
		}
		if len(out.StreamNames) == limit {
			out.HasMoreStreams = true
			out.NextToken = s.tokens.seal(kindStreams, now, []byte(out.StreamNames[limit-1]))
			break
		}
		tr, err := traitsOf(t)
		if err != nil {
			return nil, err
		}
		out.StreamNames = append(out.StreamNames, t.Name)
		out.StreamSummaries = append(out.StreamSummaries, streamSummary{t.Name, arnOf(c, t.Name), active, tr.mode(), created(t)})
	}
	return out, nil
}

// page reads the token of a next page.
func (s *Server) page(kind byte, token string, now time.Time) ([]byte, error) {
	about, made, ok := s.tokens.open(kind, token)
	switch {
	case !ok:
		return nil, invalidArgument("NextToken %s is invalid.", clip(token))
	case now.Sub(made) > tokenLife:
		return nil, problem("ExpiredNextTokenException", "The NextToken has expired: it is good for %d seconds.", int(tokenLife.Seconds()))
	}
	return about, nil
}

func created(t *catalog.Topic) aws.Time { return aws.Time{Time: time.UnixMilli(t.CreatedAt)} }

// retentionHours is how long records are kept, in whole hours.
func retentionHours(t *catalog.Topic) int64 {
	ms := t.Settings.RetentionMS
	if ms < 0 {
		return retentionHoursMax
	}
	return (ms + time.Hour.Milliseconds() - 1) / time.Hour.Milliseconds()
}

func (t *traits) encryption() string {
	if t.KeyID != "" {
		return "KMS"
	}
	return ""
}

// encryptionType is encryption for answers that always say it.
func (t *traits) encryptionType() string {
	if t.KeyID != "" {
		return "KMS"
	}
	return "NONE"
}
